/// Bytes from the peer that break the specification, or a packet that may not come now.
///
/// The reason code is the one that MQTT 5.0 §4.13 asks for in the DISCONNECT that follows.
public struct PacketError: Error, Hashable, CustomStringConvertible {
  public let reasonCode: ReasonCode
  /// What is wrong, for a log: "PUBLISH with QoS 3".
  public let message: String

  package init(_ reasonCode: ReasonCode, _ message: String) {
    self.reasonCode = reasonCode
    self.message = message
  }

  package static func malformed(_ message: String) -> PacketError { PacketError(.malformedPacket, message) }
  package static func protocolError(_ message: String) -> PacketError { PacketError(.protocolError, message) }

  public var description: String { "\(message) (\(reasonCode))" }
}
