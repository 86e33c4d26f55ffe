import LimpetInstants
import Measuring

/// Adds up the edges of a line: how many pulses there were, how long they lasted, and how long their cycles were.
///
/// A cycle or pulse with a lost edge is not part of the sums: its length is unknown. It does no I/O; times are
/// CLOCK_MONOTONIC, in nanoseconds.
struct PulseSums: Equatable {
  /// Times that the line rose, those included that the kernel counted and dropped.
  private(set) var pulses: UInt64 = 0
  /// When it last rose.
  private(set) var last: Int64?
  /// When it first rose since `mark`.
  private(set) var first: Int64?
  private(set) var widths = PulseCount.Spans()
  private(set) var cycles = PulseCount.Spans()
  private(set) var highTime: Int64 = 0
  private(set) var isHigh: Bool
  private(set) var since: Int64
  /// The beginning of the current cycle, if known.
  private var rise: Int64?
  /// Where its pulse ended; nil: it goes on.
  private var fall: Int64?

  init(isHigh: Bool, at start: Int64) {
    self.isHigh = isHigh
    since = start
  }

  /// The sums were read: the next pulse is a new first one.
  mutating func mark() { first = nil }

  mutating func take(isRising: Bool, at time: Int64) {
    isHigh = isRising
    since = time
    if isRising {
      if let rise, let fall {
        cycles = cycles + PulseCount.Spans(count: 1, total: time - rise)
        highTime += fall - rise
      }
      count(1, at: time)
      (rise, fall) = (time, nil)
    } else if let rise, fall == nil {
      widths = widths + PulseCount.Spans(count: 1, total: time - rise)
      fall = time
    } else {
      // The rise between two falls was not seen.
      (rise, fall) = (nil, nil)
    }
  }

  /// Edges were dropped before `time`.
  ///
  /// - Parameter arePulses: each of them was a pulse: no others are asked for.
  mutating func lose(_ lost: UInt64, arePulses: Bool, before time: Int64) {
    (rise, fall) = (nil, nil)
    if arePulses { count(lost, at: time) }
  }

  private mutating func count(_ more: UInt64, at time: Int64) {
    pulses += more
    last = time
    if first == nil { first = time }
  }
}

extension PulseSums {
  func count(_ bootTime: BootTime) -> PulseCount {
    var count = PulseCount(pulses: pulses, last: last.map(bootTime.instant), first: first.map(bootTime.instant))
    (count.widths, count.cycles, count.highTime) = (widths, cycles, highTime)
    (count.isHigh, count.since) = (isHigh, bootTime.instant(of: since))
    return count
  }
}
