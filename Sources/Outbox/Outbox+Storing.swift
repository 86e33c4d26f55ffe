import LimpetInstants
import Readings
import Records

/// What an outbox writes and reads, and when.
extension Outbox {
  /// A page of a stream that is to be read.
  package struct Read: Sendable {
    package let stream: StreamID
    /// The stream's number in the store.
    package let number: Int
    package let ranges: [ClosedRange<Token>]
    package let limit: Int

    package init(stream: StreamID, number: Int, ranges: [ClosedRange<Token>], limit: Int) {
      self.stream = stream
      self.number = number
      self.ranges = ranges
      self.limit = limit
    }
  }

  /// Rows to delete that do not wait for others.
  private static let finishedLimit = 1000
  private static let finishedDelay = Duration.seconds(1)
  /// An outage after which fewer, larger batches are written.
  package static let longOutage = Duration.seconds(60)

  /// Takes over the readings of the store.
  package mutating func open(
    _ stored: StoredOutbox, names: [String], booted: BootClock.Instant, at now: Instant
  ) {
    disk.open(stored, names: names, booted: booted)
    loseUnknown(stored.unreadable)
    // By the number that the store has for a stream.
    var rows: [Int: Int] = [:]
    for section in stored.sections {
      bytes += section.bytes
      for (number, count) in section.streams { rows[number, default: 0] += count }
    }
    // In an order that depends on the rows alone, unlike that of a dictionary.
    for (number, found) in rows.sorted(by: { $0.key < $1.key }) {
      guard let stream = disk.stream(number) else { continue }
      count += found
      queues[stream].found(found)
      wantRead(stream)
      list(stream)
    }
    boundAll(at: now)
    if outageSince == nil { reconnect(at: now) }
  }

  /// Readings of an earlier process are a backlog, though there was no outage.
  private mutating func reconnect(at now: Instant) {
    disconnected(at: now)
    connected(at: now)
  }

  /// When something has to be written, numbered or read, while no request to the store is under way.
  package func storeDeadline(at now: Instant) -> Instant? {
    // Asked at the end of each turn: an array of them would be allocated in each.
    var deadline = writeDeadline(at: now)
    func add(_ instant: Instant?) { if let instant { deadline = min(deadline ?? instant, instant) } }
    add(namingDeadline(at: now))
    if disk.isOpen, !disk.isReading, !disk.wanted.isEmpty { add(disk.readAgainAt) }
    return deadline
  }

  /// Of the newest row.
  package var lastToken: Token? { disk.index.last }

  /// Readings that wait are bounded by the memory, not by `limit`.
  package var isMemoryBound: Bool { (rules.memoryLimit ?? .max) < rules.limit && (!disk.isOpen || disk.isFailing) }

  // MARK: Writing

  /// When `takeBatch` has something, unless no change is left by then.
  package func writeDeadline(at now: Instant) -> Instant? {
    guard disk.isOpen, disk.write == nil, disk.unnamed.isEmpty else { return nil }
    var deadline = disk.finishedSince.map {
      disk.finished.count >= Self.finishedLimit ? now : $0 + Self.finishedDelay
    }
    if disk.unwritten > 0, let since = disk.unwrittenSince, let delay = delay(at: now) {
      deadline = min(deadline ?? since + delay, since + delay)
    }
    if hasRestored || !disk.unstoredNumbers.isEmpty { deadline = now }
    return deadline.map { max($0, disk.retryAt ?? $0) }
  }

  private var hasRestored: Bool { disk.restored.keys.contains { underWay[$0] == nil } }

  /// How long a reading may be in memory only; nil: for ever.
  private func delay(at now: Instant) -> Duration? {
    switch rules.writing {
    case .never: return nil
    case .always: return .zero
    case .after(let usual, let outage):
      let isLong = outageSince.map { $0.duration(to: now) >= Self.longOutage } ?? false
      return isLong ? max(usual, outage) : usual
    }
  }

  /// What to write now; `wrote` or `writingFailed` follows. nil: nothing is due.
  ///
  /// - Parameters:
  ///   - all: due or not.
  ///   - names: of the streams.
  package mutating func takeBatch(
    all: Bool = false, _ names: (StreamID) -> String, _ clock: WallClock, at now: Instant
  ) -> OutboxBatch? {
    disk.notice(clock, at: now)
    guard disk.isOpen, disk.write == nil, disk.unnamed.isEmpty,
      all || writeDeadline(at: now).map({ $0 <= now }) ?? false
    else { return nil }
    var batch = OutboxBatch()
    var streams: Set<StreamID> = []
    // The session stores those that it has again.
    let restored = disk.restored.filter { underWay[$0.key] == nil }
    batch.readings = restored.values.sorted { $0.token < $1.token }
    disk.restored = disk.restored.filter { underWay[$0.key] != nil }
    let numbers = disk.unstoredNumbers
    for (stream, number) in numbers { batch.numbers[names(stream)] = number }
    disk.unstoredNumbers = [:]
    if disk.unwritten > 0, let delay = delay(at: now) {
      // The readings for which it was set may have gone meanwhile.
      disk.unwrittenSince = queues.lazy.compactMap { $0.firstUnwritten?.arrived }.min()
      if all || (disk.unwrittenSince.map { $0 + delay <= now } ?? false) {
        collect(into: &batch, &streams, names, clock)
        disk.unwrittenSince = disk.unwritten > 0 ? now - delay : nil
      }
    }
    batch.finished = disk.finished
    batch.dropped = disk.dropped
    batch.endedMessages = disk.endedMessages
    // Giving up a section spares readings that the session has, and those that came back from it since.
    batch.spared = (Array(underWay.keys) + restored.keys).filter { token in
      disk.dropped.contains { $0.contains(token) }
    }.sorted()
    batch.bootStart = disk.bootStart
    (disk.finished, disk.dropped, disk.endedMessages, disk.finishedSince) = ([], [], [], nil)
    guard !batch.isEmpty else { return nil }
    disk.write = OutboxDisk.Write(batch: batch, streams: streams, restored: restored, numbers: numbers)
    return batch
  }

  /// In the order of arrival, as many as one batch takes.
  private mutating func collect(
    into batch: inout OutboxBatch, _ streams: inout Set<StreamID>, _ names: (StreamID) -> String, _ clock: WallClock
  ) {
    var firsts = queues.streamIDs.compactMap { stream in
      queues[stream].firstUnwritten.map { (stream: stream, entry: $0) }
    }
    while batch.readings.count < rules.batchLimit,
      let place = firsts.indices.min(by: { firsts[$0].entry.token < firsts[$1].entry.token })
    {
      let (stream, entry) = firsts[place]
      let number = disk.number(of: stream)
      let data = disk.codec.encode(entry.reading, clock)
      let size = StoredReading.size(ofData: data.count)
      batch.readings.append(StoredReading(token: entry.token, stream: number, data: data))
      disk.index.append(entry.token, stream: number, bytes: size)
      disk.hasUntimed = disk.hasUntimed || entry.reading.label == nil
      bytes += size - entry.bytes
      disk.unwritten -= 1
      disk.unwrittenBytes -= entry.bytes
      queues[stream].beginWriting(bytes: size)
      streams.insert(stream)
      if rules.writing == .always { batch.numbers[names(stream)] = entry.reading.sequence + 1 }
      if let next = queues[stream].firstUnwritten { firsts[place].entry = next } else { firsts.remove(at: place) }
    }
  }

  /// The batch is on the disk.
  package mutating func wrote() {
    guard let write = disk.write else { return }
    for stream in write.streams {
      queues[stream].wrote()
      wantRead(stream)
    }
    disk.wrote()
  }

  /// The write failed: all of it is to be written again, after a while.
  package mutating func writingFailed(at now: Instant) {
    guard let write = disk.write else { return }
    for stream in write.streams { takeBack(queues[stream].writingFailed(), of: stream, at: now) }
    disk.writingFailed(at: now)
    bound(at: now)
  }

  private mutating func takeBack(_ entries: [OutboxQueue.Entry], of stream: StreamID, at now: Instant) {
    for entry in entries {
      disk.index.remove(entry.token, stream: disk.number(of: stream), bytes: entry.bytes)
      bytes += entry.reading.cost - entry.bytes
    }
    disk.unwritten += entries.count
    disk.unwrittenBytes += entries.reduce(0) { $0 + $1.reading.cost }
    if !entries.isEmpty { disk.unwrittenSince = min(disk.unwrittenSince ?? now, entries[0].arrived) }
  }

  /// The file was damaged, and a new one begins: rows that are not in memory are lost, the others are written again.
  package mutating func lostDisk(at now: Instant) {
    disk.isOpen = false
    disk.isNaming = false
    for stream in queues.streamIDs {
      let (back, lost) = queues[stream].lostDisk()
      takeBack(back, of: stream, at: now)
      lose(lost, of: stream)
    }
    // Those under way are no longer part of the sum.
    for (token, row) in underWay { disk.leaveIndex(token, row) }
    underWay.removeAll()
    disk.restored = [:]
    bytes -= disk.index.bytes
    disk.index = OutboxIndex()
    disk.write = nil
    bound(at: now)
  }

  package mutating func finish(_ token: Token, _ row: Row, at now: Instant) { disk.finish(token, row, at: now) }

  // MARK: Reading

  /// A stream whose head becomes short gets more, before it is empty.
  mutating func wantRead(_ stream: StreamID) {
    guard queues[stream].isLow else { return }
    queues[stream].isReading = true
    disk.wanted.append(stream)
  }

  /// What to read now; `loaded` or `loadingFailed` follows.
  package mutating func nextRead(at now: Instant) -> Read? {
    guard disk.isOpen, !disk.isReading, disk.readAgainAt.map({ $0 <= now }) ?? true else { return nil }
    while let stream = disk.wanted.popFirst() {
      let number = disk.number(of: stream)
      let ranges = disk.index.ranges(of: number, after: queues[stream].cursor)
      guard !ranges.isEmpty else {
        lose(queues[stream].loseUnread(), of: stream)
        continue
      }
      disk.isReading = true
      return Read(stream: stream, number: number, ranges: ranges, limit: window)
    }
    return nil
  }

  package mutating func loaded(_ rows: [StoredReading], _ read: Read, _ clock: WallClock, at now: Instant) {
    guard disk.isReading else { return }
    disk.isReading = false
    disk.readAgainAt = nil
    // Rows that were given up meanwhile have been counted, and those of the tail are in memory.
    let tail = queues[read.stream].tailToken ?? .max
    let known = max(disk.droppedThrough, queues[read.stream].cursor)
    let valid = rows.filter { $0.token > known && $0.token < tail && !queues[read.stream].isHeld($0.token) }
    var entries: [OutboxQueue.Entry] = []
    for row in valid {
      if let reading = disk.codec.decode(row.data, stream: read.stream, clock, at: now) {
        entries.append(OutboxQueue.Entry(row: row, reading: reading, at: now))
      } else {
        let size = StoredReading.size(ofData: row.data.count)
        bytes -= size
        lose(1, of: read.stream)
        finish(row.token, Row(stream: read.stream, bytes: size), at: now)
      }
    }
    let end = rows.count < read.limit ? read.ranges.last?.upperBound : rows.last?.token
    queues[read.stream].loaded(entries, outOf: valid.count, through: min(end ?? 0, tail - 1))
    if rules.keepsLatest[read.stream] { supersede(read.stream, downTo: 1, at: now) }
    list(read.stream)
    wantRead(read.stream)
  }

  package mutating func loadingFailed(_ read: Read, at now: Instant) {
    guard disk.isReading else { return }
    disk.isReading = false
    disk.wanted.append(read.stream)
    disk.readAgainAt = now + .seconds(10)
  }
}
