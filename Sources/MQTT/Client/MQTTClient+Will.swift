import LimpetInstants
import LimpetPlatform
import MQTTCore

extension MQTTClient.Configuration {
  /// What the client does if a server refuses a will for its QoS or because it is retained ([MQTT-3.2.2-12],
  /// [MQTT-3.2.2-13]).
  public enum RefusedWill: Sendable, Hashable {
    /// It goes as the server takes it: with a lower QoS, or not retained. `ConnectionEvent.willTakenBack` says so; after a day
    /// the full will is tried again. A server of 3.1.1 cannot say why it refuses: after two closes that answer CONNECT
    /// without a byte smaller wills are tried.
    case takenBack
    /// The client ends, and `run` throws the refusal. On 3.1.1 the refusal looks like any other loss: the client tries
    /// again.
    case fails
  }
}

extension MQTTClient {
  /// The will of the last CONNECT.
  struct AskedWill {
    let server: ServerAddress
    let version: ProtocolVersion
    let full: WillFlags
    let flags: WillFlags
    let will: Message
  }

  /// The will as this server takes it, as far as that is known.
  func takeBackWill(_ packet: inout Connect, _ server: ServerAddress, _ version: ProtocolVersion) {
    askedWill = nil
    guard let will = packet.will else { return }
    let full = WillFlags(qos: will.qos, retain: will.retain)
    var flags = full
    if configuration.whenWillIsRefused == .takenBack { flags = wills.flags(for: server, full: full, at: .now) }
    packet.will?.qos = flags.qos
    packet.will?.retain = flags.retain
    askedWill = AskedWill(server: server, version: version, full: full, flags: flags, will: will)
  }

  /// What a server refuses of the will it refuses of every message, whether it says so or, on 3.1.1, does not.
  func acceptedWill(_ connected: MQTTSession.Connected, _ server: ServerAddress) -> MQTTSession.Connected {
    guard let askedWill, configuration.whenWillIsRefused == .takenBack else { return connected }
    wills.accepted(askedWill.flags, full: askedWill.full, by: server)
    return connected.limited(by: wills.reduction(for: server))
  }

  /// What the end of an attempt says about the will that its CONNECT had.
  func learnWill(from loss: ConnectionLoss) -> LearntAboutWill {
    guard let asked = askedWill else { return .nothing }
    askedWill = nil
    let isSmaller: Bool
    switch loss {
    case .session(.refused(let code, _, _)):
      if configuration.whenWillIsRefused == .fails {
        return [.qosNotSupported, .retainNotSupported].contains(code) ? .ends : .nothing
      }
      isSmaller = wills.refused(code, asked.flags, full: asked.full, by: asked.server, at: .now)
    case .closed(.connect, received: false, _)
    where asked.version == .v311 && configuration.whenWillIsRefused == .takenBack:
      isSmaller = wills.closedSilently(full: asked.full, by: asked.server, at: .now)
    default: return .nothing
    }
    guard isSmaller, let reduction = wills.reduction(for: asked.server) else { return .nothing }
    var will = asked.will
    will.qos = reduction.flags.qos
    will.retain = reduction.flags.retain
    return .smaller(asked.server, will, after: loss)
  }

  enum LearntAboutWill {
    case nothing
    /// The application does without the client rather than without the will.
    case ends
    /// The next CONNECT to this server has this will.
    case smaller(ServerAddress, Message, after: ConnectionLoss)
  }
}
