import DequeModule
import LimpetInstants
import MQTTCore
import Readings
import Records

/// The readings of one stream that wait, oldest first: `head` in memory, then `unread` rows on the disk, then `tail` in
/// memory.
struct OutboxQueue {
  struct Entry {
    /// Where it is besides the memory.
    enum Place { case memory, writing, disk }

    let token: Session.Token
    var reading: Reading
    let arrived: BootClock.Instant
    var place = Place.memory
    /// Its bytes for the bound: those in memory, or those of a row.
    var bytes: Int

    init(token: Session.Token, reading: Reading, arrived: BootClock.Instant) {
      self.token = token
      self.reading = reading
      self.arrived = arrived
      bytes = reading.cost
    }

    /// One that was read from the disk.
    init(row: StoredReading, reading: Reading, at now: BootClock.Instant) {
      token = row.token
      self.reading = reading
      arrived = now
      place = .disk
      bytes = StoredReading.size(ofData: row.data.count)
    }
  }

  /// How many entries the head has at most; further ones stay on the disk.
  private let window: Int
  private var head: Deque<Entry> = []
  private var tail: Deque<Entry> = []
  /// Rows behind the head that are not in memory.
  private(set) var unread = 0
  /// No row up to here is unread.
  private(set) var cursor: Session.Token = 0
  var isReading = false
  /// It has waited for a connection: it goes out at the drain rate.
  var isBacklog = false
  /// In one of the outbox's lists.
  var isListed = false
  /// Given up, for whatever reason.
  var dropped: UInt64 = 0
  /// The reading that had the mark for skipped numbers was given up: the next one behind it gets the mark.
  private var restartedBehind: Session.Token?
  /// An unread row that has the mark.
  private var restartedRow: Session.Token?

  init(window: Int) { self.window = window }

  var isEmpty: Bool { head.isEmpty && unread == 0 && tail.isEmpty }
  var count: Int { head.count + unread + tail.count }
  /// In memory.
  var held: Int { head.count + tail.count }
  var entries: [Entry] { Array(head) + Array(tail) }
  var first: Entry? { head.first }
  var oldest: Entry? { head.first ?? tail.first }
  /// Where the tail begins.
  var tailToken: Session.Token? { tail.first?.token }
  /// More of the head is soon needed.
  var isLow: Bool { unread > 0 && !isReading && head.count <= window / 2 }

  mutating func append(_ entry: Entry) {
    if unread == 0, tail.isEmpty, head.count < window {
      head.append(entry)
      cursor = entry.token
    } else {
      tail.append(entry)
    }
    payRestarted()
  }

  mutating func prepend(_ entry: Entry) { head.prepend(entry) }

  /// One that was taken out comes back to its place.
  mutating func putBack(_ entry: Entry) {
    head.insert(entry, at: head.firstIndex { $0.token > entry.token } ?? head.endIndex)
  }

  mutating func removeFirst() {
    head.removeFirst()
    refill()
  }

  /// A reading that had the mark for skipped numbers is given up.
  mutating func oweRestarted(behind token: Session.Token) {
    restartedBehind = token
    payRestarted()
  }

  private mutating func payRestarted() {
    guard let token = restartedBehind else { return }
    if let index = head.firstIndex(where: { $0.token > token }) {
      head[index].reading.restarted = true
    } else if unread == 0 || token > cursor, let index = tail.firstIndex(where: { $0.token > token }) {
      tail[index].reading.restarted = true
    } else {
      return
    }
    restartedBehind = nil
  }

  mutating func leaveList() {
    isListed = false
    isBacklog = false
  }

  /// Moves the tail up where nothing is between.
  private mutating func refill() {
    while unread == 0, head.count < window, let entry = tail.popFirst() {
      head.append(entry)
      cursor = entry.token
    }
  }

  /// Rows that go: those in the head, then those behind it.
  mutating func drop(_ count: Int, through token: Session.Token) {
    var left = count
    while left > 0, let entry = head.first, entry.place == .disk, entry.token <= token {
      head.removeFirst()
      left -= 1
      if entry.reading.restarted { restartedBehind = entry.token }
    }
    unread = max(0, unread - left)
    if let row = restartedRow, row <= token { (restartedBehind, restartedRow) = (row, nil) }
    cursor = max(cursor, token)
    refill()
    payRestarted()
  }

  // MARK: Writing

  /// The oldest that is in memory only; those behind it are too.
  var firstUnwritten: Entry? {
    Self.unwritten(head).map { head[$0] } ?? Self.unwritten(tail).map { tail[$0] }
  }

  /// Gives up the oldest that is in memory only, wherever it is.
  mutating func removeFirstUnwritten() -> Entry? {
    defer { refill() }
    if let index = Self.unwritten(head) { return head.remove(at: index) }
    return Self.unwritten(tail).map { tail.remove(at: $0) }
  }

  private static func unwritten(_ entries: Deque<Entry>) -> Int? {
    guard let last = entries.last, last.place == .memory else { return nil }
    var (low, high) = (0, entries.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].place == .memory { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The oldest that is in memory only is being written, as a row of so many bytes.
  mutating func beginWriting(bytes: Int) {
    if let index = Self.unwritten(head) {
      head[index].place = .writing
      head[index].bytes = bytes
    } else if let index = Self.unwritten(tail) {
      tail[index].place = .writing
      tail[index].bytes = bytes
    }
  }

  /// Those that were being written are on the disk; the tail's need not be in memory as well.
  mutating func wrote() {
    for index in head.indices where head[index].place == .writing { head[index].place = .disk }
    while let entry = tail.first, entry.place == .writing {
      tail.removeFirst()
      unread += 1
      if entry.reading.restarted { restartedRow = entry.token }
    }
    refill()
  }

  /// Those that were being written are not on the disk: as they were.
  mutating func writingFailed() -> [Entry] {
    Self.takeBack(&head) { $0 == .writing } + Self.takeBack(&tail) { $0 == .writing }
  }

  private static func takeBack(_ entries: inout Deque<Entry>, where condition: (Entry.Place) -> Bool) -> [Entry] {
    var changed: [Entry] = []
    for index in entries.indices where condition(entries[index].place) {
      changed.append(entries[index])
      entries[index].place = .memory
      entries[index].bytes = entries[index].reading.cost
    }
    return changed
  }

  // MARK: Reading

  /// What was there when the outbox was opened.
  mutating func found(_ rows: Int) {
    // What came since is newer.
    tail.prepend(contentsOf: head)
    head.removeAll()
    // None of it has been read, and what moves to the disk from the tail is to be read again, too.
    cursor = 0
    unread += rows
    isBacklog = true
  }

  /// Rows were read: `readings` of them are good, all up to `token` are known now.
  mutating func loaded(_ readings: [Entry], outOf rows: Int, through token: Session.Token) {
    isReading = false
    let isInOrder = readings.first.map { $0.token > head.last?.token ?? 0 } ?? true
    head.append(contentsOf: readings)
    // One that came back was put there before those in front of it were read.
    if !isInOrder { head = Deque(head.sorted { $0.token < $1.token }) }
    unread = max(0, unread - rows)
    cursor = max(cursor, token)
    if let row = restartedRow, row <= cursor { restartedRow = nil }
    refill()
    payRestarted()
  }

  /// In memory already, though it may be read: it was put back before what is in front of it was known.
  func isHeld(_ token: Session.Token) -> Bool { head.contains { $0.token == token } }

  /// What is unread is not there.
  mutating func loseUnread() -> Int {
    defer { unread = 0 }
    isReading = false
    defer { refill() }
    return unread
  }

  /// The rows are gone with their file: what memory has of them is to be written again.
  mutating func lostDisk() -> (back: [Entry], lost: Int) {
    let back = Self.takeBack(&head) { $0 != .memory } + Self.takeBack(&tail) { $0 != .memory }
    return (back, loseUnread())
  }

  /// Rows there are.
  var stored: Int { unread + head.count { $0.place == .disk } }
}
