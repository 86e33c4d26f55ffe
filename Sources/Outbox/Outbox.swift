import DequeModule
import LimpetInstants
import MQTTCore
import Readings
import Records

/// Readings that wait to be sent: in memory for as long as the broker takes them quickly, on the disk when it does not.
///
/// A pure state machine. It says what to send (`take`), what to write (`takeBatch`, then `wrote`) and what to read
/// (`nextRead`, then `loaded`), and its owner does it. Memory has a window of each stream: the head, which is sent
/// next, and the tail, which is not written yet. The readings between are on the disk only, and `OutboxIndex` knows
/// them.
///
/// A reading's token is the order of its arrival, and the session's name for it: a message that the session has stored
/// and a row of the same token are one thing, and the session's transaction that takes the message in deletes the row.
/// So a QoS 2 message, which must not be sent twice, is never in both. Rows of readings that were settled without that
/// are deleted with the next batch.
///
/// In a stream everything goes in order. Streams without a backlog come first, then the others in turn, as `DrainBudget`
/// allows. When the bound is reached the oldest rows go, a section at a time, then the oldest in memory.
package struct Outbox {
  package typealias Instant = BootClock.Instant
  package typealias Token = Session.Token

  /// A reading that is to be sent now.
  package struct Taken {
    package let token: Token
    package let reading: Reading
    /// None of its stream waits behind it.
    package let isNewest: Bool
    fileprivate let entry: OutboxQueue.Entry
  }

  /// How a stream is passed over, since the broker refuses its readings.
  enum Rest {
    case complete
    /// One reading may go, to find out.
    case onTrial
  }

  private(set) var rules: Rules
  /// Readings of one stream that are held in memory, beside those not written yet.
  package let window: Int
  var queues: [OutboxQueue]
  /// Streams that have something to send, each in one of the two, in turn.
  private var fresh: Deque<StreamID> = []
  private var backlog: Deque<StreamID> = []
  var budget: DrainBudget
  /// Since when there is no connection; nil: there is one.
  private(set) var outageSince: Instant?
  package var underWay: [Token: Row] = [:]
  /// Readings that were sent and are not settled: a refused one comes back.
  private(set) var taken: [Token: OutboxQueue.Entry] = [:]
  /// Streams that are passed over, with their readings that wait.
  var resting: [StreamID: Rest] = [:]

  /// Readings that wait, in memory and on the disk, and their bytes.
  package var count = 0
  package var bytes = 0
  /// Readings given up because there was no room, because a newer one replaced them, because they were too old.
  package private(set) var dropped: UInt64 = 0
  package private(set) var superseded: UInt64 = 0
  package private(set) var expired: UInt64 = 0

  /// What is on the disk, and on its way there: `Outbox+Storing`.
  package var disk = OutboxDisk()

  package init(_ rules: Rules, at now: Instant) {
    self.rules = rules
    // A few megabytes at the most, however many streams there are.
    let window = max(8, min(128, 16_384 / max(1, rules.keepsLatest.count)))
    self.window = window
    queues = rules.keepsLatest.map { _ in OutboxQueue(window: window) }
    budget = DrainBudget(rate: rules.drainRate, at: now)
    outageSince = now
  }

  package var isEmpty: Bool { count == 0 }
  /// Goes on with other rules, and with more streams behind those that there are; `nextNaming` asks for their numbers.
  package mutating func adopt(_ rules: Rules) {
    self.rules = rules
    for stream in queues.count..<max(queues.count, rules.keepsLatest.count) {
      queues.append(OutboxQueue(window: window))
      disk.adopt(StreamID(stream))
    }
  }

  package func hasWaiting(of stream: StreamID) -> Bool { !queues[stream].isEmpty }

  /// Readings of a stream that were given up for want of room.
  package func dropped(of stream: StreamID) -> UInt64 { queues[stream].dropped }

  // MARK: Readings come in

  package mutating func append(_ reading: Reading, token: Token, at now: Instant) {
    let stream = reading.stream
    if rules.keepsLatest[stream] { supersede(stream, downTo: 0, at: now) }
    let cost = reading.cost
    count += 1
    bytes += cost
    queues[stream].append(OutboxQueue.Entry(token: token, reading: reading, arrived: now))
    if disk.unwritten == 0 { disk.unwrittenSince = now }
    disk.unwritten += 1
    disk.unwrittenBytes += cost
    list(stream)
    if queues[stream].isBacklog && outageSince == nil { budget.owe() }
    bound(at: now)
  }

  /// Counts a reading that was given up before it came here.
  package mutating func refuse(_ stream: StreamID) {
    dropped += 1
    queues[stream].dropped += 1
  }

  /// Enters a stream that has something to send into its list.
  package mutating func list(_ stream: StreamID) {
    guard !queues[stream].isListed, !queues[stream].isEmpty, resting[stream] != .complete else { return }
    queues[stream].isListed = true
    if queues[stream].isBacklog { backlog.append(stream) } else { fresh.append(stream) }
  }

  // MARK: Readings go out

  /// There is a connection again: readings that wait are a backlog, and go out at the drain rate.
  package mutating func connected(at now: Instant) {
    guard outageSince.take() != nil else { return }
    budget.restart(at: now)
    fresh.removeAll(keepingCapacity: true)
    backlog.removeAll(keepingCapacity: true)
    for stream in queues.streamIDs {
      queues[stream].isListed = false
      queues[stream].isBacklog = !queues[stream].isEmpty
      list(stream)
    }
  }

  package mutating func disconnected(at now: Instant) { outageSince = outageSince ?? now }

  /// The next reading to send; nil: none, or none yet.
  package mutating func take(at now: Instant) -> Taken? {
    if let taken = takeFresh(at: now) { return taken }
    guard !backlog.isEmpty, budget.allows(at: now), let taken = takeBacklog(at: now) else { return nil }
    budget.spend()
    return taken
  }

  /// When `take` has more of a backlog, though nothing else happens; nil: no backlog waits for its rate.
  package mutating func drainDeadline(at now: Instant) -> Instant? {
    guard outageSince == nil, !backlog.isEmpty, !budget.allows(at: now) else { return nil }
    return budget.next(at: now)
  }

  private mutating func takeFresh(at now: Instant) -> Taken? {
    for _ in 0..<fresh.count {
      guard let stream = fresh.popFirst() else { break }
      if passOver(stream) { continue }
      let taken = take(from: stream, at: now)
      if queues[stream].isListed { fresh.append(stream) }
      if let taken { return taken }
    }
    return nil
  }

  private mutating func takeBacklog(at now: Instant) -> Taken? {
    for _ in 0..<backlog.count {
      guard let stream = backlog.popFirst() else { break }
      if passOver(stream) { continue }
      let taken = take(from: stream, at: now)
      if queues[stream].isListed { backlog.append(stream) }
      if let taken { return taken }
    }
    return nil
  }

  /// A stream that is empty leaves its list.
  private mutating func take(from stream: StreamID, at now: Instant) -> Taken? {
    defer {
      if queues[stream].isEmpty { queues[stream].leaveList() }
      wantRead(stream)
    }
    while let entry = queues[stream].first, isStored(entry, at: now) {
      queues[stream].removeFirst()
      remove(entry)
      if let expiry = rules.expiry, entry.reading.age(at: now) >= expiry {
        expired += 1
        queues[stream].dropped += 1
        giveUp(entry, at: now)
        continue
      }
      if entry.place != .memory {
        underWay[entry.token] = Row(stream: stream, bytes: entry.bytes)
      } else if rules.writing == .always {
        // Only this reading has its number.
        disk.unstoredNumbers[stream] = entry.reading.sequence + 1
      }
      taken[entry.token] = entry
      if resting[stream] != nil { rest(stream) }
      return Taken(
        token: entry.token, reading: entry.reading, isNewest: queues[stream].isEmpty, entry: entry)
    }
    return nil
  }

  /// Whether the reading is stored, as far as it must and can be: a reading that comes when the disk is tried again
  /// waits for that.
  private func isStored(_ entry: OutboxQueue.Entry, at now: Instant) -> Bool {
    rules.writing != .always || entry.place == .disk || disk.isResting(at: now) || !disk.isOpen
  }

  private mutating func remove(_ entry: OutboxQueue.Entry) {
    count -= 1
    bytes -= entry.bytes
    if entry.place == .memory {
      disk.unwritten -= 1
      disk.unwrittenBytes -= entry.bytes
    }
  }

  /// The session had no room for it after all.
  package mutating func giveBack(_ taken: Taken) {
    let entry = taken.entry
    self.taken[taken.token] = nil
    if resting[entry.reading.stream] != nil { resting[entry.reading.stream] = .onTrial }
    underWay[taken.token] = nil
    queues[entry.reading.stream].prepend(entry)
    count += 1
    bytes += entry.bytes
    if entry.place == .memory {
      disk.unwritten += 1
      disk.unwrittenBytes += entry.bytes
    }
    list(entry.reading.stream)
  }

  /// The session is done with it, one way or the other.
  package mutating func settled(_ token: Token, at now: @autoclosure () -> Instant) {
    taken[token] = nil
    guard let row = underWay.removeValue(forKey: token) else { return }
    finish(token, row, at: now())
  }

  // MARK: Back from the session

  /// The session is done with a reading that the broker refused: it waits again, in its place, as `keep` says. With a
  /// store it is written at once: the session may have taken its row over, and readings behind it may be on the disk.
  ///
  /// - Returns: false: there is no such reading; it belonged to the session of an earlier process.
  package mutating func putBack(_ token: Token, _ clock: WallClock, at now: Instant) -> Bool {
    guard var entry = taken.removeValue(forKey: token) else { return false }
    let stream = entry.reading.stream
    let row = underWay.removeValue(forKey: token)
    if rules.keepsLatest[stream], !queues[stream].isEmpty {
      if let row { finish(token, row, at: now) }
      if entry.reading.restarted { queues[stream].oweRestarted(behind: token) }
      superseded += 1
      queues[stream].dropped += 1
      return true
    }
    if let row { disk.leaveIndex(token, row) }
    if disk.isOpen {
      let data = disk.codec.encode(entry.reading, clock)
      let stored = StoredReading(token: token, stream: disk.number(of: stream), data: data)
      entry.place = .disk
      entry.bytes = StoredReading.size(ofData: data.count)
      disk.index.append(token, stream: stored.stream, bytes: entry.bytes)
      disk.hasUntimed = disk.hasUntimed || entry.reading.label == nil
      disk.restored[token] = stored
    } else {
      entry.place = .memory
      entry.bytes = entry.reading.cost
      if disk.unwritten == 0 { disk.unwrittenSince = now }
      disk.unwritten += 1
      disk.unwrittenBytes += entry.bytes
    }
    queues[stream].putBack(entry)
    count += 1
    bytes += entry.bytes
    list(stream)
    boundAll(at: now)
    return true
  }

  // MARK: Giving up

  /// Gives up all but the newest, of a stream with `keep: latest`.
  mutating func supersede(_ stream: StreamID, downTo limit: Int, at now: Instant) {
    while queues[stream].held > limit, let entry = queues[stream].first {
      queues[stream].removeFirst()
      remove(entry)
      giveUp(entry, at: now)
      superseded += 1
      queues[stream].dropped += 1
    }
  }

  /// The reading is given up; if it had the mark for skipped numbers, the next of its stream gets it.
  private mutating func giveUp(_ entry: OutboxQueue.Entry, at now: Instant) {
    if entry.reading.restarted { queues[entry.reading.stream].oweRestarted(behind: entry.token) }
    guard entry.place != .memory else { return }
    finish(entry.token, Row(stream: entry.reading.stream, bytes: entry.bytes), at: now)
  }

  /// New readings, or those read from the disk, may be more than there is room for: in memory a reading takes more than
  /// its row.
  mutating func bound(at now: Instant) {
    boundAll(at: now)
    boundMemory(at: now)
  }

  mutating func boundAll(at now: Instant) { while bytes > rules.limit, count > 1, dropOldest(at: now) {} }

  /// False: no reading may be given up.
  private mutating func dropOldest(at now: Instant) -> Bool {
    if let section = disk.takeOldestSection(at: now) {
      drop(section)
      return true
    }
    var oldest: (stream: StreamID, token: Token)?
    for stream in queues.streamIDs {
      guard let entry = queues[stream].first, entry.place == .memory, entry.token < oldest?.token ?? .max else {
        continue
      }
      oldest = (stream, entry.token)
    }
    guard let stream = oldest?.stream, let entry = queues[stream].first else {
      // A disk that hangs keeps the oldest in its write: those behind them are given up.
      return disk.unwritten > 1 && dropOldestUnwritten(at: now)
    }
    queues[stream].removeFirst()
    remove(entry)
    giveUp(entry, at: now)
    countDrops(1, of: stream)
    return true
  }

  /// Readings that cannot go to the disk must not fill the memory: the kernel would end the process, and all would be
  /// lost.
  private mutating func boundMemory(at now: Instant) {
    guard let limit = rules.memoryLimit, !disk.isOpen || disk.isFailing else { return }
    while disk.unwrittenBytes > limit, disk.unwritten > 1, dropOldestUnwritten(at: now) {}
  }

  private mutating func dropOldestUnwritten(at now: Instant) -> Bool {
    let oldest = queues.streamIDs.compactMap { stream in
      queues[stream].firstUnwritten.map { (stream: stream, token: $0.token) }
    }.min { $0.token < $1.token }
    guard let stream = oldest?.stream, let entry = queues[stream].removeFirstUnwritten() else { return false }
    remove(entry)
    giveUp(entry, at: now)
    countDrops(1, of: stream)
    return true
  }

  /// Gives up a whole section, except readings under way.
  private mutating func drop(_ section: OutboxSection) {
    let spared = underWay.filter { $1.isIndexed && section.first...section.last ~= $0 }
    // Only the session has them from now on.
    for token in spared.keys { underWay[token]?.isIndexed = false }
    bytes -= section.bytes - spared.values.reduce(0) { $0 + $1.bytes }
    for (number, rows) in section.streams {
      guard let stream = disk.stream(number) else { continue }
      let gone = max(0, rows - spared.values.count { $0.stream == stream })
      queues[stream].drop(gone, through: section.last)
      count -= gone
      countDrops(UInt64(gone), of: stream)
    }
  }

  private mutating func countDrops(_ number: UInt64, of stream: StreamID) {
    dropped += number
    queues[stream].dropped += number
  }

  /// Rows whose stream is unknown.
  mutating func loseUnknown(_ number: Int) { dropped += UInt64(max(0, number)) }

  /// Rows that should be there are missing or unreadable.
  package mutating func lose(_ number: Int, of stream: StreamID) {
    count -= number
    countDrops(UInt64(number), of: stream)
  }
}
