import MQTTCore
import MQTTStore
import Records

/// The last plain on or off of outputs that begin with it (`start: restore`).
extension StateStore {
  static func readOutputs(_ database: Database) throws(StorageError) -> [String: Bool] {
    let rows = try database.query("SELECT name, is_on FROM output") { ($0.text(0), $0.integer(1) != 0) }
    return Dictionary(rows) { first, _ in first }
  }

  static func write(_ isOn: Bool, ofOutput name: String, to database: Database) throws(StorageError) {
    try database.run(
      "INSERT OR REPLACE INTO output (name, is_on) VALUES (?, ?)", .text(name), .integer(isOn ? 1 : 0))
  }

  static func forgetOutput(_ name: String, in database: Database) throws(StorageError) {
    try database.run("DELETE FROM output WHERE name = ?", .text(name))
  }
}
