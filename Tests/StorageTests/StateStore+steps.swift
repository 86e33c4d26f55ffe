import MQTTCore
import MQTTStore
import Records

@testable import Storage

/// Single steps, for tests: the agent makes one request of all that is due. Each is a request too.
extension StateStore {
  func perform<Value>(_ body: (Database) throws(StorageError) -> Value) throws(StorageError) -> Value {
    try read("use the store", body)
  }

  private func write(_ change: (inout StoreChanges) -> Void) throws(StorageError) {
    var changes = StoreChanges()
    change(&changes)
    _ = try perform(.write(changes))
  }

  /// The number of a new CONNECT: one more than the last, and on the disk when this returns. The first is 1.
  func nextEpoch() throws(StorageError) -> UInt64 {
    let epoch = try read("read the epoch") { database throws(StorageError) in try Self.readEpoch(database) } + 1
    try write { $0.epoch = epoch }
    return epoch
  }

  func raiseEpoch(to epoch: UInt64) throws(StorageError) { try write { $0.epoch = epoch } }

  func addInstance(_ instance: String) throws(StorageError) { try write { $0.instance = instance } }

  func sequences() throws(StorageError) -> [String: StoredSequence] {
    try read("read the sequence numbers") { database throws(StorageError) in try Self.readSequences(database) }
  }

  func reserve(_ ends: [String: UInt64]) throws(StorageError) { try write { $0.reserved = ends } }

  func storeExact(_ next: [String: UInt64]) throws(StorageError) { try write { $0.exact = next } }

  func setCounts(_ counts: [String: StoredCount]) throws(StorageError) { try write { $0.counts = counts } }

  func setClearings(added: [String], removed: [String]) throws(StorageError) {
    try write {
      $0.clearingsAdded = added
      $0.clearingsRemoved = removed
    }
  }

  func setAnnouncement(_ announcement: StoredAnnouncement) throws(StorageError) {
    try write { $0.announcements = [announcement] }
  }

  func removeAnnouncement(_ kind: StoredAnnouncement.Kind, topic: String) throws(StorageError) {
    try write { $0.forgotten = [StoredAnnouncement(kind: kind, topic: topic, content: "")] }
  }

  func setLastStop(_ stop: LastStop) throws(StorageError) { try write { $0.lastStop = stop } }

  /// As `load` gives it out, once.
  func takeLastStop() throws(StorageError) -> LastStop? { try load().lastStop }

  func setAside(_ message: Message, of owner: String) throws(StorageError) {
    try write { $0.setAside = [SetAsideMessage(message: message, owner: owner)] }
  }

  func apply(_ batch: OutboxBatch) throws(StorageError) { try write { $0.readings = batch } }
}

extension StateStore: SessionStore {
  public func loadSession() throws(StorageError) -> SessionState { try load().session }

  public func apply(_ changes: [SessionChange]) throws(StorageError) { try write { $0.session = changes } }
}
