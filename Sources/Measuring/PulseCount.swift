import LimpetInstants

/// Sums over a line's edges since it was requested: the difference of two of them is what happened in between.
public struct PulseCount: Sendable, Hashable {
  /// Periods that have ended: their number, and their total length.
  public struct Spans: Sendable, Hashable {
    public var count: UInt64 = 0
    /// In nanoseconds.
    public var total: Int64 = 0

    public init(count: UInt64 = 0, total: Int64 = 0) {
      self.count = count
      self.total = total
    }

    package static func + (one: Self, other: Self) -> Self {
      Self(count: one.count &+ other.count, total: one.total &+ other.total)
    }

    package static func - (one: Self, other: Self) -> Self {
      Self(count: one.count &- other.count, total: one.total &- other.total)
    }
  }

  /// Times that the line rose.
  public var pulses: UInt64
  /// The kernel's time of the last pulse; nil: there was none.
  public var last: BootClock.Instant?
  /// The time of the first pulse since the last look; that of an older one if the look came in between.
  public var first: BootClock.Instant?
  /// The pulses that have ended: how long the line was high. Pulses with a lost edge are left out, here and below.
  public var widths = Spans()
  /// From one rise to the next.
  public var cycles = Spans()
  /// How long the line was high within those, in nanoseconds.
  public var highTime: Int64 = 0
  /// Of an encoder: quarters of a period, forwards.
  public var position: Int64 = 0
  /// Of an encoder: edges that were not seen.
  public var missed: UInt64 = 0
  /// The level after the last edge, or the one at the request.
  public var isHigh = false
  /// When that level began; nil: unknown.
  public var since: BootClock.Instant?

  public init(pulses: UInt64 = 0, last: BootClock.Instant? = nil, first: BootClock.Instant? = nil) {
    self.pulses = pulses
    self.last = last
    self.first = first
  }

  /// This count, added to that of an earlier request.
  package func following(_ earlier: PulseCount) -> PulseCount {
    var count = self
    count.pulses &+= earlier.pulses
    count.last = last ?? earlier.last
    count.widths = widths + earlier.widths
    count.cycles = cycles + earlier.cycles
    count.highTime &+= earlier.highTime
    count.position &+= earlier.position
    count.missed &+= earlier.missed
    return count
  }
}
