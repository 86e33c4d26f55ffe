import NIOCore

/// DISCONNECT: the last packet of a connection, from the client or, on 5.0, from the server (MQTT 5.0 §3.14).
public struct Disconnect: Sendable, Hashable {
  /// After a client's 0x00 the server drops the will; after any other code it publishes it (§3.14.2.1). Not sent on
  /// 3.1.1.
  public var reasonCode: ReasonCode
  /// A session expiry, a reason, user properties, a server reference (§3.14.2.2); not sent on 3.1.1.
  public var properties: Properties

  /// By default: a normal disconnection.
  public init(reasonCode: ReasonCode = .success, properties: Properties = Properties()) {
    self.reasonCode = reasonCode
    self.properties = properties
  }

  func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(.disconnect) { $0.writeReason(reasonCode, properties, version) }
  }

  init(decoding buffer: inout ByteBuffer, _ version: ProtocolVersion) throws(PacketError) {
    (reasonCode, properties) = try buffer.readReason(.disconnect, version)
  }
}

/// AUTH: a step of an enhanced authentication; 5.0 only (§3.15).
public struct Auth: Sendable, Hashable {
  /// 0x00 success, 0x18 continue authentication or 0x19 re-authenticate ([MQTT-3.15.2-1]).
  public var reasonCode: ReasonCode
  /// The method, its data, a reason, user properties (§3.15.2.2).
  public var properties: Properties

  /// A server accepts AUTH only with the authentication method of CONNECT (§4.12).
  public init(reasonCode: ReasonCode, properties: Properties = Properties()) {
    self.reasonCode = reasonCode
    self.properties = properties
  }

  func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(.auth) { $0.writeReason(reasonCode, properties, version) }
  }

  init(decoding buffer: inout ByteBuffer, _ version: ProtocolVersion) throws(PacketError) {
    guard version == .v5 else { throw .protocolError("AUTH on a connection of 3.1.1") }
    (reasonCode, properties) = try buffer.readReason(.auth, version)
  }
}

extension ByteBuffer {
  /// A reason code and properties, both left out where there is nothing to say (§3.14.2.1, §3.15.2.1).
  fileprivate mutating func writeReason(_ code: ReasonCode, _ properties: Properties, _ version: ProtocolVersion) {
    guard version == .v5, code != .success || !properties.isEmpty else { return }
    writeInteger(code.rawValue)
    if !properties.isEmpty { properties.write(to: &self) }
  }

  fileprivate mutating func readReason(
    _ type: PacketType, _ version: ProtocolVersion
  ) throws(PacketError) -> (ReasonCode, Properties) {
    guard version == .v5, readableBytes > 0 else { return (.success, Properties()) }
    let code = try readReasonCode(type)
    return (code, readableBytes > 0 ? try Properties(reading: &self, in: .packet(type)) : Properties())
  }
}
