/// The units for the length of pulses.
package enum PulseWidthUnit: String, Sendable, CaseIterable {
  case milliseconds = "ms"
  case seconds = "s"
  case microseconds = "µs"

  /// How many are a second.
  package var perSecond: Double {
    switch self {
    case .seconds: 1
    case .milliseconds: 1e3
    case .microseconds: 1e6
    }
  }
}
