/// A reason code of MQTT 5.0 (§2.4). The CONNACK return codes of 3.1.1 are turned into these on receipt.
public struct ReasonCode: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  /// The byte on the wire.
  public let rawValue: UInt8

  /// - Parameter rawValue: any byte; the decoder checks which codes a packet may carry.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  private init(_ rawValue: UInt8) { self.rawValue = rawValue }

  /// What a SUBACK says of a filter that is granted this (§3.9.3).
  package init(granted qos: QoS) { rawValue = qos.rawValue }

  /// 0x80 and above say that something failed.
  public var isError: Bool { rawValue >= 0x80 }

  /// Success; in DISCONNECT "normal disconnection"; in SUBACK "granted QoS 0".
  public static let success = ReasonCode(0x00)
  /// In SUBACK: QoS 1 is the highest that messages come with (§3.9.3).
  public static let grantedQoS1 = ReasonCode(0x01)
  /// In SUBACK: QoS 2 is the highest that messages come with (§3.9.3).
  public static let grantedQoS2 = ReasonCode(0x02)
  /// In a client's DISCONNECT: the server publishes the will all the same (§3.14.2.1).
  public static let disconnectWithWill = ReasonCode(0x04)
  /// In PUBACK and PUBREC: the server has the message, and knows that nobody has subscribed to its topic (§3.4.2.1).
  public static let noMatchingSubscribers = ReasonCode(0x10)
  /// In UNSUBACK: the client had no subscription with this filter (§3.11.3).
  public static let noSubscriptionExisted = ReasonCode(0x11)
  /// In AUTH: the authentication needs another step (§3.15.2.1).
  public static let continueAuthentication = ReasonCode(0x18)
  /// In a client's AUTH: it authenticates again on an open connection (§4.12.1).
  public static let reauthenticate = ReasonCode(0x19)
  /// No other code fits, or the sender does not give the reason.
  public static let unspecifiedError = ReasonCode(0x80)
  /// Bytes that are no packet by the specification (§4.13.1).
  public static let malformedPacket = ReasonCode(0x81)
  /// A packet that must not come now, or has content that it must not have (§4.13.1).
  public static let protocolError = ReasonCode(0x82)
  /// The packet is valid, but the receiver does not accept it.
  public static let implementationSpecificError = ReasonCode(0x83)
  /// In CONNACK: the server does not speak this version (§3.2.2.2).
  public static let unsupportedProtocolVersion = ReasonCode(0x84)
  /// In CONNACK: the server does not allow this client identifier (§3.2.2.2).
  public static let clientIdentifierNotValid = ReasonCode(0x85)
  /// In CONNACK: the server does not accept the user name or the password (§3.2.2.2).
  public static let badUserNameOrPassword = ReasonCode(0x86)
  /// The client may not do this: connect, publish to the topic, or subscribe to the filter.
  public static let notAuthorized = ReasonCode(0x87)
  /// In CONNACK: there is no service at present (§3.2.2.2).
  public static let serverUnavailable = ReasonCode(0x88)
  /// The server is busy: try again later.
  public static let serverBusy = ReasonCode(0x89)
  /// In CONNACK: an administrator has banned this client (§3.2.2.2).
  public static let banned = ReasonCode(0x8A)
  /// In DISCONNECT: the server shuts down (§3.14.2.1).
  public static let serverShuttingDown = ReasonCode(0x8B)
  /// The server does not know the authentication method, or it is not the one that CONNECT named (§4.12).
  public static let badAuthenticationMethod = ReasonCode(0x8C)
  /// In DISCONNECT: the server has received nothing for one and a half times the keep alive (§3.1.2.10).
  public static let keepAliveTimeout = ReasonCode(0x8D)
  /// In DISCONNECT: another connection with the same client identifier has the session now (§3.14.2.1).
  public static let sessionTakenOver = ReasonCode(0x8E)
  /// The filter is valid, but the server does not accept it.
  public static let topicFilterInvalid = ReasonCode(0x8F)
  /// The topic is valid, but the receiver does not accept it; in CONNACK, the will's topic.
  public static let topicNameInvalid = ReasonCode(0x90)
  /// The receiver has this packet identifier under way: the two sides differ about the session (§3.4.2.1).
  public static let packetIdentifierInUse = ReasonCode(0x91)
  /// In PUBREL and PUBCOMP: nothing of this identifier is under way; no error while a session resumes (§3.6.2.1).
  public static let packetIdentifierNotFound = ReasonCode(0x92)
  /// In DISCONNECT: more unanswered messages than the receiver's Receive Maximum (§3.3.4).
  public static let receiveMaximumExceeded = ReasonCode(0x93)
  /// In DISCONNECT: a topic alias above the receiver's Topic Alias Maximum (§3.14.2.1).
  public static let topicAliasInvalid = ReasonCode(0x94)
  /// More bytes than the receiver's Maximum Packet Size (§3.1.2.11.4).
  public static let packetTooLarge = ReasonCode(0x95)
  /// In DISCONNECT: the sender publishes too fast (§3.14.2.1).
  public static let messageRateTooHigh = ReasonCode(0x96)
  /// The sender has exceeded a limit of the receiver or its administrator.
  public static let quotaExceeded = ReasonCode(0x97)
  /// In DISCONNECT: an administrator has closed the connection (§3.14.2.1).
  public static let administrativeAction = ReasonCode(0x98)
  /// The payload is not what its Payload Format Indicator says (§3.3.2.3.2).
  public static let payloadFormatInvalid = ReasonCode(0x99)
  /// The server keeps no retained messages (§3.2.2.3.5).
  public static let retainNotSupported = ReasonCode(0x9A)
  /// The QoS is above the server's Maximum QoS (§3.2.2.3.4).
  public static let qosNotSupported = ReasonCode(0x9B)
  /// The client should use another server for now; Server Reference may name it (§4.11).
  public static let useAnotherServer = ReasonCode(0x9C)
  /// The client should use another server from now on; Server Reference may name it (§4.11).
  public static let serverMoved = ReasonCode(0x9D)
  /// The server has no shared subscriptions (§3.2.2.3.13).
  public static let sharedSubscriptionsNotSupported = ReasonCode(0x9E)
  /// The server accepts no more connections at this rate.
  public static let connectionRateExceeded = ReasonCode(0x9F)
  /// In DISCONNECT: the connection has lasted as long as the server allows (§3.14.2.1).
  public static let maximumConnectTime = ReasonCode(0xA0)
  /// The server does not support Subscription Identifiers (§3.2.2.3.12).
  public static let subscriptionIdentifiersNotSupported = ReasonCode(0xA1)
  /// The server does not support filters with wildcards (§3.2.2.3.11).
  public static let wildcardSubscriptionsNotSupported = ReasonCode(0xA2)

  /// The specification's words for each code, and the packets that may carry it (§2.4, table 2-6).
  private static let table: [UInt8: (text: String, packets: Set<PacketType>)] = [
    0x00: (
      "success",
      [.connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnect, .auth]
    ),
    0x01: ("granted QoS 1", [.suback]),
    0x02: ("granted QoS 2", [.suback]),
    0x04: ("disconnect with will message", [.disconnect]),
    0x10: ("no matching subscribers", [.puback, .pubrec]),
    0x11: ("no subscription existed", [.unsuback]),
    0x18: ("continue authentication", [.auth]),
    0x19: ("re-authenticate", [.auth]),
    0x80: ("unspecified error", [.connack, .puback, .pubrec, .suback, .unsuback, .disconnect]),
    0x81: ("malformed packet", [.connack, .disconnect]),
    0x82: ("protocol error", [.connack, .disconnect]),
    0x83: ("implementation specific error", [.connack, .puback, .pubrec, .suback, .unsuback, .disconnect]),
    0x84: ("unsupported protocol version", [.connack]),
    0x85: ("client identifier not valid", [.connack]),
    0x86: ("bad user name or password", [.connack]),
    0x87: ("not authorized", [.connack, .puback, .pubrec, .suback, .unsuback, .disconnect]),
    0x88: ("server unavailable", [.connack]),
    0x89: ("server busy", [.connack, .disconnect]),
    0x8A: ("banned", [.connack]),
    0x8B: ("server shutting down", [.disconnect]),
    0x8C: ("bad authentication method", [.connack, .disconnect]),
    0x8D: ("keep alive timeout", [.disconnect]),
    0x8E: ("session taken over", [.disconnect]),
    0x8F: ("topic filter invalid", [.suback, .unsuback, .disconnect]),
    0x90: ("topic name invalid", [.connack, .puback, .pubrec, .disconnect]),
    0x91: ("packet identifier in use", [.puback, .pubrec, .suback, .unsuback]),
    0x92: ("packet identifier not found", [.pubrel, .pubcomp]),
    0x93: ("receive maximum exceeded", [.disconnect]),
    0x94: ("topic alias invalid", [.disconnect]),
    0x95: ("packet too large", [.connack, .disconnect]),
    0x96: ("message rate too high", [.disconnect]),
    0x97: ("quota exceeded", [.connack, .puback, .pubrec, .suback, .disconnect]),
    0x98: ("administrative action", [.disconnect]),
    0x99: ("payload format invalid", [.connack, .puback, .pubrec, .disconnect]),
    0x9A: ("retain not supported", [.connack, .disconnect]),
    0x9B: ("QoS not supported", [.connack, .disconnect]),
    0x9C: ("use another server", [.connack, .disconnect]),
    0x9D: ("server moved", [.connack, .disconnect]),
    0x9E: ("shared subscriptions not supported", [.suback, .disconnect]),
    0x9F: ("connection rate exceeded", [.connack, .disconnect]),
    0xA0: ("maximum connect time", [.disconnect]),
    0xA1: ("subscription identifiers not supported", [.suback, .disconnect]),
    0xA2: ("wildcard subscriptions not supported", [.suback, .disconnect]),
  ]

  /// Whether the specification lets a packet of this type carry the code.
  func isAllowed(in packet: PacketType) -> Bool {
    rawValue == 0 && packet != .connect || Self.table[rawValue]?.packets.contains(packet) == true
  }

  /// The code, with the specification's words: `0x87 not authorized`.
  public var description: String {
    let digits = String(rawValue, radix: 16, uppercase: true)
    let hex = "0x" + (digits.count < 2 ? "0" : "") + digits
    return Self.table[rawValue].map { "\(hex) \($0.text)" } ?? hex
  }
}

/// The CONNACK return codes of MQTT 3.1.1 (§3.2.2.3), as the codes of 5.0 that mean the same.
enum ConnectReturnCode {
  static func reasonCode(_ returnCode: UInt8) -> ReasonCode? {
    switch returnCode {
    case 0: .success
    case 1: .unsupportedProtocolVersion
    case 2: .clientIdentifierNotValid
    case 3: .serverUnavailable
    case 4: .badUserNameOrPassword
    case 5: .notAuthorized
    default: nil
    }
  }

  static func returnCode(_ reasonCode: ReasonCode) -> UInt8 {
    switch reasonCode {
    case .success: 0
    case .unsupportedProtocolVersion: 1
    case .clientIdentifierNotValid: 2
    case .badUserNameOrPassword: 4
    case .notAuthorized: 5
    default: 3
    }
  }
}
