import Measuring

/// A line's place in the monitor of GPIO lines: it stays the same for as long as the line is watched in one way.
package struct LineID: Hashable, Sendable {
  package let place: Int

  package init(place: Int) { self.place = place }
}

/// A GPIO line of the configuration, ready to be watched.
package struct LinePlan: Sendable, Equatable {
  package struct Counter: Sendable, Equatable {
    /// Between totals.
    package let interval: Duration
    /// Units per pulse.
    package let scale: Double
    package let unit: String?

    package init(interval: Duration, scale: Double, unit: String?) {
      self.interval = interval
      self.scale = scale
      self.unit = unit
    }
  }

  package let name: String
  /// Index of the stream that its readings belong to.
  package var stream: Int
  package let request: GPIOInput
  /// Of a line in mode `counter`; nil: of another mode.
  package let counter: Counter?

  package init(name: String, stream: Int, request: GPIOInput, counter: Counter? = nil) {
    self.name = name
    self.stream = stream
    self.request = request
    self.counter = counter
  }
}
