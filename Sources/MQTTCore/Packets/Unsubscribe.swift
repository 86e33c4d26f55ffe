import NIOCore

/// UNSUBSCRIBE: a client ends subscriptions (MQTT 5.0 §3.10).
public struct Unsubscribe: Sendable, Hashable {
  /// The UNSUBACK has the same ([MQTT-2.2.1-6]).
  public var packetIdentifier: PacketIdentifier
  /// At least one ([MQTT-3.10.3-2]).
  public var filters: [TopicFilter]
  /// User properties (§3.10.2.1); not sent on 3.1.1.
  public var properties: Properties

  /// It accepts anything, even without a filter: `MQTTSession.unsubscribe` refuses what is not valid.
  public init(_ packetIdentifier: PacketIdentifier, filters: [TopicFilter], properties: Properties = Properties()) {
    self.packetIdentifier = packetIdentifier
    self.filters = filters
    self.properties = properties
  }

  func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(.unsubscribe) { body in
      body.writeInteger(packetIdentifier.rawValue)
      if version == .v5 { properties.write(to: &body) }
      for filter in filters { body.writeText(filter.description) }
    }
  }

  init(decoding buffer: inout ByteBuffer, _ version: ProtocolVersion) throws(PacketError) {
    packetIdentifier = try buffer.readPacketIdentifier()
    properties = version == .v5 ? try Properties(reading: &buffer, in: .packet(.unsubscribe)) : Properties()
    filters = []
    while buffer.readableBytes > 0 { filters.append(try buffer.readTopicFilter()) }
    guard !filters.isEmpty else { throw .protocolError("UNSUBSCRIBE without a filter") }
  }
}
