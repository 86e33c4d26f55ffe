/// The clock that measures: monotonic, suspend included (CLOCK_BOOTTIME of clock_gettime(2)).
///
/// Swift's `ContinuousClock` reads the same one, but keeps the layout of its moments to itself: whatever holds one is
/// copied, moved and looked into through the runtime, field by field. Sessions, readings and reports all hold some, and
/// that was most of the work on a message. A moment here is eight bytes, and everybody knows it.
public enum BootClock {
  /// A moment since the system was started, to the nanosecond.
  public struct Instant: Sendable, Hashable, Comparable {
    /// Since the system was started.
    public let nanoseconds: Int64

    /// Any number: the simulator's clocks begin where they like.
    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// A moment too far away is the last or the first one there is.
    @inlinable
    public static func + (instant: Instant, duration: Duration) -> Instant {
      let (sum, overflows) = instant.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
      return Instant(nanoseconds: overflows ? (duration < .zero ? .min : .max) : sum)
    }

    /// A moment too far away is the last or the first one there is.
    @inlinable
    public static func - (instant: Instant, duration: Duration) -> Instant { instant + (.zero - duration) }

    /// A moment too far away is the last or the first one there is.
    @inlinable
    public static func += (instant: inout Instant, duration: Duration) { instant = instant + duration }

    /// How much later the left one is: negative where it is the earlier one.
    @inlinable
    public static func - (left: Instant, right: Instant) -> Duration { right.duration(to: left) }

    /// How much later the other one is: negative where it is the earlier one; as far as 64 bits of nanoseconds reach.
    @inlinable
    public func duration(to other: Instant) -> Duration {
      let (difference, overflows) = other.nanoseconds.subtractingReportingOverflow(nanoseconds)
      return .nanoseconds(overflows ? (other < self ? .min : .max) : difference)
    }

    /// The left one is the earlier one.
    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
  }
}

extension Duration {
  /// Whole nanoseconds, as far as 64 bits reach.
  @inlinable
  public var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflows else { return seconds < 0 ? .min : .max }
    let (sum, exceeds) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return exceeds ? (seconds < 0 ? .min : .max) : sum
  }
}
