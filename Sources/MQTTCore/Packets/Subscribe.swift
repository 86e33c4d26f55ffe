import NIOCore

/// One filter of a SUBSCRIBE with its options (MQTT 5.0 §3.8.3.1). 3.1.1 knows the QoS alone.
public struct Subscription: Sendable, Hashable {
  /// Whether retained messages are sent when the subscription is made.
  public enum RetainHandling: UInt8, Sendable, Hashable {
    /// Each time that the subscription is made ([MQTT-3.3.1-9]).
    case send = 0
    /// Only where the server had no such subscription of this client ([MQTT-3.3.1-10]).
    case sendIfNew = 1
    /// Never ([MQTT-3.3.1-11]).
    case doNotSend = 2
  }

  /// The topics; `$share/NAME/FILTER` makes a shared subscription (§4.8.2).
  public var filter: TopicFilter
  /// The highest QoS at which the server sends messages.
  public var qos: QoS
  /// Messages of this client are not sent back to it; not for shared subscriptions ([MQTT-3.8.3-4]).
  public var noLocal: Bool
  /// Messages keep their RETAIN flag when they are forwarded.
  public var retainAsPublished: Bool
  /// Always `send` on 3.1.1, which carries none of the options (§3.8.3.1).
  public var retainHandling: RetainHandling

  /// By default: QoS 1, with messages of this client and with retained messages.
  public init(
    _ filter: TopicFilter, qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
    retainHandling: RetainHandling = .send
  ) {
    self.filter = filter
    self.qos = qos
    self.noLocal = noLocal
    self.retainAsPublished = retainAsPublished
    self.retainHandling = retainHandling
  }
}

/// SUBSCRIBE: a client asks for messages (MQTT 5.0 §3.8).
public struct Subscribe: Sendable, Hashable {
  /// The SUBACK has the same ([MQTT-2.2.1-6]).
  public var packetIdentifier: PacketIdentifier
  /// At least one ([MQTT-3.8.3-2]).
  public var subscriptions: [Subscription]
  /// A Subscription Identifier, user properties (§3.8.2.1); not sent on 3.1.1.
  public var properties: Properties

  /// It accepts anything, even without a filter: `MQTTSession.subscribe` refuses what is not valid.
  public init(
    _ packetIdentifier: PacketIdentifier, subscriptions: [Subscription], properties: Properties = Properties()
  ) {
    self.packetIdentifier = packetIdentifier
    self.subscriptions = subscriptions
    self.properties = properties
  }

  func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(.subscribe) { body in
      body.writeInteger(packetIdentifier.rawValue)
      if version == .v5 { properties.write(to: &body) }
      for subscription in subscriptions {
        body.writeText(subscription.filter.description)
        var options = subscription.qos.rawValue
        if version == .v5 {
          options |= subscription.noLocal ? 0x04 : 0
          options |= subscription.retainAsPublished ? 0x08 : 0
          options |= subscription.retainHandling.rawValue << 4
        }
        body.writeInteger(options)
      }
    }
  }

  init(decoding buffer: inout ByteBuffer, _ version: ProtocolVersion) throws(PacketError) {
    packetIdentifier = try buffer.readPacketIdentifier()
    properties = version == .v5 ? try Properties(reading: &buffer, in: .packet(.subscribe)) : Properties()
    subscriptions = []
    while buffer.readableBytes > 0 {
      let filter = try buffer.readTopicFilter()
      let options = try buffer.readByte("subscription options")
      let reserved: UInt8 = version == .v5 ? 0xC0 : 0xFC
      guard options & reserved == 0, let qos = QoS(rawValue: options & 0x03),
        let retainHandling = Subscription.RetainHandling(rawValue: (options >> 4) & 0x03)
      else { throw .malformed("SUBSCRIBE with options \(options)") }
      let noLocal = options & 0x04 != 0
      guard !noLocal || !filter.isShared else { throw .protocolError("no local on a shared subscription") }
      subscriptions.append(
        Subscription(
          filter, qos: qos, noLocal: noLocal, retainAsPublished: options & 0x08 != 0, retainHandling: retainHandling))
    }
    guard !subscriptions.isEmpty else { throw .protocolError("SUBSCRIBE without a filter") }
  }
}

extension ByteBuffer {
  mutating func readTopicFilter() throws(PacketError) -> TopicFilter {
    let text = try readText("topic filter")
    do { return try TopicFilter(text) } catch {
      throw PacketError(.topicFilterInvalid, "topic filter \(text): \(error)")
    }
  }
}
