import DequeModule
import LimpetInstants
import MQTTCore
import Readings
import Records

/// The rows of an outbox on the disk, and those on their way there and back: one write and one read at a time.
package struct OutboxDisk {
  package typealias Instant = BootClock.Instant
  package typealias Token = Session.Token

  package struct Write {
    package let batch: OutboxBatch
    /// Streams that have readings in it.
    package let streams: Set<StreamID>
    /// Those of its rows that came back.
    package let restored: [Token: StoredReading]
    /// Numbers that are stored with it, without a reading.
    let numbers: [StreamID: UInt64]
  }

  /// There is a store.
  package var isOpen = false
  package var index = OutboxIndex()
  /// The store's, of each stream; 0: it has none yet.
  private var numbers: [Int] = []
  /// By those.
  private var streams: [Int: StreamID] = [:]
  package var codec = ReadingCodec(boot: 0, booted: Instant(nanoseconds: 0), boots: [:])

  /// Streams that have no number yet; that they get one is asked for, or is to be after this.
  package private(set) var unnamed: Set<StreamID> = []
  package var isNaming = false
  var nameAgainAt: Instant?

  // Writing
  /// Readings that are in memory only, and since when there are some, at the latest.
  package var unwritten = 0
  var unwrittenBytes = 0
  var unwrittenSince: Instant?
  /// Rows of readings that came back from the session, which may have taken the rows over: to be written again at once.
  package var restored: [Token: StoredReading] = [:]
  /// If each number is stored with its reading: the next numbers of streams that sent some without the disk.
  package var unstoredNumbers: [StreamID: UInt64] = [:]
  /// Rows to delete.
  package var finished: [Token] = []
  package var dropped: [ClosedRange<Token>] = []
  /// Messages of an earlier process, in the store's session, that are over.
  package var endedMessages: [Token] = []
  var finishedSince: Instant?
  package var write: Write?
  package var isFailing = false
  var retryAt: Instant?
  private var retryDelay = shortestRetry

  // Reading
  package var wanted: Deque<StreamID> = []
  package var isReading = false
  package var readAgainAt: Instant?
  /// Rows up to this one are gone.
  private(set) var droppedThrough: Token = 0

  // Time
  /// There are rows of this boot without a time of their own.
  var hasUntimed = false
  /// When this boot began, to be written.
  package var bootStart: Int64?
  private var isBootStartKnown = false

  private static let shortestRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)

  package func stream(_ number: Int) -> StreamID? { streams[number] }
  package func number(of stream: StreamID) -> Int { stream.index < numbers.count ? numbers[stream] : 0 }

  /// - Parameter names: of the streams, in the plan's order.
  package mutating func open(_ stored: StoredOutbox, names: [String], booted: Instant) {
    let byName = Dictionary(stored.streams.map { ($1, $0) }) { first, _ in first }
    numbers = names.map { byName[$0] ?? 0 }
    unnamed = Set(numbers.streamIDs.filter { numbers[$0] == 0 })
    streams = Dictionary(
      numbers.streamIDs.filter { numbers[$0] != 0 }.map { (numbers[$0], $0) }
    ) { first, _ in first }
    (isNaming, nameAgainAt) = (false, nil)
    index = OutboxIndex(stored.sections)
    codec = ReadingCodec(boot: stored.boot, booted: booted, boots: stored.boots)
    isBootStartKnown = stored.boots[stored.boot] != nil
    hasUntimed = !isBootStartKnown && !stored.sections.isEmpty
    isOpen = true
    (isFailing, retryAt, retryDelay) = (false, nil, Self.shortestRetry)
    (isReading, readAgainAt, write) = (false, nil, nil)
    (finished, dropped, endedMessages, finishedSince, droppedThrough) = ([], [], [], nil, 0)
    restored = [:]
    wanted.removeAll()
  }

  /// One more stream.
  package mutating func adopt(_ stream: StreamID) {
    while numbers.count <= stream.index {
      unnamed.insert(StreamID(numbers.count))
      numbers.append(0)
    }
  }

  /// The store has a number for it.
  package mutating func name(_ stream: StreamID, _ number: Int) {
    guard unnamed.remove(stream) != nil else { return }
    numbers[stream] = number
    streams[number] = stream
  }

  package mutating func finish(_ token: Token, _ row: Outbox.Row, at now: Instant) {
    leaveIndex(token, row)
    restored[token] = nil
    finished.append(token)
    finishedSince = finishedSince ?? now
  }

  mutating func leaveIndex(_ token: Token, _ row: Outbox.Row) {
    guard row.isIndexed else { return }
    index.remove(token, stream: number(of: row.stream), bytes: row.bytes)
  }

  package mutating func endMessage(_ token: Token, at now: Instant) {
    endedMessages.append(token)
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

  package mutating func wrote() {
    if write?.batch.bootStart != nil { (isBootStartKnown, bootStart) = (true, nil) }
    (isFailing, retryAt, retryDelay) = (false, nil, Self.shortestRetry)
    write = nil
  }

  package mutating func writingFailed(at now: Instant) {
    guard let batch = write?.batch else { return }
    restored.merge(write?.restored ?? [:]) { newer, _ in newer }
    finished = batch.finished + finished
    dropped = batch.dropped + dropped
    endedMessages = batch.endedMessages + endedMessages
    unstoredNumbers.merge(write?.numbers ?? [:]) { newer, _ in newer }
    write = nil
    if !finished.isEmpty || !dropped.isEmpty || !endedMessages.isEmpty || bootStart != nil {
      finishedSince = finishedSince ?? now
    }
    failed(at: now)
  }

  /// The store cannot be written: it is tried again after a time that doubles.
  package mutating func failed(at now: Instant) {
    isFailing = true
    retryAt = now + retryDelay
    retryDelay = min(retryDelay * 2, Self.longestRetry)
  }

  /// The store could not be written, and the next try is not due.
  package func isResting(at now: Instant) -> Bool { isFailing && retryAt.map { now < $0 } ?? true }

  /// The clock now knows when this boot began, which gives rows without a time theirs.
  package mutating func notice(_ clock: WallClock, at now: Instant) {
    guard hasUntimed, !isBootStartKnown, bootStart == nil, isOpen, clock.isSynchronized else { return }
    bootStart = clock.time(of: codec.booted).microseconds
    finishedSince = finishedSince ?? now
  }
}
