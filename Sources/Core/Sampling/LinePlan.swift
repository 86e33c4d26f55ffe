import Instants
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

/// What there is to tell of one line.
package struct LineReport: Sendable {
  package enum Content: Sendable {
    /// The level has settled, in mode `state`.
    case level(Bool)
    /// An edge, in mode `event`. `isSuspect`: the one before it was of the same direction.
    case edge(isRising: Bool, isSuspect: Bool)
    /// So many edges were dropped before they could be read, and what they were is not known.
    case gap(lost: UInt64)
    /// The line is read from now on; `pulses` as for `Lines.total`.
    case found(String, pulses: UInt64)
    /// The line cannot be read (any more); it is looked for again. Told when the reason is another one than before.
    case failed(String)
    /// The line was let go of, as asked for: nothing follows of it.
    case released
  }

  package let line: LineID
  package let content: Content
  package let time: BootClock.Instant

  package init(line: LineID, content: Content, time: BootClock.Instant) {
    self.line = line
    self.content = content
    self.time = time
  }
}
