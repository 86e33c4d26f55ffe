import LimpetInstants
import NIOCore

@testable import MQTTCore

/// Bytes written as in the specification's figures: `hex("20 02 00 00")`.
func hex(_ text: String) -> [UInt8] {
  text.split(whereSeparator: \.isWhitespace).map { digits in
    guard let byte = UInt8(digits, radix: 16) else { preconditionFailure("\(digits) is no byte") }
    return byte
  }
}

/// A text as the wire carries it: two bytes of length and the UTF-8.
func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xFF)] + text.utf8 }

/// A whole packet from its first byte and what follows the remaining length.
func frame(_ first: UInt8, _ body: [UInt8]) -> [UInt8] { [first] + variableByteInteger(body.count) + body }

/// The non-normative encoding algorithm of §1.5.5.
func variableByteInteger(_ value: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  var rest = value
  repeat {
    let encoded = rest % 128
    rest /= 128
    bytes.append(UInt8(rest > 0 ? encoded | 128 : encoded))
  } while rest > 0
  return bytes
}

/// The one packet that the bytes are; nil when they are less than one.
func decode(
  _ bytes: [UInt8], _ version: ProtocolVersion = .v5, maximumPacketSize: Int = 1 << 20
) throws(PacketError) -> Packet? {
  var decoder = PacketDecoder(version: version, maximumPacketSize: maximumPacketSize)
  var buffer = ByteBuffer(bytes: bytes)
  return try decoder.next(from: &buffer)
}

/// The reason code with which the bytes are refused; nil when they are not.
func refusal(_ bytes: [UInt8], _ version: ProtocolVersion = .v5, maximumPacketSize: Int = 1 << 20) -> ReasonCode? {
  do throws(PacketError) {
    _ = try decode(bytes, version, maximumPacketSize: maximumPacketSize)
    return nil
  } catch {
    return error.reasonCode
  }
}

func encode(_ packet: Packet, _ version: ProtocolVersion = .v5) -> [UInt8] {
  var buffer = ByteBuffer()
  packet.encode(into: &buffer, version)
  return Array(buffer: buffer)
}

extension PacketIdentifier: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt16) {
    guard let identifier = PacketIdentifier(rawValue: value) else { preconditionFailure("0 is no identifier") }
    self = identifier
  }
}

extension ByteBuffer {
  init(_ text: String) { self.init(string: text) }
}

extension Properties {
  init(_ fill: (inout Properties) -> Void) {
    self.init()
    fill(&self)
  }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
