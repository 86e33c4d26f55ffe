import LimpetInstants
import Records

/// Gives every reading of a name its number, without waiting for the disk: numbers are reserved in blocks, whose end is
/// stored before the first of them is used. So a gap is a loss and a repeat is a duplicate, across restarts.
///
/// After an unclean stop a name goes on at the end of its block, and that number is marked `restarted`: this gap is no
/// loss. A name that was never seen before starts at 1.
///
/// It does no I/O. The owner asks for `requests(at:)` after each number and at `retryDeadline`, stores them, and says
/// `reserved` or `reservationFailed`. One reservation is under way at a time, and one that failed is asked for again
/// after a second, then after twice as long each time, up to a minute: so a broken disk costs little.
public struct SequenceAllocator: Sendable {
  public typealias Instant = BootClock.Instant

  /// A reading's number.
  public struct Number: Equatable, Sendable {
    /// One more than the one before, except for a `restarted` one.
    public var sequence: UInt64
    /// Numbers before this one were skipped, or may be repeated, because the last run's count is not known exactly.
    public var restarted: Bool

    /// A number, and whether it is the first after an unclean stop.
    public init(sequence: UInt64, restarted: Bool) {
      self.sequence = sequence
      self.restarted = restarted
    }
  }

  private struct Line {
    /// The number to give next.
    var next: UInt64
    /// The first number that is not reserved.
    var end: UInt64
    /// The next number is the first after an unclean stop.
    var restarted: Bool
    /// In use by this run; stored numbers of other names stay as they are.
    var active = false
  }

  /// How many numbers are reserved at once.
  public static let usualBlock: UInt64 = 1000

  private let blockSize: UInt64
  private let historyIsLost: Bool
  private let reservesBlocks: Bool
  private var lines: [String: Line]
  /// A block may be half used: checking every name after each reading would be most of the work.
  private var mayBeShort = true
  private var isReserving = false
  private var retryDelay = shortestRetry

  private static let shortestRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)

  /// When `requests(at:)` repeats a reservation that failed; nil: none has failed, or one is under way.
  public private(set) var retryDeadline: Instant?

  /// Whether numbers are given without being reserved, because the storage is unavailable.
  public private(set) var runsInMemory = false

  /// `stored` is what the store knows of each name. `historyIsLost`: the store is a new one in place of a damaged one,
  /// or there is none; names start at 1, and their first number is marked `restarted`.
  /// `reservesBlocks`: false where each number is stored with its reading before that is seen by anybody.
  public init(
    stored: [String: StoredSequence], blockSize: UInt64 = usualBlock, reservesBlocks: Bool = true,
    historyIsLost: Bool = false
  ) {
    self.blockSize = max(blockSize, 2)
    self.reservesBlocks = reservesBlocks
    self.historyIsLost = historyIsLost
    lines = stored.mapValues { Line(next: $0.next, end: $0.next, restarted: !$0.exact) }
  }

  /// Names this run will use: their first blocks are in the next `requests()`.
  public mutating func register(_ names: some Sequence<String>) {
    for name in names { activate(name) }
  }

  /// The number of a new reading of `name`; nil while its block is not stored yet. The owner then keeps the reading
  /// until it is, or gives up on the storage.
  public mutating func next(_ name: String) -> Number? {
    let index = activate(name)
    guard runsInMemory || !reservesBlocks || lines.values[index].next < lines.values[index].end else { return nil }
    let number = Number(sequence: lines.values[index].next, restarted: lines.values[index].restarted)
    lines.values[index].next += 1
    lines.values[index].restarted = false
    mayBeShort = mayBeShort || isShort(lines.values[index])
    return number
  }

  /// The names that need a new block, with the end to store: those whose block is half used. `reserved` or
  /// `reservationFailed` follows; until then, and for a while after a failure, there is nothing to ask for.
  public mutating func requests(at now: Instant) -> [String: UInt64] {
    guard mayBeShort, reservesBlocks, !isReserving, retryDeadline.map({ $0 <= now }) ?? true else { return [:] }
    mayBeShort = false
    retryDeadline = nil
    var requests: [String: UInt64] = [:]
    for (name, line) in lines where isShort(line) {
      requests[name] = max(line.next, line.end) + blockSize
    }
    isReserving = !requests.isEmpty
    return requests
  }

  private func isShort(_ line: Line) -> Bool { line.active && line.end < line.next + blockSize / 2 + 1 }

  /// The store has these ends: their numbers may be used, and the storage is available.
  public mutating func reserved(_ ends: [String: UInt64]) {
    runsInMemory = false
    mayBeShort = true
    isReserving = false
    (retryDeadline, retryDelay) = (nil, Self.shortestRetry)
    for (name, end) in ends {
      guard var line = lines[name] else { continue }
      line.end = max(line.end, end)
      lines[name] = line
    }
  }

  /// The last reservation could not be stored: numbers go on in memory, and it is repeated at `retryDeadline`.
  /// After an unclean stop such numbers may be used a second time, the first of them marked `restarted`.
  public mutating func reservationFailed(at now: Instant) {
    storageIsUnavailable()
    retryDeadline = now + retryDelay
    retryDelay = min(retryDelay * 2, Self.longestRetry)
  }

  /// There is no store at the moment: numbers go on in memory, and the next one is asked for all that is missing.
  public mutating func storageIsUnavailable() {
    runsInMemory = true
    mayBeShort = true
    isReserving = false
    retryDeadline = nil
  }

  /// Another store was opened: no block is reserved there, and names go on behind what it knows.
  public mutating func adopt(_ stored: [String: StoredSequence]) {
    for name in lines.keys { lines[name]?.end = 0 }
    for (name, sequence) in stored where sequence.next > lines[name]?.next ?? 0 {
      lines[name] = Line(
        next: sequence.next, end: sequence.next, restarted: true, active: lines[name]?.active ?? false)
    }
  }

  /// The numbers to store at a clean stop. A name whose `restarted` number was not used is left out: it still needs its
  /// mark.
  public var exact: [String: UInt64] {
    lines.filter { $0.value.active && !$0.value.restarted }.mapValues(\.next)
  }

  /// - Returns: the place of the name's line, looked up only once.
  @discardableResult
  private mutating func activate(_ name: String) -> Dictionary<String, Line>.Index {
    if let index = lines.index(forKey: name), lines.values[index].active { return index }
    mayBeShort = true
    lines[name, default: Line(next: 1, end: 1, restarted: historyIsLost)].active = true
    guard let index = lines.index(forKey: name) else { preconditionFailure("it was put there above") }
    return index
  }
}
