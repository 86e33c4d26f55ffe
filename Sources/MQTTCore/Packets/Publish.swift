import NIOCore

/// PUBLISH: a message on its way (MQTT 5.0 §3.3).
public struct Publish: Sendable, Hashable {
  /// What it carries: the topic, the payload, QoS, RETAIN and the properties.
  public var message: Message
  /// The packet has been sent before (§3.3.1.1).
  public var duplicate: Bool
  /// There with QoS 1 and 2 only ([MQTT-2.2.1-2]).
  public var packetIdentifier: PacketIdentifier?

  /// QoS 1 and 2 need the identifier; with QoS 0 neither it nor DUP is written ([MQTT-2.2.1-2], [MQTT-3.3.1-2]).
  public init(_ message: Message, packetIdentifier: PacketIdentifier? = nil, duplicate: Bool = false) {
    self.message = message
    self.packetIdentifier = packetIdentifier
    self.duplicate = duplicate
  }

  func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    // QoS 0 has neither DUP nor an identifier, whatever is set ([MQTT-3.3.1-2], [MQTT-2.2.1-2]).
    let isAnswered = message.qos != .atMostOnce
    let flags = (duplicate && isAnswered ? 0x08 : 0) | (message.qos.rawValue << 1) | (message.retain ? 0x01 : 0)
    // The length is counted first, where other packets put theirs in front when they are written.
    buffer.writeInteger(PacketType.publish.rawValue << 4 | flags)
    buffer.writeVariableByteInteger(UInt32(length(version)))
    buffer.writeBinary(message.topic.bytes)
    if isAnswered, let packetIdentifier { buffer.writeInteger(packetIdentifier.rawValue) }
    if version == .v5 { message.properties.write(to: &buffer) }
    buffer.writeImmutableBuffer(message.payload)
  }

  /// The bytes behind the fixed header, of what is written.
  private func length(_ version: ProtocolVersion) -> Int {
    let isIdentifierMissing = message.qos != .atMostOnce && packetIdentifier == nil
    return Self.length(of: message, version) - (isIdentifierMissing ? 2 : 0)
  }

  init(decoding buffer: inout ByteBuffer, flags: UInt8, _ version: ProtocolVersion) throws(PacketError) {
    // [MQTT-3.3.1-4]
    guard let qos = QoS(rawValue: (flags >> 1) & 0x03) else { throw .malformed("PUBLISH with QoS 3") }
    duplicate = flags & 0x08 != 0
    guard !duplicate || qos != .atMostOnce else { throw .malformed("PUBLISH with QoS 0 and DUP") }  // [MQTT-3.3.1-2]
    let topic = try buffer.readTopicName("topic name")
    packetIdentifier = qos == .atMostOnce ? nil : try buffer.readPacketIdentifier()
    let properties = version == .v5 ? try Properties(reading: &buffer, in: .packet(.publish)) : Properties()
    guard !topic.isEmpty || properties.topicAlias != nil else { throw .protocolError("PUBLISH without a topic") }
    let payload = buffer.readSlice(length: buffer.readableBytes) ?? ByteBuffer()
    message = Message(topic: topic, payload: payload, qos: qos, retain: flags & 0x01 != 0, properties: properties)
  }

  /// What a topic alias can add to a packet: the property, and a byte more for either length.
  static let largestAliasSize = 5

  /// The bytes of the whole packet, for the server's Maximum Packet Size ([MQTT-3.2.2-15]).
  package func size(_ version: ProtocolVersion) -> Int { Self.size(of: message, version) }

  static func size(of message: Message, _ version: ProtocolVersion) -> Int {
    let length = length(of: message, version)
    return 1 + UInt32(clamping: length).variableByteCount + length
  }

  private static func length(of message: Message, _ version: ProtocolVersion) -> Int {
    var length = 2 + message.topic.bytes.readableBytes + (message.qos == .atMostOnce ? 0 : 2)
    if version == .v5 {
      let properties = message.properties.size
      length += UInt32(properties).variableByteCount + properties
    }
    return length + message.payload.readableBytes
  }
}

extension ByteBuffer {
  /// A topic name without wildcards ([MQTT-3.3.2-2]); it may be empty where an alias stands for it.
  mutating func readTopicName(_ what: StaticString) throws(PacketError) -> TopicName {
    let bytes = try readUTF8(what)
    let view = bytes.readableBytesView
    guard !view.contains(UInt8(ascii: "+")) && !view.contains(UInt8(ascii: "#")) else {
      throw .protocolError("\(what) with a wildcard")
    }
    return TopicName(validated: bytes)
  }
}
