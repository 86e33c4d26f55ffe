/// A reading that waits, as the store keeps it; only its writer understands `data`.
public struct StoredReading: Sendable, Equatable {
  /// Rises from reading to reading, over restarts too; readings and the session's messages share one sequence.
  public var token: UInt64
  /// A number of `StoredOutbox.streams`.
  public var stream: Int
  public var data: [UInt8]

  public init(token: UInt64, stream: Int, data: [UInt8]) {
    self.token = token
    self.stream = stream
    self.data = data
  }

  /// Bytes on the disk beside `data`: SQLite's own for a row.
  public static let overhead = 16

  /// Bytes that a row of so much data takes.
  public static func size(ofData count: Int) -> Int { count + overhead }
}

/// A section of rows on the disk: how many it has of which stream. With these few numbers the rows of one stream are
/// found among a million others without an index, which each batch would have to update in many places.
public struct OutboxSection: Sendable, Equatable {
  /// Rows of a section at the most.
  public static let limit = 256

  public private(set) var first: UInt64
  public private(set) var last: UInt64
  public private(set) var count = 0
  /// Bytes of the rows.
  public private(set) var bytes = 0
  /// By the stream's number.
  private var counts: [UInt16] = []

  /// A section that begins with a row of this token.
  public init(first token: UInt64) {
    first = token
    last = token
  }

  public var isFull: Bool { count >= Self.limit }

  /// Rows of a stream.
  public func count(of stream: Int) -> Int { stream < counts.count ? Int(counts[stream]) : 0 }

  /// The streams that have rows, with their number.
  public var streams: [(stream: Int, count: Int)] {
    counts.enumerated().filter { $0.element > 0 }.map { ($0.offset, Int($0.element)) }
  }

  /// A row behind all others, or one that has come back to its place.
  public mutating func append(_ token: UInt64, stream: Int, bytes: Int) {
    first = min(first, token)
    last = max(last, token)
    count += 1
    self.bytes += bytes
    if stream >= counts.count { counts.append(contentsOf: repeatElement(0, count: stream + 1 - counts.count)) }
    counts[stream] += 1
  }

  /// A row is gone.
  public mutating func remove(stream: Int, bytes: Int) {
    guard count(of: stream) > 0 else { return }
    counts[stream] -= 1
    count -= 1
    self.bytes -= bytes
  }
}

/// What an outbox has on the disk when it is opened.
public struct StoredOutbox: Sendable, Equatable {
  /// Names by their numbers: those that were asked for, and all others that have rows.
  public var streams: [Int: String] = [:]
  /// When the boots of the rows began, in microseconds since 1970, by their number; missing: unknown.
  public var boots: [Int: Int64] = [:]
  /// The number of this boot.
  public var boot = 0
  /// In order.
  public var sections: [OutboxSection] = []
  /// Readings of another device that were set aside by this opening.
  public var setAside = 0
  /// Topics whose retained reading the broker is to forget.
  public var clearings: [String] = []
  /// Unreadable readings that this opening removed.
  public var unreadable = 0

  public init() {}

  /// Other names that have rows.
  public func formerNames(beside names: [String]) -> [String] {
    var numbers: Set<Int> = []
    for section in sections { for (number, _) in section.streams { numbers.insert(number) } }
    return Set(numbers.compactMap { streams[$0] }).subtracting(names).sorted()
  }
}

/// The changes of an outbox, written as one transaction.
public struct OutboxBatch: Sendable, Equatable {
  /// In the order of their tokens.
  public var readings: [StoredReading] = []
  /// Rows to delete, by their tokens.
  public var finished: [UInt64] = []
  /// Whole ranges to delete, since their readings are given up.
  public var dropped: [ClosedRange<UInt64>] = []
  /// Rows of those ranges that stay: they are under way.
  public var spared: [UInt64] = []
  /// Messages of an earlier process's session that are over, by their tokens.
  public var endedMessages: [UInt64] = []
  /// The number that each name goes on with, exactly.
  public var numbers: [String: UInt64] = [:]
  /// When this boot began, in microseconds since 1970, now that it is known.
  public var bootStart: Int64?

  public init() {}

  public var isEmpty: Bool { self == OutboxBatch() }
}
