import MQTTCore
import MQTTStore
import Records

/// Topics whose retained reading limpet has to clear. `StoredOutbox.clearings` has the stored ones.
extension StateStore {
  static func setClearings(added: [String], removed: [String], in database: Database) throws(StorageError) {
    for topic in removed { try database.run("DELETE FROM clearing WHERE topic = ?", .text(topic)) }
    for topic in added { try database.run("INSERT OR IGNORE INTO clearing (topic) VALUES (?)", .text(topic)) }
  }

  /// In the order of their names.
  static func readClearings(_ database: Database) throws(StorageError) -> [String] {
    try database.query("SELECT topic FROM clearing ORDER BY topic") { $0.text(0) }
  }
}
