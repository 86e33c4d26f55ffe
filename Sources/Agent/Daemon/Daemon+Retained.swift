import MQTT
import NIOCore
import Storage

/// What the broker retains of the readings: it is to forget what nobody stands for any more.
extension Daemon {
  /// Has the broker forget what it keeps of readings that are gone.
  func clear(_ topics: [TopicName]) {
    let dropped = clearings.add(topics)
    if dropped > 0 {
      logger.warning("\(dropped) retained readings are not cleared: too many wait for the broker")
    }
    storeClearings()
  }

  /// Sends the next topic that is to be forgotten, as a message without content (MQTT 5.0 §3.3.1.3), behind what was sent
  /// before.
  func sendClearing() {
    guard let client, let connection, client.assumeIsolated({ $0.room }) > 0 else { return }
    let topic = clearings.next { topic in plan.streams.contains { $0.isRetained && $0.topic == topic } }
    if let topic {
      let message = Message(topic: topic, payload: ByteBuffer(), qos: .atLeastOnce, retain: true)
        .adapted(to: connection.limits)
      do {
        try client.assumeIsolated { try $0.publish(message, token: FirstToken.clearing, transient: true) }
      } catch Session.Rejection.noRoom {
        clearings.giveBack()
      } catch Session.Rejection.notConnected {
        clearings.giveBack()
      } catch {
        clearingSettled(.rejected(error as? Session.Rejection ?? .notEncodable))
      }
    }
    storeClearings()
  }

  /// The course of a clearing is over.
  func clearingSettled(_ outcome: Session.Outcome) {
    switch clearings.settled(outcome) {
    case .cleared, .waits: break
    case .refused(let topic, .refused(let code)):
      logger.error("the broker refuses to forget the retained reading of \(topic): \(code); it keeps it")
    case .refused(let topic, let outcome):
      logger.error("the retained reading of \(topic) cannot be cleared on this broker: \(outcome)")
    case .givenUp(let topic):
      logger.error(
        """
        the connection ended \(Clearings.attempts) times while the retained reading of \(topic) was being cleared; the \
        broker keeps it
        """)
    }
    storeClearings()
  }

  /// Writes what has changed, as far as there is a store.
  func storeClearings() {
    guard let store, outbox.disk.isOpen else { return }
    let changes = clearings.takeChanges()
    guard !changes.isEmpty else { return }
    Task {
      do throws(StorageError) {
        try await store.setClearings(added: changes.added, removed: changes.removed)
        storageWorks()
      } catch {
        clearings.storingFailed(changes)
        storageFails(error)
      }
    }
  }
}
