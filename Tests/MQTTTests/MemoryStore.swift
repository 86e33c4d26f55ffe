import Synchronization

@testable import MQTT
@testable import MQTTCore

/// A session store that lasts as long as a test, and fails when it is told to.
final class MemoryStore: SessionStore {
  struct Full: Error {}

  private let contents = Mutex((state: SessionState(), isFull: false, writes: 0))

  var state: SessionState { contents.withLock(\.state) }
  var writes: Int { contents.withLock(\.writes) }
  func fill() { contents.withLock { $0.isFull = true } }

  func loadSession() async throws -> SessionState { state }

  func apply(_ changes: [SessionChange]) async throws {
    try contents.withLock { contents in
      if contents.isFull { throw Full() }
      contents.writes += 1
      for change in changes { contents.state.apply(change) }
    }
  }
}
