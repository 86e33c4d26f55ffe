import MQTTCore
import MQTTStore
import Records

// Reads and writes the small tables.
extension StateStore {
  /// An identity with an unknown source does not count: limpet reads it from the board again.
  static func readIdentity(_ database: Database) throws(StorageError) -> StoredIdentity? {
    try database.query("SELECT id, source, serial FROM identity") { row in
      StoredIdentity.Source(rawValue: row.text(1)).map {
        StoredIdentity(id: row.text(0), source: $0, serial: row.text(2))
      }
    }.first.flatMap { $0 }
  }

  package static func write(_ identity: StoredIdentity, to database: Database) throws(StorageError) {
    try database.run(
      "INSERT OR REPLACE INTO identity (one, id, source, serial) VALUES (1, ?, ?, ?)",
      .text(identity.id), .text(identity.source.rawValue), .text(identity.serial))
  }

  static func readEpoch(_ database: Database) throws(StorageError) -> UInt64 {
    let epoch = try database.query("SELECT value FROM epoch") { $0.integer(0) }.first ?? 0
    return StoredBounds.counts.contains(epoch) ? UInt64(epoch) : 0
  }

  static func raiseEpoch(to epoch: UInt64, in database: Database) throws(StorageError) {
    try database.run(
      "INSERT INTO epoch (one, value) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET value = max(value, excluded.value)",
      .integer(Int64(clamping: epoch)))
  }

  static func add(_ instance: String, to database: Database) throws(StorageError) {
    try database.run("INSERT OR IGNORE INTO instance (value) VALUES (?)", .text(instance))
    try database.run(
      "DELETE FROM instance WHERE number <= (SELECT max(number) FROM instance) - ?",
      .integer(Int64(StoredBounds.instances)))
  }

  static func readInstances(_ database: Database) throws(StorageError) -> [String] {
    try database.query("SELECT value FROM instance ORDER BY number") { $0.text(0) }
  }

  /// A name with an impossible number begins anew, with the mark `restarted`.
  static func readSequences(_ database: Database) throws(StorageError) -> [String: StoredSequence] {
    let rows = try database.query("SELECT name, next, exact FROM sequence") { row in
      let next = row.integer(1)
      let sequence =
        StoredBounds.counts.contains(next)
        ? StoredSequence(next: UInt64(next), exact: row.integer(2) != 0) : StoredSequence(next: 1, exact: false)
      return (row.text(0), sequence)
    }
    return Dictionary(rows) { first, _ in first }
  }

  static func reserve(_ ends: [String: UInt64], in database: Database) throws(StorageError) {
    for (name, end) in ends {
      try database.run(
        """
        INSERT INTO sequence (name, next, exact) VALUES (?, ?, 0)
        ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next), exact = 0
        """, .text(name), .integer(Int64(clamping: end)))
    }
  }

  static func goOnExactly(at next: [String: UInt64], in database: Database) throws(StorageError) {
    for (name, number) in next {
      try database.run(
        "INSERT OR REPLACE INTO sequence (name, next, exact) VALUES (?, ?, 1)",
        .text(name), .integer(Int64(clamping: number)))
    }
  }

  static func readCounts(_ database: Database) throws(StorageError) -> [String: StoredCount] {
    let rows = try database.query("SELECT name, pulses, generation FROM counter") { row in
      let count = StoredCount(
        pulses: UInt64(clamping: row.integer(1)), generation: UInt32(truncatingIfNeeded: row.integer(2)))
      return (row.text(0), count)
    }
    return Dictionary(rows) { first, _ in first }
  }

  package static func write(_ count: StoredCount, of name: String, to database: Database) throws(StorageError) {
    try database.run(
      "INSERT OR REPLACE INTO counter (name, pulses, generation) VALUES (?, ?, ?)",
      .text(name), .integer(Int64(clamping: count.pulses)), .integer(Int64(count.generation)))
  }

  static func readLastStop(_ database: Database) throws(StorageError) -> LastStop? {
    try database.query("SELECT reason, time FROM last_stop") { row in
      LastStop(reason: row.text(0), time: row.integer(1))
    }.first
  }

  static func write(_ stop: LastStop, to database: Database) throws(StorageError) {
    try database.run(
      "INSERT OR REPLACE INTO last_stop (one, reason, time) VALUES (1, ?, ?)", .text(stop.reason), .integer(stop.time))
  }
}
