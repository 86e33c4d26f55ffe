import NIOCore

/// An application message (MQTT 5.0 §3.3): what is published, delivered, or left as a will.
public struct Message: Sendable, Hashable {
  public var topic: TopicName
  public var payload: ByteBuffer
  public var qos: QoS
  /// To a server: keep it as the topic's retained message. From a server: it was kept, and is older than the subscription.
  public var retain: Bool
  /// Properties of PUBLISH or of a will; not sent on 3.1.1.
  public var properties: Properties

  public init(
    topic: TopicName, payload: ByteBuffer, qos: QoS = .atLeastOnce, retain: Bool = false,
    properties: Properties = Properties()
  ) {
    self.topic = topic
    self.payload = payload
    self.qos = qos
    self.retain = retain
    self.properties = properties
  }

  /// With what a server cannot do left out: a state that is told once beats none.
  public func adapted(maximumQoS: QoS, retainAvailable: Bool) -> Message {
    var message = self
    message.qos = min(qos, maximumQoS)
    message.retain = retain && retainAvailable
    return message
  }
}
