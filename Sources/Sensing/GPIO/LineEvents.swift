/// An event of the kernel, as it was read.
struct LineEvent: Equatable {
  /// CLOCK_MONOTONIC, in nanoseconds.
  var time: Int64
  /// Counts the line's events, also those that the kernel dropped; wraps around.
  var sequence: UInt32
  /// After `active_low`.
  var isRising: Bool
  /// Of the second line, where two are watched together; their sequence is one.
  var isSecond = false
}

/// Finds what is missing between the events of one line.
struct EventSequence {
  private var last: UInt32 = 0
  private var lastDirection: Bool?

  struct Finding: Equatable {
    /// Events that the kernel dropped before this one, since its buffer was full.
    var lost: UInt32
    /// The event before it was of the same direction, and none was dropped between them: the line was quicker than the
    /// kernel's interrupt, which made one event of several edges.
    var isSuspect: Bool
  }

  /// It counts for nothing.
  mutating func skip(_ event: LineEvent) { last = event.sequence }

  mutating func take(_ event: LineEvent) -> Finding {
    let lost = event.sequence &- last &- 1
    let isSuspect = lost == 0 && lastDirection == event.isRising
    last = event.sequence
    lastDirection = event.isRising
    return Finding(lost: lost, isSuspect: isSuspect)
  }
}
