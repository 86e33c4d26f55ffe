import NIOCore

/// CONNECT: a client asks for a connection (MQTT 5.0 §3.1).
public struct Connect: Sendable, Hashable {
  /// Empty: the server assigns one (not with `cleanStart` false on 3.1.1, [MQTT-3.1.3-7]).
  public var clientIdentifier: String
  /// Clean Start of 5.0; Clean Session of 3.1.1.
  public var cleanStart: Bool
  /// Seconds; 0 turns the mechanism off (§3.1.2.10).
  public var keepAlive: UInt16
  /// At most 65,535 bytes of UTF-8 (§3.1.3.5); nil: none. On 3.1.1 a password needs a user name, which may be empty.
  public var username: String?
  /// At most 65,535 bytes of any kind (§3.1.3.6); nil: none. On 5.0 it needs no user name (§3.1.2.9).
  public var password: ByteBuffer?
  /// What the server publishes when the connection ends without a DISCONNECT of 0x00 (§3.1.2.5); nil: nothing.
  public var will: Message?
  /// What this side allows and asks for (§3.1.2.11); not sent on 3.1.1. The will has its own, in `will`.
  public var properties: Properties

  /// By default: no credentials, will and properties.
  public init(
    clientIdentifier: String, cleanStart: Bool, keepAlive: UInt16, username: String? = nil, password: ByteBuffer? = nil,
    will: Message? = nil, properties: Properties = Properties()
  ) {
    self.clientIdentifier = clientIdentifier
    self.cleanStart = cleanStart
    self.keepAlive = keepAlive
    self.username = username
    self.password = password
    self.will = will
    self.properties = properties
  }

  /// Whether every text and its length fit the wire (MQTT 5.0 §1.5.4, §1.5.6), and a server may take the properties.
  var isEncodable: Bool {
    func fits(_ text: String) -> Bool { text.utf8.count <= Int(UInt16.max) && !text.utf8.contains(0) }
    return fits(clientIdentifier) && fits(username ?? "") && (password?.readableBytes ?? 0) <= Int(UInt16.max)
      && properties.isEncodable(in: .packet(.connect))
      && (will.map { $0.payload.readableBytes <= Int(UInt16.max) && $0.properties.isEncodable(in: .will) } ?? true)
  }

  /// The same for one version: on 3.1.1 a client without an identifier asks for a clean session ([MQTT-3.1.3-7] of it).
  package func isEncodable(_ version: ProtocolVersion) -> Bool {
    isEncodable && (version == .v5 || cleanStart || !clientIdentifier.isEmpty)
  }

  private enum Flag {
    static let cleanStart: UInt8 = 0x02
    static let will: UInt8 = 0x04
    static let willRetain: UInt8 = 0x20
    static let password: UInt8 = 0x40
    static let username: UInt8 = 0x80
  }

  func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(.connect) { body in
      body.writeText("MQTT")
      body.writeInteger(version.rawValue)
      var flags: UInt8 = cleanStart ? Flag.cleanStart : 0
      if let will { flags |= Flag.will | (will.qos.rawValue << 3) | (will.retain ? Flag.willRetain : 0) }
      if password != nil { flags |= Flag.password }
      // [MQTT-3.1.2-22] of 3.1.1: no password without a user name; 5.0 allows it.
      if username != nil || (password != nil && version == .v311) { flags |= Flag.username }
      body.writeInteger(flags)
      body.writeInteger(keepAlive)
      if version == .v5 { properties.write(to: &body) }
      body.writeText(clientIdentifier)
      if let will {
        if version == .v5 { will.properties.write(to: &body) }
        body.writeBinary(will.topic.bytes)
        body.writeBinary(will.payload)
      }
      if flags & Flag.username != 0 { body.writeText(username ?? "") }
      if let password { body.writeBinary(password) }
    }
  }

  /// The version comes with the packet itself.
  static func decode(_ buffer: inout ByteBuffer) throws(PacketError) -> (Connect, ProtocolVersion) {
    guard try buffer.readText("protocol name") == "MQTT" else {
      throw PacketError(.unsupportedProtocolVersion, "the protocol's name is not MQTT")
    }
    let level = try buffer.readByte("protocol version")
    guard let version = ProtocolVersion(rawValue: level) else {
      throw PacketError(.unsupportedProtocolVersion, "protocol version \(level)")
    }
    let flags = try buffer.readByte("connect flags")
    guard flags & 0x01 == 0 else { throw .malformed("CONNECT with its reserved flag set") }
    guard let willQoS = QoS(rawValue: (flags >> 3) & 0x03) else { throw .malformed("a will with QoS 3") }
    let hasWill = flags & Flag.will != 0
    if !hasWill && (flags & Flag.willRetain != 0 || willQoS != .atMostOnce) {
      throw .malformed("CONNECT with flags of a will but no will")
    }
    if version == .v311 && flags & Flag.password != 0 && flags & Flag.username == 0 {
      throw .malformed("CONNECT with a password but no user name")
    }
    let keepAlive = try buffer.readTwoBytes("keep alive")
    let properties = version == .v5 ? try Properties(reading: &buffer, in: .packet(.connect)) : Properties()
    let clientIdentifier = try buffer.readText("client identifier")
    var will: Message?
    if hasWill {
      let properties = version == .v5 ? try Properties(reading: &buffer, in: .will) : Properties()
      let topic = try buffer.readTopicName("will topic")
      guard !topic.isEmpty else { throw .malformed("a will without a topic") }
      will = Message(
        topic: topic, payload: try buffer.readBinary("will payload"), qos: willQoS,
        retain: flags & Flag.willRetain != 0, properties: properties)
    }
    let username = flags & Flag.username != 0 ? try buffer.readText("user name") : nil
    let password = flags & Flag.password != 0 ? try buffer.readBinary("password") : nil
    let connect = Connect(
      clientIdentifier: clientIdentifier, cleanStart: flags & Flag.cleanStart != 0, keepAlive: keepAlive,
      username: username, password: password, will: will, properties: properties)
    return (connect, version)
  }
}
