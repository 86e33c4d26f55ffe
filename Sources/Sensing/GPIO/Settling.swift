/// When the level of a line may be believed whose pull has just been switched on: once it has been the same for a while. A
/// wire of some metres is charged in less than a millisecond.
struct Settling {
  /// In nanoseconds.
  static let quiet: Int64 = 1_000_000
  /// A line that moves all the time is taken as it is.
  static let limit: Int64 = 20_000_000

  private let start: Int64
  private var level: Bool?
  private var since: Int64

  init(at start: Int64) {
    self.start = start
    since = start
  }

  /// - Returns: whether it rests.
  mutating func take(level: Bool, at time: Int64) -> Bool {
    if level != self.level {
      self.level = level
      since = time
    }
    return time - since >= Self.quiet || time - start >= Self.limit
  }
}
