import NIOCore

/// One filter of a SUBSCRIBE with its options (MQTT 5.0 §3.8.3.1). 3.1.1 knows the QoS alone.
public struct Subscription: Sendable, Hashable {
  /// Whether retained messages are sent when the subscription is made.
  public enum RetainHandling: UInt8, Sendable, Hashable {
    case send = 0
    case sendIfNew = 1
    case doNotSend = 2
  }

  public var filter: TopicFilter
  /// The highest QoS at which messages are to be sent.
  public var qos: QoS
  /// Messages of this client are not sent back to it; not for shared subscriptions ([MQTT-3.8.3-4]).
  public var noLocal: Bool
  /// Messages keep their RETAIN flag when they are forwarded.
  public var retainAsPublished: Bool
  public var retainHandling: RetainHandling

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
  public var packetIdentifier: PacketIdentifier
  /// At least one ([MQTT-3.8.3-2]).
  public var subscriptions: [Subscription]
  public var properties: Properties

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
