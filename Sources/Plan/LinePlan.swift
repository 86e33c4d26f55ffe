import Measuring
import Readings

/// A line's place in the monitor of GPIO lines: it stays the same for as long as the line is watched in one way.
package struct LineID: Hashable, Sendable {
  package let place: Int

  package init(place: Int) { self.place = place }
}

/// A GPIO line of the configuration, ready to be watched.
package struct LinePlan: Sendable, Equatable {
  /// What becomes of its edges.
  package struct Measure: Sendable, Equatable {
    package enum Quantity: Sendable, Equatable {
      /// Of pulses, over restarts.
      case total
      case frequency, duty, width
      /// Of an encoder, over restarts.
      case position(stepsPerPeriod: Int)
    }

    package let quantity: Quantity
    /// Between readings.
    package let interval: Duration
    /// Units per pulse, Hz, %, second or step.
    package let scale: Double
    package let unit: String?

    /// It is no counter in Prometheus' meaning, which only rises.
    package var mayFall: Bool {
      if case .position = quantity { true } else { scale < 0 }
    }

    package init(_ quantity: Quantity, interval: Duration, scale: Double, unit: String?) {
      self.quantity = quantity
      self.interval = interval
      self.scale = scale
      self.unit = unit
    }
  }

  package let name: String
  /// The key of its stored count; another one if the count means something else.
  package var countName: String {
    if case .position? = measure?.quantity { name + "/steps" } else { name }
  }
  /// What its readings belong to.
  package var stream: StreamID
  package let request: GPIOInput
  /// nil: its levels, edges or gestures are published as they come.
  package let measure: Measure?

  package init(name: String, stream: StreamID, request: GPIOInput, measure: Measure? = nil) {
    self.name = name
    self.stream = stream
    self.request = request
    self.measure = measure
  }
}
