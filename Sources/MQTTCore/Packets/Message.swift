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

  /// Whether a server would take the properties of the PUBLISH that carries it. [MQTT-3.3.4-6]: only a server names
  /// subscriptions.
  var hasEncodableProperties: Bool {
    properties.isEmpty || properties.isEncodable(in: .packet(.publish)) && properties.subscriptionIdentifier == nil
  }

  /// Why no PUBLISH can carry it, whatever a server allows; nil: one can. To be asked before a message is kept for later:
  /// what cannot be written could not be read again either.
  package var flaw: Session.Rejection? {
    guard hasEncodableProperties else { return .notEncodable }
    let size = Publish.size(of: self, .v5)
    let maximum = UInt32.largestVariableByteInteger
    return size > Int(maximum) ? .tooLarge(bytes: size, maximum: maximum) : nil
  }
}
