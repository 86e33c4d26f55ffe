import MQTTCore
import MQTTStore
import Records

/// Reads what is still readable of a damaged file, each table for itself: the identity and the counts, so that the new
/// file goes on there. Messages and readings stay in the file that is kept aside.
struct Salvage {
  private var identity: StoredIdentity?
  private var epoch: UInt64 = 0
  private var sequences: [String: StoredSequence] = [:]
  private var counts: [String: StoredCount] = [:]
  private var outputs: [String: Bool] = [:]
  private var instances: [String] = []
  private var announcements: [StoredAnnouncement] = []
  private var farewells: [StoredFarewell] = []

  init(of database: Database) {
    identity = (try? StateStore.readIdentity(database)).flatMap { $0 }
    epoch = (try? StateStore.readEpoch(database)) ?? 0
    sequences = (try? StateStore.readSequences(database)) ?? [:]
    counts = (try? StateStore.readCounts(database)) ?? [:]
    outputs = (try? StateStore.readOutputs(database)) ?? [:]
    instances = (try? StateStore.readInstances(database)) ?? []
    announcements = (try? StateStore.readAnnouncements(database)) ?? []
    farewells = (try? StateStore.readFarewells(database)) ?? []
  }

  /// As one transaction. How many numbers had been used beyond those found is unknown.
  func write(to database: Database) throws(StorageError) {
    try database.write("keep what could be read") { () throws(StorageError) in
      if let identity { try StateStore.write(identity, to: database) }
      if epoch > 0 {
        try database.run("INSERT OR REPLACE INTO epoch (one, value) VALUES (1, ?)", .integer(Int64(clamping: epoch)))
      }
      for (name, sequence) in sequences {
        try database.run(
          "INSERT OR REPLACE INTO sequence (name, next, exact) VALUES (?, ?, 0)", .text(name),
          .integer(Int64(clamping: sequence.next)))
      }
      for (name, count) in counts { try StateStore.write(count, of: name, to: database) }
      for (name, isOn) in outputs { try StateStore.write(isOn, ofOutput: name, to: database) }
      for instance in instances {
        try database.run("INSERT OR IGNORE INTO instance (value) VALUES (?)", .text(instance))
      }
      for announcement in announcements { try StateStore.write(announcement, to: database) }
      for farewell in farewells { try StateStore.write(farewell, to: database) }
    }
  }
}
