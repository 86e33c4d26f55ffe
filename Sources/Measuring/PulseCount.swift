import Instants

/// What a counter has seen since its line was requested.
public struct PulseCount: Sendable, Hashable {
  public var pulses: UInt64
  /// The kernel's time of the last pulse; nil: there was none.
  public var last: BootClock.Instant?

  public init(pulses: UInt64 = 0, last: BootClock.Instant? = nil) {
    self.pulses = pulses
    self.last = last
  }
}
