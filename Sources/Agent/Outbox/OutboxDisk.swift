import DequeModule
import MQTT
import Storage
import Time

/// What an outbox has on the disk, and what is on its way there and back: one write and one read at a time.
struct OutboxDisk {
  typealias Instant = BootClock.Instant
  typealias Token = Session.Token

  struct Write {
    let batch: OutboxBatch
    /// Streams that have readings in it.
    let streams: Set<Int>
    /// Those of its rows that came back.
    var restored: [Token: StoredReading] = [:]
  }

  /// There is a store.
  var isOpen = false
  var index = OutboxIndex()
  private var numbers: [Int] = []
  private var streams: [Int: Int] = [:]
  var codec = ReadingCodec(boot: 0, booted: .now, boots: [:])

  // Writing
  /// Readings that are in memory only, and since when there are some, at the latest.
  var unwritten = 0
  var unwrittenSince: Instant?
  /// Rows of readings that came back from the session, which may have taken them over: to be written again at once.
  var restored: [Token: StoredReading] = [:]
  /// Rows to delete.
  var finished: [Token] = []
  var dropped: [ClosedRange<Token>] = []
  var finishedSince: Instant?
  var write: Write?
  var isFailing = false
  var retryAt: Instant?
  private var retryDelay = shortestRetry

  // Reading
  var wanted: Deque<Int> = []
  var isReading = false
  var readAgainAt: Instant?
  /// Rows up to here that were there once are not any more.
  private(set) var droppedThrough: Token = 0

  // Time
  /// There are rows of this boot without a time of their own.
  var hasUntimed = false
  /// When this boot began, to be written.
  var bootStart: Int64?
  private var isBootStartKnown = false

  private static let shortestRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)

  func stream(_ number: Int) -> Int? { streams[number] }
  func number(of stream: Int) -> Int { stream < numbers.count ? numbers[stream] : 0 }

  /// - Parameter names: of the streams, by their index.
  mutating func open(_ stored: StoredOutbox, names: [String], booted: Instant) {
    let byName = Dictionary(stored.streams.map { ($1, $0) }) { first, _ in first }
    numbers = names.map { byName[$0] ?? 0 }
    streams = Dictionary(numbers.enumerated().map { ($1, $0) }) { first, _ in first }
    index = OutboxIndex(stored.sections)
    codec = ReadingCodec(boot: stored.boot, booted: booted, boots: stored.boots)
    isBootStartKnown = stored.boots[stored.boot] != nil
    hasUntimed = !isBootStartKnown && !stored.sections.isEmpty
    isOpen = true
    (isFailing, retryAt, retryDelay) = (false, nil, Self.shortestRetry)
    (isReading, readAgainAt, write) = (false, nil, nil)
    (finished, dropped, finishedSince, droppedThrough) = ([], [], nil, 0)
    restored = [:]
    wanted.removeAll()
  }

  /// One more stream.
  mutating func adopt(_ stream: Int, number: Int) {
    while numbers.count <= stream { numbers.append(0) }
    numbers[stream] = number
    streams[number] = stream
  }

  mutating func finish(_ token: Token, _ row: Outbox.Row, at now: Instant) {
    index.remove(token, stream: number(of: row.stream), bytes: row.bytes)
    restored[token] = nil
    finished.append(token)
    finishedSince = finishedSince ?? now
  }

  /// The oldest rows, to be given up; none of what is being written.
  mutating func takeOldestSection(at now: Instant) -> OutboxSection? {
    guard let section = index.first, section.last < write?.batch.readings.first?.token ?? .max else { return nil }
    index.removeFirst()
    dropped.append(section.first...section.last)
    droppedThrough = section.last
    restored = restored.filter { $0.key > section.last }
    finishedSince = finishedSince ?? now
    return section
  }

  mutating func wrote() {
    if write?.batch.bootStart != nil { (isBootStartKnown, bootStart) = (true, nil) }
    (isFailing, retryAt, retryDelay) = (false, nil, Self.shortestRetry)
    write = nil
  }

  mutating func writingFailed(at now: Instant) {
    guard let batch = write?.batch else { return }
    restored.merge(write?.restored ?? [:]) { newer, _ in newer }
    write = nil
    finished = batch.finished + finished
    dropped = batch.dropped + dropped
    if !finished.isEmpty || !dropped.isEmpty || bootStart != nil { finishedSince = finishedSince ?? now }
    isFailing = true
    retryAt = now + retryDelay
    retryDelay = min(retryDelay * 2, Self.longestRetry)
  }

  /// The clock tells when this boot began, which rows without a time are in need of.
  mutating func notice(_ clock: WallClock, at now: Instant) {
    guard hasUntimed, !isBootStartKnown, bootStart == nil, isOpen, clock.isSynchronized else { return }
    bootStart = clock.time(of: codec.booted).microseconds
    finishedSince = finishedSince ?? now
  }
}
