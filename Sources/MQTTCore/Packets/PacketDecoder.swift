import NIOCore

/// Cuts packets out of a stream of bytes and decodes them, strictly.
///
/// It keeps no bytes: what is not yet a whole packet stays in the buffer.
public struct PacketDecoder: Sendable {
  /// Of the connection; a CONNECT that is decoded sets it.
  public private(set) var version: ProtocolVersion
  /// The size in bytes, header included, above which a packet is refused with 0x95 ([MQTT-3.1.2-24]).
  public let maximumPacketSize: Int

  /// - Parameters:
  ///   - version: that of the connection; a decoder of a server's side may begin with either.
  ///   - maximumPacketSize: bytes of a whole packet.
  public init(version: ProtocolVersion, maximumPacketSize: Int) {
    self.version = version
    self.maximumPacketSize = maximumPacketSize
  }

  /// The next packet, or nil while it is not whole.
  ///
  /// It refuses a packet that is too large, or of a type that does not exist, as soon as it has the header.
  public mutating func next(from buffer: inout ByteBuffer) throws(PacketError) -> Packet? {
    var header = buffer
    guard let first = header.readInteger(as: UInt8.self) else { return nil }
    guard let type = PacketType(rawValue: first >> 4) else { throw .malformed("packet type 0") }
    let flags = first & 0x0F
    guard type == .publish || flags == type.flags else { throw .malformed("\(type) with flags \(flags)") }
    guard let length = try header.readVariableByteInteger(version) else { return nil }
    let size = header.readerIndex - buffer.readerIndex + Int(length)
    guard size <= maximumPacketSize else {
      throw PacketError(.packetTooLarge, "\(type) of \(size) bytes; \(maximumPacketSize) are the most")
    }
    guard var body = header.readSlice(length: Int(length)) else { return nil }
    buffer = header
    let packet = try decode(type, flags: flags, &body)
    guard body.readableBytes == 0 else { throw .malformed("\(type) with \(body.readableBytes) bytes too many") }
    return packet
  }

  private mutating func decode(
    _ type: PacketType, flags: UInt8, _ body: inout ByteBuffer
  ) throws(PacketError) -> Packet {
    switch type {
    case .connect:
      let (connect, version) = try Connect.decode(&body)
      self.version = version
      return .connect(connect)
    case .connack: return .connack(try ConnAck(decoding: &body, version))
    case .publish: return .publish(try Publish(decoding: &body, flags: flags, version))
    case .puback: return .puback(try Acknowledgement(decoding: &body, type, version))
    case .pubrec: return .pubrec(try Acknowledgement(decoding: &body, type, version))
    case .pubrel: return .pubrel(try Acknowledgement(decoding: &body, type, version))
    case .pubcomp: return .pubcomp(try Acknowledgement(decoding: &body, type, version))
    case .subscribe: return .subscribe(try Subscribe(decoding: &body, version))
    case .suback: return .suback(try SubscriptionAcknowledgement(decoding: &body, type, version))
    case .unsubscribe: return .unsubscribe(try Unsubscribe(decoding: &body, version))
    case .unsuback: return .unsuback(try SubscriptionAcknowledgement(decoding: &body, type, version))
    case .pingreq: return .pingreq
    case .pingresp: return .pingresp
    case .disconnect: return .disconnect(try Disconnect(decoding: &body, version))
    case .auth: return .auth(try Auth(decoding: &body, version))
    }
  }
}
