/// What a server says beside its codes: reasons and user properties (MQTT 5.0 §3.1.2.11.7).
extension MQTTSession {
  /// About a connection.
  func remark(
    _ type: PacketType, _ code: ReasonCode, _ properties: Properties, into actions: inout [Action]
  ) {
    // Reason and server reference are part of the end itself.
    guard !properties.userProperties.isEmpty else { return }
    actions.append(.remarked(Remark(packet: type, token: nil, reasonCode: code, properties: properties)))
  }

  /// A code of 0x80 or above is no remark: the action that it leads to has it.
  func remark(
    _ type: PacketType, _ token: Token?, _ answer: Acknowledgement, into actions: inout [Action]
  ) {
    guard let token, !answer.properties.isEmpty || answer.reasonCode != .success && !answer.reasonCode.isError else {
      return
    }
    actions.append(
      .remarked(Remark(packet: type, token: token, reasonCode: answer.reasonCode, properties: answer.properties)))
  }
}

extension Packet {
  /// A reason string or user properties, in a packet that carries them only where they were asked for.
  var hasProblemInformation: Bool {
    let properties: Properties
    switch self {
    case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
      properties = packet.properties
    case .suback(let packet), .unsuback(let packet): properties = packet.properties
    case .auth(let packet): properties = packet.properties
    default: return false
    }
    return !properties.isEmpty && (properties.reasonString != nil || !properties.userProperties.isEmpty)
  }
}
