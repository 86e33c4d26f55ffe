/// Debounces a line that the kernel does not: a level is settled once no edge came for a period.
///
/// `settled` –an edge→ `moving` (the level after the last edge, and when that was) –a period without an edge→ `settled`.
/// Time is the kernel's time of the edges, so a thread that is late judges no differently. Only the level that lasts
/// counts: a burst that ends where it began gives nothing, however long it was, and one that ends elsewhere gives that
/// level with the time of its last edge.
struct Debouncer {
  struct Change: Equatable {
    var level: Bool
    /// Of the last edge, CLOCK_MONOTONIC, in nanoseconds.
    var time: Int64
  }

  private let period: Int64
  /// nil: none yet.
  private var settled: Bool?
  private var moving: Change?

  /// - Parameters:
  ///   - period: nanoseconds, more than zero.
  ///   - level: the one that there is now.
  ///   - start: since when it is known to be there, if it has yet to settle; nil: it is settled.
  init(period: Int64, level: Bool, since start: Int64? = nil) {
    self.period = period
    settled = start == nil ? level : nil
    moving = start.map { Change(level: level, time: $0) }
  }

  /// When the last edge's level is settled, if no other comes.
  var deadline: Int64? { moving.map { $0.time + period } }

  /// An edge, in the order of time. Returns the level that had settled before it.
  mutating func take(level: Bool, at time: Int64) -> Change? {
    let change = elapsed(at: time)
    moving = Change(level: level, time: time)
    return change
  }

  /// `time` has come and every edge before it was taken.
  mutating func elapsed(at time: Int64) -> Change? {
    guard let last = moving, time - last.time >= period else { return nil }
    moving = nil
    guard last.level != settled else { return nil }
    settled = last.level
    return last
  }
}
