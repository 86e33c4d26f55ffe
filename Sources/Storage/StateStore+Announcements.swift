import Records

extension StateStore {
  /// Stores what a broker keeps in place of what it kept under that topic before.
  public func setAnnouncement(_ announcement: StoredAnnouncement) throws(StorageError) {
    try write("store what home automation was told") { database throws(StorageError) in
      try Self.write(announcement, to: database)
    }
  }

  package static func write(_ announcement: StoredAnnouncement, to database: Database) throws(StorageError) {
    try database.run(
      "INSERT OR REPLACE INTO announcement (kind, topic, content) VALUES (?, ?, ?)",
      .text(announcement.kind.rawValue), .text(announcement.topic), .text(announcement.content))
  }

  /// The broker keeps nothing of it any more.
  public func removeAnnouncement(_ kind: StoredAnnouncement.Kind, topic: String) throws(StorageError) {
    try write("forget what home automation was told") { database throws(StorageError) in
      try Self.forget(kind, topic: topic, in: database)
    }
  }

  static func forget(
    _ kind: StoredAnnouncement.Kind, topic: String, in database: Database
  ) throws(StorageError) {
    try database.run("DELETE FROM announcement WHERE kind = ? AND topic = ?", .text(kind.rawValue), .text(topic))
  }

  /// By kind and topic.
  static func readAnnouncements(_ database: Database) throws(StorageError) -> [StoredAnnouncement] {
    try database.query("SELECT kind, topic, content FROM announcement ORDER BY kind, topic") { row in
      StoredAnnouncement.Kind(rawValue: row.text(0)).map {
        StoredAnnouncement(kind: $0, topic: row.text(1), content: row.text(2))
      }
    }.compactMap { $0 }
  }
}
