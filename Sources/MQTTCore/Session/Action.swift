import NIOCore

extension MQTTSession {
  /// What the shell around a session has to do, in this order.
  public enum Action: Sendable, Hashable {
    /// Send this packet.
    case send(Packet)
    /// CONNACK agreed: from now on messages can be published.
    case connected(Connected)
    /// A message for the application; `MQTTSession.accept` answers it once the application has it.
    case deliver(Delivery)
    /// The course of a published message is over.
    case settled(Token, Outcome)
    /// SUBACK or UNSUBACK, one code for each filter.
    case answered(Token, [ReasonCode])
    /// The server adds something to a packet: a reason, user properties, or a code of success other than 0x00.
    case remarked(Remark)
    /// The server asks the authentication method something; `MQTTSession.authenticate` answers.
    case challenge(ByteBuffer?)
    /// An enhanced authentication succeeded, with data of the server.
    case authenticated(ByteBuffer?)
    /// For a session that is stored: store this change. With a ticket, store it at once and call
    /// `MQTTSession.stored(through:)`. Without one it may wait, as long as changes keep their order.
    case store(SessionChange, StoreTicket?)
    /// Close the transport: properly after what was sent has left, or at once (`Ending.isAbort`). The last action of a connection.
    case close(Ending)
  }

  /// The caller's own name for a request, unique among those that are open.
  public typealias Token = UInt64

  /// A connection that the server has agreed to.
  public struct Connected: Sendable, Hashable {
    /// The version of MQTT on it.
    public let version: ProtocolVersion
    /// The server goes on with the session that it had (§3.2.2.1.1), and this side knows it.
    public let sessionPresent: Bool
    /// What the server allows on it; limits of 5.0 that CONNACK does not contain have their defaults.
    public let limits: ServerLimits
    /// The properties of CONNACK, with reason and user properties.
    public let properties: Properties

    /// For tests of an owner: `MQTTSession` makes the real ones.
    public init(
      version: ProtocolVersion, sessionPresent: Bool, limits: ServerLimits, properties: Properties = Properties()
    ) {
      self.version = version
      self.sessionPresent = sessionPresent
      self.limits = limits
      self.properties = properties
    }
  }

  /// What a server adds to an answer or an end, for people and applications: a reason (MQTT 5.0 §3.4.2.2.2), user
  /// properties, and a code that distinguishes successes, such as "no matching subscribers" (0x10).
  public struct Remark: Sendable, Hashable {
    /// CONNACK that refuses, PUBACK, PUBREC, PUBCOMP, SUBACK, UNSUBACK or DISCONNECT.
    public let packet: PacketType
    /// The request or message that the server answers; nil: the remark is about the connection.
    public let token: Token?
    /// 0x00 for SUBACK and UNSUBACK, which have a code for each filter.
    public let reasonCode: ReasonCode
    /// All properties of the answer (§3.4.2.2, §3.9.2.1, §3.14.2.2); none only if the code is not 0x00.
    public let properties: Properties
  }

  /// A message from the server, with what `MQTTSession.accept` needs to answer it.
  public struct Delivery: Sendable, Hashable {
    /// As it came, its topic alias resolved.
    public let message: Message
    /// The server sent it before (DUP).
    public let duplicate: Bool
    let packetIdentifier: PacketIdentifier?
    /// The one it came on: on another it is not answered any more.
    let connection: UInt64
  }

  /// How the course of a message ended.
  public enum Outcome: Sendable, Hashable {
    /// QoS 0: handed to the transport. QoS 1 and 2: the server has it.
    case delivered
    /// The server refused it with this code of 0x80 or above.
    case refused(ReasonCode)
    /// It was for this connection only, which ended.
    case abandoned
    /// It no longer fits what the server allows.
    case rejected(Rejection)
  }

  /// Why a message cannot be sent as it is. Nothing was sent.
  public enum Rejection: Error, Hashable, CustomStringConvertible {
    /// There is no connection that the server has agreed to.
    case notConnected
    /// As many messages are under way as the server or the session allows; ask again after a `settled`.
    case noRoom
    /// The packet has more bytes than the server's Maximum Packet Size ([MQTT-3.2.2-15]).
    case tooLarge(bytes: Int, maximum: UInt32)
    /// Its QoS is above the server's Maximum QoS ([MQTT-3.2.2-11]).
    case qosNotSupported(maximum: QoS)
    /// It is retained, and the server keeps no retained messages ([MQTT-3.2.2-14]).
    case retainNotSupported
    /// It needs a feature that the server or the specification lacks; the code is the one that a server would answer.
    case featureNotSupported(ReasonCode)
    /// A text or a property of it cannot be encoded.
    case notEncodable
    /// Its Message Expiry Interval has passed.
    case expired
    /// The server closed the connection on it each time: see `MQTTSession.setOldestAside`.
    case setAside

    /// Why, as half a sentence, without the message and the topic.
    public var description: String {
      switch self {
      case .notConnected: "not connected"
      case .noRoom: "as many messages are in flight as the server or this session allows"
      case .tooLarge(let bytes, let maximum): "the packet has \(bytes) bytes; the server accepts at most \(maximum)"
      case .qosNotSupported(let maximum): "the server accepts QoS \(maximum.rawValue) at most"
      case .retainNotSupported: "the server keeps no retained messages"
      case .featureNotSupported(let code): "the server, or this MQTT version, does not support it: \(code)"
      case .notEncodable: "this packet cannot carry one of its texts or properties"
      case .expired: "its expiry interval has passed"
      case .setAside: "the server closed the connection each time it was sent"
      }
    }
  }

  /// Why a connection ends.
  public enum Ending: Error, Hashable, CustomStringConvertible {
    /// This side asked for it, with a DISCONNECT.
    case requested
    /// CONNACK with a code other than 0x00 (§3.2.2.2).
    case refused(ReasonCode, reason: String?, serverReference: String?)
    /// The server sent DISCONNECT.
    case disconnectedByServer(ReasonCode, reason: String?, serverReference: String?)
    /// The server broke the specification; on 5.0 a DISCONNECT said so.
    case violation(PacketError)
    /// No answer to PINGREQ.
    case keepAliveTimeout
    /// The server has a session that this side knows nothing of: connect again with a clean start.
    case unknownSession

    /// Whether the session closes the transport at once, since a DISCONNECT would be of no use.
    public var isAbort: Bool { self == .keepAliveTimeout }

    /// Who ended it and why, as half a sentence, with the server's reason if it gave one.
    public var description: String {
      switch self {
      case .requested: "disconnected on request"
      case .refused(let code, let reason, _): "refused: \(code)" + (reason.map { " (\($0))" } ?? "")
      case .disconnectedByServer(let code, let reason, _):
        "the server disconnected: \(code)" + (reason.map { " (\($0))" } ?? "")
      case .violation(let error): "the server broke the protocol: \(error)"
      case .keepAliveTimeout: "no answer to PINGREQ"
      case .unknownSession: "the server has a session that this client does not know"
      }
    }
  }
}
