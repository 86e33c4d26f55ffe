/// The position of an encoder, from the edges of its two lines: 00, 10, 11, 01 and 00 again is one period forwards, the other
/// way round backwards. Bounces of a line go forwards and back, so they cancel out.
///
/// It does no I/O.
struct QuadratureTrack: Equatable {
  /// Quarters of a period.
  private(set) var position: Int64 = 0
  /// Missed edges: how far the position is off is unknown.
  private(set) var missed: UInt64 = 0
  /// nil: unknown, since edges were lost.
  private var first: Bool?
  private var second: Bool?

  init(first: Bool, second: Bool) {
    self.first = first
    self.second = second
  }

  /// - Parameter isSecond: the edge is one of the second line.
  mutating func take(isRising: Bool, isSecond: Bool) {
    guard let first, let second else {
      // As soon as both levels are known, it goes on from there.
      if isSecond { self.second = isRising } else { self.first = isRising }
      return
    }
    if (isSecond ? second : first) == isRising {
      // The one between two of one direction was too quick for the kernel's interrupt.
      missed += 1
      return
    }
    // The first line goes before the second: forwards the second becomes what the first is, and the first what the second is
    // not.
    let isForwards = isSecond ? isRising == first : isRising != second
    position += isForwards ? 1 : -1
    if isSecond { self.second = isRising } else { self.first = isRising }
  }

  /// Edges were dropped.
  mutating func lose(_ lost: UInt64) {
    missed += lost
    (first, second) = (nil, nil)
  }
}
