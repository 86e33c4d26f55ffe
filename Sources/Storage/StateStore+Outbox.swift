import MQTTCore
import MQTTStore
import Records

/// Readings that wait to be sent.
extension StateStore {
  /// Opens the outbox of a device: readings of another one are set aside and not sent. Readings that the session has
  /// taken over are removed.
  ///
  /// - Parameters:
  ///   - boot: the kernel's name of this boot.
  ///   - names: the streams that get numbers, beside those that have them.
  public func openOutbox(device: String, boot: String, names: [String]) throws(StorageError) -> StoredOutbox {
    try write("open the outbox") { database throws(StorageError) in
      var outbox = StoredOutbox()
      let owner = try database.query("SELECT device FROM reading_owner") { $0.text(0) }.first
      if let owner, owner != device {
        outbox.setAside = try Self.setReadingsAside(database)
        // Retained readings of another device are not cleared.
        try database.run("DELETE FROM clearing")
      }
      outbox.clearings = try Self.readClearings(database)
      if owner != device {
        try database.run("INSERT OR REPLACE INTO reading_owner (one, device) VALUES (1, ?)", .text(device))
      }
      try Self.reconcile(database)
      outbox.unreadable = try Self.removeImpossible(database)
      try Self.number(names, boot: boot, in: database)
      for (number, name) in try database.query(
        "SELECT number, name FROM reading_stream", row: { (Int($0.integer(0)), $0.text(1)) })
      { outbox.streams[number] = name }
      for (number, start) in try database.query(
        "SELECT number, start FROM reading_boot WHERE start IS NOT NULL", row: { (Int($0.integer(0)), $0.integer(1)) })
      { outbox.boots[number] = start }
      outbox.boot =
        try database.query("SELECT number FROM reading_boot WHERE id = ?", .text(boot)) { Int($0.integer(0)) }.first
        ?? 0
      outbox.sections = try Self.sections(database)
      return outbox
    }
  }

  /// The numbers of streams; those that have none yet get one.
  func numberStreams(_ names: [String]) throws(StorageError) -> [String: Int] {
    try write("name the streams of the outbox") { database throws(StorageError) in
      try Self.number(names, in: database)
      let rows = try database.query("SELECT number, name FROM reading_stream") { ($0.text(1), Int($0.integer(0))) }
      return Dictionary(rows) { first, _ in first }
    }
  }

  static func apply(_ batch: OutboxBatch, to database: Database) throws(StorageError) {
    for reading in batch.readings {
      try database.run(
        "INSERT OR REPLACE INTO reading (token, stream, data) VALUES (?, ?, ?)",
        .integer(Int64(clamping: reading.token)),
        .integer(Int64(reading.stream)), .blob(reading.data))
    }
    for range in batch.dropped { try drop(range, batch.spared, database) }
    for token in batch.finished { try endReading(token, in: database) }
    try goOnExactly(at: batch.numbers, in: database)
    if let start = batch.bootStart {
      try database.run(
        "UPDATE reading_boot SET start = ? WHERE number = (SELECT max(number) FROM reading_boot)", .integer(start))
    }
  }

  static func endReading(_ token: UInt64, in database: Database) throws(StorageError) {
    try database.run("DELETE FROM reading WHERE token = ?", .integer(Int64(clamping: token)))
  }

  /// The oldest rows of a stream, at most `limit`.
  ///
  /// - Parameter ranges: where they are looked for, in their order.
  func readings(
    of stream: Int, in ranges: [ClosedRange<UInt64>], limit: Int
  ) throws(StorageError) -> [StoredReading] {
    try read("read the outbox") { database throws(StorageError) in
      var readings: [StoredReading] = []
      for range in ranges where readings.count < limit {
        readings += try database.query(
          "SELECT token, data FROM reading WHERE token BETWEEN ? AND ? AND stream = ? ORDER BY token LIMIT ?",
          .integer(Int64(clamping: range.lowerBound)), .integer(Int64(clamping: range.upperBound)),
          .integer(Int64(stream)), .integer(Int64(limit - readings.count))
        ) { StoredReading(token: UInt64(clamping: $0.integer(0)), stream: stream, data: $0.blob(1)) }
      }
      return readings
    }
  }

  // MARK: Opening

  /// In one step, however many there are: the table gets another name. Readings that were set aside before are deleted.
  private static func setReadingsAside(_ database: Database) throws(StorageError) -> Int {
    let count = try database.query("SELECT count(*) FROM reading") { Int($0.integer(0)) }.first ?? 0
    try database.run("DROP TABLE IF EXISTS reading_aside")
    try database.run("ALTER TABLE reading RENAME TO reading_aside")
    try database.run(
      "CREATE TABLE reading (token INTEGER PRIMARY KEY, stream INTEGER NOT NULL, data BLOB NOT NULL) STRICT")
    return count
  }

  /// Removes rows with impossible numbers, and readings without an owner. Returns how many of them were readings.
  private static func removeImpossible(_ database: Database) throws(StorageError) -> Int {
    for (table, range) in [("reading_stream", StoredBounds.streams), ("reading_boot", StoredBounds.boots)] {
      try database.run(
        "DELETE FROM \(table) WHERE number NOT BETWEEN ? AND ?", .integer(range.lowerBound), .integer(range.upperBound))
    }
    let isImpossible = "token NOT BETWEEN ? AND ? OR stream NOT IN (SELECT number FROM reading_stream)"
    let tokens = (
      DatabaseValue.integer(StoredBounds.tokens.lowerBound), DatabaseValue.integer(StoredBounds.tokens.upperBound)
    )
    let count =
      try database.query("SELECT count(*) FROM reading WHERE \(isImpossible)", tokens.0, tokens.1) {
        Int($0.integer(0))
      }.first ?? 0
    if count > 0 { try database.run("DELETE FROM reading WHERE \(isImpossible)", tokens.0, tokens.1) }
    return count
  }

  /// A reading that the session has belongs to the session; which of the two was written last does not matter.
  private static func reconcile(_ database: Database) throws(StorageError) {
    try database.run("DELETE FROM reading WHERE token IN (SELECT token FROM message)")
  }

  private static func number(_ names: [String], in database: Database) throws(StorageError) {
    for name in names {
      let count = try database.query("SELECT count(*) FROM reading_stream WHERE name = ?", .text(name)) {
        $0.integer(0)
      }
      if count == [0] { try database.run("INSERT INTO reading_stream (name) VALUES (?)", .text(name)) }
    }
  }

  private static func number(_ names: [String], boot: String, in database: Database) throws(StorageError) {
    try number(names, in: database)
    let boots = try database.query("SELECT count(*) FROM reading_boot WHERE id = ?", .text(boot)) { $0.integer(0) }
    if boots == [0] {
      try database.run(
        "INSERT INTO reading_boot (number, id) VALUES ((SELECT ifnull(max(number), 0) + 1 FROM reading_boot), ?)",
        .text(boot))
      try database.run(
        "DELETE FROM reading_boot WHERE number <= (SELECT max(number) FROM reading_boot) - ?",
        .integer(Int64(StoredBounds.keptBoots)))
    }
  }

  /// All rows in one pass: a million in well under a second.
  private static func sections(_ database: Database) throws(StorageError) -> [OutboxSection] {
    var sections: [OutboxSection] = []
    var open: OutboxSection?
    try database.each("SELECT token, stream, length(data) FROM reading ORDER BY token") { row in
      let token = UInt64(truncatingIfNeeded: row.integer(0))
      if let full = open, full.isFull {
        sections.append(full)
        open = nil
      }
      if open == nil { open = OutboxSection(first: token) }
      open?.append(
        token, stream: Int(truncatingIfNeeded: row.integer(1)),
        bytes: StoredReading.size(ofData: Int(truncatingIfNeeded: row.integer(2))))
    }
    if let open { sections.append(open) }
    return sections
  }

  private static func drop(
    _ range: ClosedRange<UInt64>, _ spared: [UInt64], _ database: Database
  ) throws(StorageError) {
    // In pieces around each row that stays: with a list of them, each call would have another statement text.
    var from = range.lowerBound
    for token in spared.sorted() where range.contains(token) {
      if token > from { try drop(from, token - 1, database) }
      from = token + 1
    }
    if from <= range.upperBound { try drop(from, range.upperBound, database) }
  }

  private static func drop(_ first: UInt64, _ last: UInt64, _ database: Database) throws(StorageError) {
    try database.run(
      "DELETE FROM reading WHERE token BETWEEN ? AND ?", .integer(Int64(clamping: first)),
      .integer(Int64(clamping: last)))
  }
}
