import MQTTCore
import MQTTStore
import Records

extension StateStore {
  package static func write(_ announcement: StoredAnnouncement, to database: Database) throws(StorageError) {
    try database.run(
      "INSERT OR REPLACE INTO announcement (kind, topic, content) VALUES (?, ?, ?)",
      .text(announcement.kind.rawValue), .text(announcement.topic), .text(announcement.content))
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
