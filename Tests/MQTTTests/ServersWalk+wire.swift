import LimpetInstants
import NIOCore

@testable import MQTTCore

/// What is between the link and its servers, and those who send on both sides.
extension ServersWalk {
  /// The transport of the attempt under way, and what is on it.
  struct Wire {
    enum State {
      case none, opening
      /// CONNECT has been asked for.
      case asked
      /// CONNECT has been sent.
      case open
      /// This side closes it, when all has left or at once.
      case closing, cut
    }

    var state = State.none
    var number: UInt64 = 0
    var server = 0
    var toServer: [Packet] = []
    var toClient: [Packet] = []
    /// What the server said that it takes.
    var limits: ServerLimits?
    /// Topics that the server knows by number.
    var aliases: [UInt16: TopicName] = [:]
    var unanswered: Set<PacketIdentifier> = []
    /// A session of 3.1.1 that ends with its connection.
    var isClean = false
    /// A probe that has no answer yet.
    var probe: UInt64?
    /// The servers take everything.
    var isGenerous = false

    init() {}

    init(number: UInt64, server: Int) {
      (state, self.number, self.server) = (.opening, number, server)
    }
  }

  private var model: Int { rules.sharesSessions ? 0 : wire.server }

  // MARK: Whoever publishes

  mutating func publish() {
    publishWaiting()
    guard application.waiting.isEmpty || chance(20) else { return }
    application.number += 1
    let number = application.number
    let qos = QoS.allCases.randomElement(using: &generator) ?? .atMostOnce
    let isTransient = chance(15)
    var (message, isFlawed) = message(number, qos)
    // What may not wait may overtake, so it has topics of its own: messages are in order by topic (§4.6).
    if isTransient { message.topic = qos == .exactlyOnce ? "presence/2" : "presence" }
    if qos != .atMostOnce, !isTransient, !application.waiting.isEmpty || !link.isConnected || chance(10) {
      turn { $0.keep(message, token: number, at: $1, into: &$2) }
      if !isFlawed { application.waiting.append((number, message)) }
      return
    }
    let rejection = publish(number, message, isTransient: isTransient)
    check(rejection != nil || !isFlawed, "a message that no packet carries was taken")
  }

  /// A message, and whether no packet can carry it.
  private mutating func message(_ number: UInt64, _ qos: QoS) -> (Message, isFlawed: Bool) {
    var message = Message.numbered(number, qos)
    // QoS 0 waits for nothing, and overtakes.
    message.topic = qos == .atMostOnce ? "walk/zero" : chance(50) ? "walk/one" : "walk/two"
    message.retain = chance(20)
    if chance(20) {
      // Zeros do not change a number.
      let zeros = Int.random(in: 0...600, using: &generator)
      message.payload = ByteBuffer(string: String(repeating: "0", count: zeros) + "\(number)")
    }
    if chance(25), rules.version == .v5 {
      let interval = UInt32.random(in: 0...5, using: &generator)
      message.properties.messageExpiryInterval = interval
      application.expiries[number] = now + .seconds(Int64(interval))
    }
    guard chance(5) else { return (message, false) }
    if chance(50) {
      message.properties.responseTopic = "a/#"
    } else {
      message.properties.addUserProperty("a", String(repeating: "x", count: 65_536))
    }
    return (message, true)
  }

  /// What waits goes first, as far as there is room.
  mutating func publishWaiting() {
    while link.isConnected, let limits = wire.limits, let (number, message) = application.waiting.first {
      var outcome: Session.Outcome?
      if let expiry = application.expiries[number], expiry <= now {
        outcome = .rejected(.expired)
      } else {
        // Also one that goes at QoS 0 has its turn behind those that wait for room.
        guard link.room(for: message.qos) > 0 else { return }
        let adapted = message.adapted(to: limits)
        let rejection = publish(number, adapted, isTransient: false)
        if rejection == .noRoom || rejection == .notConnected { return }
        outcome = rejection.map { .rejected($0) }
        if adapted.qos != message.qos { application.excused.insert(number) }
        // The session ends in the store what it has begun: not this.
        if adapted.qos == .atMostOnce { turn { $0.forget(number, at: $1, into: &$2) } }
      }
      application.waiting.removeFirst()
      guard let outcome else { continue }
      application.outcomes[number] = outcome
      turn { $0.forget(number, at: $1, into: &$2) }
    }
  }

  private mutating func publish(_ number: UInt64, _ message: Message, isTransient: Bool) -> Session.Rejection? {
    var rejection: Session.Rejection?
    // It may be settled at once.
    let before = application.sent.updateValue(message.qos, forKey: number)
    if isTransient { application.transient.insert(number) }
    turn { link, now, effects in
      do throws(Session.Rejection) {
        guard isTransient || message.qos == .atMostOnce || link.room(for: message.qos) > 0 else { throw .noRoom }
        try link.publish(message, token: number, transient: isTransient, at: now, into: &effects)
      } catch { rejection = error }
    }
    if rejection != nil { application.sent[number] = before }
    return rejection
  }

  mutating func publishFromServer() {
    guard link.isConnected, wire.state == .open else { return }
    application.number += 1
    let qos: QoS = chance(50) ? .atLeastOnce : .exactlyOnce
    guard let packet = servers[model].publish(application.number, qos) else { return }
    application.fromServers[application.number] = qos
    wire.toClient.append(packet)
  }

  // MARK: Connections

  /// The next step on the way to a connection, or to its end.
  mutating func advance() {
    let number = wire.number
    switch wire.state {
    case .none, .open: break
    case .opening where !wire.isGenerous && chance(20):
      let loss = ConnectionLoss.unreachable(link.settings.servers[wire.server], "no route")
      turn { $0.handle(.failed(number, loss), at: $1, into: &$2) }
    case .opening:
      turn {
        $0.handle(.opened(number, from: nil), at: $1, into: &$2)
        $0.handle(.ready(number), at: $1, into: &$2)
      }
    case .asked:
      wire.state = .open
      var connect = Connect(clientIdentifier: "c", cleanStart: false, keepAlive: 0)
      if rules.version == .v5 {
        connect.properties.receiveMaximum = .random(in: 1...5, using: &generator)
        connect.properties.sessionExpiryInterval = 3600
      }
      turn { $0.handle(.connectPacket(number, connect), at: $1, into: &$2) }
    case .closing:
      while !wire.toServer.isEmpty { deliverToServer() }
      turn { $0.handle(.outputClosed(number), at: $1, into: &$2) }
      close()
    case .cut: close()
    }
  }

  /// The connection, or the way to one, comes to its end.
  mutating func lose() {
    switch wire.state {
    case .none: break
    case .opening:
      let (number, loss) = (wire.number, ConnectionLoss.unreachable(link.settings.servers[wire.server], "no route"))
      turn { $0.handle(.failed(number, loss), at: $1, into: &$2) }
    default: close()
    }
  }

  private mutating func close() {
    let number = wire.number
    leaveWire()
    turn { $0.handle(.closed(number, received: true), at: $1, into: &$2) }
  }

  /// Some of what was sent still arrives, the rest is lost; nothing comes back.
  mutating func leaveWire() {
    let isGenerous = wire.isGenerous
    for _ in 0..<Int.random(in: 0...wire.toServer.count, using: &generator) { deliverToServer() }
    if wire.isClean { loseSession() }
    wire = Wire()
    wire.isGenerous = isGenerous
  }

  /// How often something arrives that was under way says nothing now.
  private mutating func loseSession() {
    application.excused.formUnion(servers[model].loseSession())
    application.excused.formUnion(application.open)
  }

  mutating func answerProbe(isReachable: Bool) {
    guard let number = wire.probe else { return }
    wire.probe = nil
    turn { $0.handle(.probed(number, isReachable: isReachable), at: $1, into: &$2) }
  }

  // MARK: Servers

  mutating func deliverToServer() {
    guard !wire.toServer.isEmpty else { return }
    let packet = wire.toServer.removeFirst()
    switch packet {
    case .connect(let connect): wire.toClient += answer(connect)
    case .disconnect, .pingreq: break
    case .publish(let publish) where rules.isRefusing && !wire.isGenerous && !publish.duplicate && chance(10):
      guard let identifier = publish.packetIdentifier else { return }
      let answer = Acknowledgement(identifier, reasonCode: chance(80) ? .quotaExceeded : .notAuthorized)
      wire.toClient.append(publish.message.qos == .atLeastOnce ? .puback(answer) : .pubrec(answer))
    default: wire.toClient += servers[model].receive(packet)
    }
  }

  private mutating func answer(_ connect: Connect) -> [Packet] {
    if !wire.isGenerous, chance(5) {
      return [.connack(ConnAck(sessionPresent: false, reasonCode: .serverUnavailable))]
    }
    var granted = Properties()
    if rules.version == .v5, rules.isChanging, !wire.isGenerous {
      if chance(30) { granted.maximumQoS = chance(50) ? .atMostOnce : .atLeastOnce }
      if chance(30) { granted.retainAvailable = false }
      if chance(40) { granted.maximumPacketSize = .random(in: 60...400, using: &generator) }
      if chance(60) { granted.receiveMaximum = .random(in: 1...20, using: &generator) }
      if chance(40) { granted.topicAliasMaximum = .random(in: 1...3, using: &generator) }
    }
    let isPresent = servers[model].hasSession && !connect.cleanStart
    if !isPresent { loseSession() }
    wire.isClean = rules.version == .v311 && connect.cleanStart
    servers[model].receiveMaximum = connect.properties.receiveMaximum.map(Int.init) ?? .max
    return [.connack(ConnAck(sessionPresent: isPresent, reasonCode: .success, properties: granted))]
      + servers[model].connect()
  }

  mutating func deliverToClient() {
    guard !wire.toClient.isEmpty else { return }
    let packet = wire.toClient.removeFirst()
    switch packet {
    case .puback(let answer), .pubcomp(let answer): wire.unanswered.remove(answer.packetIdentifier)
    case .pubrec(let answer) where answer.reasonCode.isError: wire.unanswered.remove(answer.packetIdentifier)
    default: break
    }
    let number = wire.number
    turn { $0.handle(.received(number, packet), at: $1, into: &$2) }
  }

  // MARK: What the link does

  mutating func perform(_ action: Session.Action) {
    switch action {
    case .send(let packet): send(packet)
    case .connected(let connected): wire.limits = connected.limits
    case .deliver(let delivery):
      if let number = delivery.message.number { application.received[number, default: 0] += 1 }
    case .settled(let number, let outcome): settled(number, outcome)
    case .store, .remarked: break
    case .answered, .challenge, .authenticated: check(false, "answered what was not asked")
    case .close(let ending):
      switch ending {
      case .requested, .unknownSession, .refused: break
      default: check(false, "closed: \(ending)")
      }
    }
  }

  private mutating func settled(_ number: UInt64, _ outcome: Session.Outcome) {
    check(application.outcomes.updateValue(outcome, forKey: number) == nil, "settled twice")
    switch outcome {
    case .delivered: break
    case .refused: check(rules.isRefusing, "refused by nobody")
    case .abandoned: check(application.transient.contains(number), "abandoned, and not for one connection")
    case .rejected(.expired): check(application.expiries[number].map { $0 <= now } ?? false, "expired before its time")
    case .rejected: check(rules.isChanging, "rejected by a server that takes everything: \(outcome)")
    }
  }

  private mutating func send(_ packet: Packet) {
    check(wire.state == .open, "sent without a transport")
    guard case .publish(var publish) = packet else { return wire.toServer.append(packet) }
    guard let limits = wire.limits else { return check(false, "published before CONNACK") }
    var bytes = ByteBuffer()
    packet.encode(into: &bytes, rules.version)
    check(publish.message.qos.rawValue <= limits.maximumQoS.rawValue, "a QoS that the server does not take")
    check(limits.retainAvailable || !publish.message.retain, "retain on a server that keeps nothing")
    check(bytes.readableBytes <= Int(limits.maximumPacketSize ?? .max), "a packet that is too large")
    if let alias = publish.message.properties.topicAlias {
      check(alias > 0 && alias <= limits.topicAliasMaximum, "an alias that is too large")
      if publish.message.topic.bytes.readableBytes > 0 { wire.aliases[alias] = publish.message.topic }
      guard let topic = wire.aliases[alias] else { return check(false, "an alias that the server does not know") }
      publish.message.topic = topic
    }
    wire.toServer.append(.publish(publish))
    note(publish, limits)
  }

  private mutating func note(_ publish: Publish, _ limits: ServerLimits) {
    guard let number = publish.message.number else { return check(false, "a message without its number") }
    if application.sent[number] != publish.message.qos { application.excused.insert(number) }
    guard let identifier = publish.packetIdentifier else {
      application.lowered.insert(number)
      return
    }
    if publish.message.qos == .exactlyOnce { application.onTheWay.insert(number) }
    check(application.outcomes[number] == nil, "sent again after its end")
    check(wire.unanswered.insert(identifier).inserted, "an identifier that is in use")
    check(wire.unanswered.count <= Int(limits.receiveMaximum), "more under way than the server takes")
  }
}
