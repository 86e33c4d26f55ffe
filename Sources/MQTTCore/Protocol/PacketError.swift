/// Bytes from the peer that break the specification, or a packet that may not come now.
///
/// The reason code is the one that MQTT 5.0 §4.13 asks for in the DISCONNECT that follows.
public struct PacketError: Error, Hashable, CustomStringConvertible {
  /// 0x81, 0x82 or a code that says more (§4.13), such as 0x95 for a packet that is too large.
  public let reasonCode: ReasonCode
  /// What is wrong, for a log: "PUBLISH with QoS 3".
  public let message: String

  package init(_ reasonCode: ReasonCode, _ message: String) {
    self.reasonCode = reasonCode
    self.message = message
  }

  package static func malformed(_ message: String) -> PacketError { PacketError(.malformedPacket, message) }
  package static func protocolError(_ message: String) -> PacketError { PacketError(.protocolError, message) }

  /// What is wrong, with the code: `PUBLISH with QoS 3 (0x81 malformed packet)`.
  public var description: String { "\(message) (\(reasonCode))" }
}
