import DequeModule
import Instants
import MQTTCore
import Readings
import Records

/// What waits of one stream, oldest first: `head` in memory, then `unread` rows on the disk, then `tail` in memory.
struct OutboxQueue {
  struct Entry {
    /// Where it is beside here.
    enum Place { case memory, writing, disk }

    let token: Session.Token
    let reading: Reading
    let arrived: BootClock.Instant
    var place = Place.memory
    /// What it takes of the bound: in memory, or as a row.
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

  /// Entries of the head beyond which it is the disk's affair to hold them.
  private let window: Int
  private var head: Deque<Entry> = []
  private var tail: Deque<Entry> = []
  /// Rows behind the head that are not in memory.
  private(set) var unread = 0
  /// No row up to here is unread.
  private(set) var cursor: Session.Token = 0
  var isReading = false
  /// It has waited for a connection: it is drained, not sent as it comes.
  var isBacklog = false
  /// In one of the outbox's lists.
  var isListed = false
  /// Given up, for whatever reason.
  var dropped: UInt64 = 0

  init(window: Int) { self.window = window }

  var isEmpty: Bool { head.isEmpty && unread == 0 && tail.isEmpty }
  var count: Int { head.count + unread + tail.count }
  /// In memory.
  var held: Int { head.count + tail.count }
  var first: Entry? { head.first }
  var oldest: Entry? { head.first ?? tail.first }
  /// Where the tail begins.
  var tailToken: Session.Token? { tail.first?.token }
  /// More of the head is soon needed.
  var isLow: Bool { unread > 0 && !isReading && head.count <= window / 2 }

  mutating func append(_ entry: Entry) {
    guard unread == 0, tail.isEmpty, head.count < window else { return tail.append(entry) }
    head.append(entry)
    cursor = entry.token
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
    }
    unread = max(0, unread - left)
    cursor = max(cursor, token)
    refill()
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
    head.append(contentsOf: readings)
    unread = max(0, unread - rows)
    cursor = max(cursor, token)
    refill()
  }

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
