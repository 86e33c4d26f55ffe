import MQTTCore
import MQTTStore
import Records

/// Topics on which brokers may keep `online` of this device.
extension StateStore {
  static func write(_ farewell: StoredFarewell, to database: Database) throws(StorageError) {
    try database.run(
      """
      INSERT INTO farewell (server, client, topic, offline, qos) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (server, client, topic) DO UPDATE SET offline = ?4, qos = ?5
      """, .text(farewell.server), .text(farewell.client), .text(farewell.topic), .text(farewell.offline),
      .integer(Int64(farewell.qos)))
  }

  static func remove(_ farewell: StoredFarewell, from database: Database) throws(StorageError) {
    try database.run(
      "DELETE FROM farewell WHERE server = ? AND client = ? AND topic = ?", .text(farewell.server),
      .text(farewell.client), .text(farewell.topic))
  }

  /// The oldest first.
  static func readFarewells(_ database: Database) throws(StorageError) -> [StoredFarewell] {
    try database.query("SELECT server, client, topic, offline, qos FROM farewell ORDER BY number") { row in
      StoredFarewell(
        server: row.text(0), client: row.text(1), topic: row.text(2), offline: row.text(3),
        qos: Int(clamping: row.integer(4)))
    }
  }
}
