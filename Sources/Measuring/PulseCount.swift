import LimpetInstants

/// What a line has seen since it was requested, as sums: what happened between two looks is the difference of two of them.
public struct PulseCount: Sendable, Hashable {
  /// Stretches of time that have ended: so many, and how long they were together.
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
  /// Of the first pulse since somebody looked; an older one where that look came in between.
  public var first: BootClock.Instant?
  /// The pulses that have ended: how long the line was high. Without those of which an edge was lost, as in the others.
  public var widths = Spans()
  /// From one rise to the next.
  public var cycles = Spans()
  /// What the line was high for within those, in nanoseconds.
  public var highTime: Int64 = 0
  /// Of an encoder: quarters of a period, forwards.
  public var position: Int64 = 0
  /// Of an encoder: edges that were not seen.
  public var missed: UInt64 = 0
  /// After the last edge, or what it was when it was requested.
  public var isHigh = false
  /// When that began; nil: nobody knows.
  public var since: BootClock.Instant?

  public init(pulses: UInt64 = 0, last: BootClock.Instant? = nil, first: BootClock.Instant? = nil) {
    self.pulses = pulses
    self.last = last
    self.first = first
  }

  /// This, behind what was seen before by a request that is gone.
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
