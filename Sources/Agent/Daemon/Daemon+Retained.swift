import Instants
import MQTT
import MQTTCore
import NIOCore
import Platform
import Records
import Storage

/// What the broker retains of the readings: it is to forget what nobody stands for any more, and to have the rest again
/// where it has lost it.
extension Daemon {
  // MARK: What it has lost

  /// Sends the newest readings that are retained again, as far as there is room.
  func sendRetained() {
    guard let client, let connection else { return }
    let now = BootClock.now
    let qos = min(plan.qos, connection.limits.maximumQoS)
    while retained.hasNext {
      guard client.assumeIsolated({ $0.room(for: qos) }) > 0 else { return }
      let next = retained.next(at: now) { isRetained($0, $1) && !outbox.hasWaiting(of: $0) }
      guard let (stream, message) = next else { break }
      do {
        try client.assumeIsolated {
          try $0.publish(
            message.adapted(to: connection.limits), token: FirstToken.retained + Session.Token(stream), transient: true)
        }
      } catch Session.Rejection.noRoom {
        return retained.giveBack(stream)
      } catch Session.Rejection.notConnected {
        return retained.giveBack(stream)
      } catch {
        retained.restored(stream, isDelivered: false)
        logger.error("the retained reading of \(message.topic) cannot be sent again: \(error)")
      }
    }
    if let deadline = retained.deadline(at: now) { armDrainTimer(deadline) }
  }

  /// The stream's readings are retained, and under this topic.
  package func isRetained(_ stream: Int, _ topic: TopicName) -> Bool {
    plan.streams[stream].isRetained && plan.streams[stream].topic == topic
  }

  func retainedSettled(_ token: Session.Token, _ outcome: Session.Outcome) {
    // What was lost with its connection is sent on the next.
    guard outcome != .abandoned else { return }
    let stream = Int(token - FirstToken.retained)
    retained.restored(stream, isDelivered: outcome == .delivered)
    if case .refused(let code) = outcome {
      logger.error("the broker refuses a retained reading that it has lost, of \(plan.streams[stream].topic): \(code)")
    }
  }

  // MARK: What it is to forget

  /// Has the broker forget what it keeps of readings that are gone.
  package func clear(_ topics: [TopicName]) {
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
    if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
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
