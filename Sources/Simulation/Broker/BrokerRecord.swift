import MQTTCore

/// What happens to a broker.
package enum BrokerEvent: Sendable {
  /// A connection is there.
  /// - Parameter version: of the CONNECT that will come on it: a value of `Connect` does not say.
  case opened(ConnectionID, ProtocolVersion)
  case packet(ConnectionID, Packet)
  /// The client's side is gone.
  case closed(ConnectionID, Ending)
  /// Somebody without a connection of the model's publishes: an operator, a twin.
  case publish(Message, by: String)
  /// Its deadline has come.
  case tick
}

/// What a broker wants done.
package enum BrokerEffect: Sendable, Hashable {
  case send(ConnectionID, Packet)
  case close(ConnectionID)
}

/// One thing that a broker did, for oracles.
package struct BrokerRecord: Sendable, Hashable {
  package let time: WorldTime
  package let what: What

  package enum What: Sendable, Hashable {
    case connected(client: String, ConnectionID, sessionPresent: Bool, will: Message?)
    /// nil: the end of the connection without a CONNACK.
    case refused(client: String, ConnectionID, ReasonCode?)
    /// A message was taken and routed.
    case accepted(client: String, ConnectionID?, Publish)
    case denied(client: String, ConnectionID, Publish, Denial.Answer)
    /// The retained message of a topic changed; nil: there is none any more.
    case retained(TopicName, Message?)
    case willDelayed(client: String, Message, until: WorldTime)
    case willPublished(client: String, Message)
    case willDropped(client: String, Message, WillLoss)
    /// A QoS 1 or 2 message reached a client, as its acknowledgement says; of QoS 0 it was sent.
    case delivered(client: String, Message)
    /// A message for a client was dropped: its queue was full, or it had expired.
    case dropped(client: String, Message)
    /// The client said DISCONNECT.
    case disconnected(client: String, ConnectionID, ReasonCode)
    /// A connection ended in another way.
    case lost(client: String, ConnectionID, Loss)
    case sessionEnded(client: String)
    case stopped(isOrderly: Bool)
    case started
  }

  package enum WillLoss: Sendable, Hashable {
    /// DISCONNECT with 0x00.
    case disconnected
    /// The session goes on in another connection.
    case resumed
    /// The ACL forbids its topic.
    case denied
    /// The broker ended without it.
    case killed
  }

  package enum Loss: Sendable, Hashable {
    case closed(Ending)
    case silent
    case takenOver
    /// The broker closed the connection; with the DISCONNECT's code where it sent one.
    case violation(ReasonCode)
    case denied
    case stopped
  }
}
