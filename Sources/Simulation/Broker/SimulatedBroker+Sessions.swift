import LimpetInstants
import MQTTCore

extension SimulatedBroker {
  /// What a broker knows of a client, connected or not (§4.1).
  struct Session: Sendable {
    struct Link: Sendable {
      let id: ConnectionID
      let version: ProtocolVersion
      /// One and a half times the keepalive; zero: silence is no sign.
      let patience: Duration
      var lastReceived: WorldTime
      var will: Message?
      /// The smaller of the client's Receive Maximum and the broker's own limit.
      let window: Int
    }

    struct Held: Sendable {
      var subscription: Subscription
      var identifier: UInt32?
    }

    /// A QoS 1 or 2 message for the client.
    struct Outgoing: Sendable {
      let message: Message
      /// Nanoseconds of the broker's wall clock.
      let expires: Int64?
      /// nil: it was never sent.
      var identifier: PacketIdentifier?
      /// QoS 2: PUBREC came.
      var isReleased = false
    }

    let client: String
    var version: ProtocolVersion
    var link: Link?
    /// Seconds that it outlives its connection; the greatest number: for ever.
    var expiry: UInt32
    var isBegunClean: Bool
    var expires: WorldTime?
    var delayedWill: (message: Message, due: WorldTime)?
    var subscriptions: [Held] = []
    /// Those that were sent on this connection come first.
    var queue: [Outgoing] = []
    var sentCount = 0
    var nextIdentifier = PacketIdentifier.first
    /// QoS 2 messages of the client that it has not released; those that are routed then with what they are.
    var unreleased: [(identifier: PacketIdentifier, publish: Publish?)] = []

    mutating func endConnection(at now: WorldTime) {
      if link != nil { expires = expiry == .max ? nil : now + .seconds(Int64(expiry)) }
      link = nil
      sentCount = 0
    }
  }

  // MARK: Beginnings

  mutating func connect(
    _ connect: Connect, _ version: ProtocolVersion, on id: ConnectionID, _ now: WorldTime,
    _ effects: inout [BrokerEffect]
  ) {
    if let code = refusal(of: connect, version, now) {
      refuse(connect.clientIdentifier, id, code.answered, &effects)
      return record(.refused(client: connect.clientIdentifier, id, code.answered), now)
    }
    let wished =
      version == .v5 ? connect.properties.sessionExpiryInterval ?? 0 : (connect.cleanStart ? 0 : UInt32.max)
    let expiry = min(wished, traits.maximumSessionExpiry)
    var sessionPresent = false
    if let index = session(of: connect.clientIdentifier) {
      let goesOn = !connect.cleanStart && sessions[index].expiry > 0
      if sessions[index].link != nil {
        takeOver(index, goesOn: goesOn, now, &effects)
      } else if goesOn {
        if let will = sessions[index].delayedWill?.message {
          record(.willDropped(client: sessions[index].client, will, .resumed), now)
        }
        sessions[index].delayedWill = nil
      }
      // What has ended with its connection is gone by now.
      if let index = session(of: connect.clientIdentifier) {
        if goesOn { sessionPresent = true } else { endSession(index, now, &effects) }
      }
    }
    if !sessionPresent {
      sessions.append(
        Session(client: connect.clientIdentifier, version: version, expiry: expiry, isBegunClean: connect.cleanStart))
    }
    guard let index = session(of: connect.clientIdentifier) else { return }
    let keepAlive = version == .v5 ? traits.serverKeepAlive ?? connect.keepAlive : connect.keepAlive
    let window = version == .v5 ? Int(connect.properties.receiveMaximum ?? .max) : Int(UInt16.max)
    sessions[index].link = Session.Link(
      id: id, version: version, patience: .milliseconds(1500 * Int64(keepAlive)), lastReceived: now,
      will: connect.will, window: min(window, traits.maximumInFlight))
    sessions[index].version = version
    sessions[index].expiry = expiry
    sessions[index].isBegunClean = connect.cleanStart
    sessions[index].expires = nil
    effects.append(
      .send(
        id,
        .connack(
          ConnAck(
            sessionPresent: sessionPresent, reasonCode: .success,
            properties: version == .v5 ? granted(lowering: wished, to: expiry) : Properties()))))
    record(.connected(client: connect.clientIdentifier, id, sessionPresent: sessionPresent, will: connect.will), now)
    if refusals.contains(where: { $0.answer == .closeAfterSuccess && $0.concerns(connect.clientIdentifier, now) }) {
      return close(index, .denied, now, &effects)
    }
    pump(index, now, &effects)
  }

  private func granted(lowering wished: UInt32, to expiry: UInt32) -> Properties {
    var properties = Properties()
    if traits.receiveMaximum < .max { properties.receiveMaximum = traits.receiveMaximum }
    if traits.maximumQoS < .exactlyOnce { properties.maximumQoS = traits.maximumQoS }
    if !traits.retainAvailable { properties.retainAvailable = false }
    properties.serverKeepAlive = traits.serverKeepAlive
    properties.maximumPacketSize = traits.maximumPacketSize
    if expiry < wished { properties.sessionExpiryInterval = expiry }
    return properties
  }

  private func refusal(of connect: Connect, _ version: ProtocolVersion, _ now: WorldTime) -> Refusal.Answer? {
    for refusal in refusals where refusal.answer != .closeAfterSuccess {
      if refusal.concerns(connect.clientIdentifier, now) { return refusal.answer }
    }
    if version == .v5 {
      switch traits.version5 {
      case .served: break
      case .refused: return .code(.unsupportedProtocolVersion)
      case .closes: return .close
      }
    }
    if connect.clientIdentifier.isEmpty { return .code(.clientIdentifierNotValid) }
    guard let will = connect.will else { return nil }
    // 3.1.1 has no words for it: the connection ends without a byte.
    if will.retain && !traits.retainAvailable { return version == .v5 ? .code(.retainNotSupported) : .close }
    if will.qos > traits.maximumQoS { return version == .v5 ? .code(.qosNotSupported) : .close }
    return nil
  }

  private func refuse(_ client: String, _ id: ConnectionID, _ code: ReasonCode?, _ effects: inout [BrokerEffect]) {
    if let code {
      var answer = ConnAck(sessionPresent: false, reasonCode: code)
      // What the client may ask for instead ([MQTT-3.2.2-12]).
      if code == .qosNotSupported { answer.properties.maximumQoS = traits.maximumQoS }
      effects.append(.send(id, .connack(answer)))
    }
    effects.append(.close(id))
  }

  private mutating func takeOver(
    _ index: Int, goesOn: Bool, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    guard let link = sessions[index].link else { return }
    let client = sessions[index].client
    if link.version == .v5 && traits.saysTakenOver {
      effects.append(.send(link.id, .disconnect(Disconnect(reasonCode: .sessionTakenOver))))
    }
    effects.append(.close(link.id))
    record(.lost(client: client, link.id, .takenOver), now)
    sessions[index].endConnection(at: now)
    guard let will = link.will else { return }
    let isPublished =
      switch traits.willAtTakeover {
      case .published: !goesOn || (will.properties.willDelayInterval ?? 0) == 0
      case .droppedWhereSessionGoesOn: !goesOn
      case .dropped: false
      }
    if isPublished {
      publishWill(will, of: client, now, &effects)
    } else {
      record(.willDropped(client: client, will, .resumed), now)
    }
  }

  // MARK: Ends

  mutating func disconnect(
    _ index: Int, _ disconnect: Disconnect, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    guard let link = sessions[index].link else { return }
    let client = sessions[index].client
    record(.disconnected(client: client, link.id, disconnect.reasonCode), now)
    if let expiry = disconnect.properties.sessionExpiryInterval, sessions[index].expiry > 0 {
      sessions[index].expiry = min(expiry, traits.maximumSessionExpiry)
    }
    if disconnect.reasonCode == .success, let will = link.will {
      record(.willDropped(client: client, will, .disconnected), now)
      sessions[index].link?.will = nil
    }
    effects.append(.close(link.id))
    detach(index, now, &effects)
  }

  /// The connection is gone, not by the broker's doing.
  mutating func lose(
    _ index: Int, _ loss: BrokerRecord.Loss, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    guard let link = sessions[index].link else { return }
    record(.lost(client: sessions[index].client, link.id, loss), now)
    detach(index, now, &effects)
  }

  /// The broker closes the connection.
  mutating func close(
    _ index: Int, _ loss: BrokerRecord.Loss, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    guard let link = sessions[index].link else { return }
    if case .violation(let code) = loss, link.version == .v5 {
      effects.append(.send(link.id, .disconnect(Disconnect(reasonCode: code))))
    }
    effects.append(.close(link.id))
    lose(index, loss, now, &effects)
  }

  /// The session goes on without a connection, or ends with it; the will is published, now or later (§3.1.2.5).
  private mutating func detach(_ index: Int, _ now: WorldTime, _ effects: inout [BrokerEffect]) {
    let will = sessions[index].link?.will
    let client = sessions[index].client
    sessions[index].endConnection(at: now)
    if sessions[index].expiry == 0 { endSession(index, now, &effects) }
    guard let will else { return }
    // It comes with the session's end, should that be earlier.
    if let index = session(of: client), let delay = will.properties.willDelayInterval, delay > 0 {
      let due = now + .seconds(Int64(min(delay, sessions[index].expiry)))
      sessions[index].delayedWill = (will, due)
      record(.willDelayed(client: client, will, until: due), now)
    } else {
      publishWill(will, of: client, now, &effects)
    }
  }

  mutating func endSession(_ index: Int, _ now: WorldTime, _ effects: inout [BrokerEffect]) {
    let session = sessions.remove(at: index)
    record(.sessionEnded(client: session.client), now)
    if let will = session.delayedWill?.message { publishWill(will, of: session.client, now, &effects) }
  }

  mutating func publishWill(
    _ will: Message, of client: String, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    if let denial = denial(of: client, will.topic, now)?.publish, denial != .lostAcknowledgement {
      return record(.willDropped(client: client, will, .denied), now)
    }
    var message = will
    message.properties.willDelayInterval = nil
    record(.willPublished(client: client, message), now)
    route(message, from: client, now, &effects)
  }

  // MARK: Time

  enum Due { case silent, will, expired }

  /// What comes next by itself; of two at the same time that of the older session.
  var nextDue: (index: Int, what: Due, time: WorldTime)? {
    var first: (index: Int, what: Due, time: WorldTime)?
    for index in sessions.indices {
      let session = sessions[index]
      func consider(_ what: Due, _ time: WorldTime) {
        if first.map({ time < $0.time }) ?? true { first = (index, what, time) }
      }
      if let link = session.link {
        if link.patience > .zero { consider(.silent, round(link.lastReceived + link.patience)) }
      } else {
        if let will = session.delayedWill { consider(.will, will.due) }
        if let expires = session.expires { consider(.expired, expires) }
      }
    }
    return first
  }

  /// The broker's next look at its clients.
  private func round(_ time: WorldTime) -> WorldTime {
    let round = traits.keepAliveRound.wholeNanoseconds
    guard round > 0 else { return time }
    return WorldTime(nanoseconds: (time.nanoseconds + round - 1) / round * round)
  }

  mutating func runTimers(_ now: WorldTime, _ effects: inout [BrokerEffect]) {
    while let due = nextDue, due.time <= now {
      switch due.what {
      case .silent:
        if let link = sessions[due.index].link, link.version == .v5, traits.saysKeepAliveTimeout {
          effects.append(.send(link.id, .disconnect(Disconnect(reasonCode: .keepAliveTimeout))))
        }
        close(due.index, .silent, now, &effects)
      case .will:
        guard let will = sessions[due.index].delayedWill?.message else { return }
        sessions[due.index].delayedWill = nil
        publishWill(will, of: sessions[due.index].client, now, &effects)
      case .expired: endSession(due.index, now, &effects)
      }
    }
  }
}

extension Refusal {
  func concerns(_ name: String, _ now: WorldTime) -> Bool {
    (client.map { $0 == name } ?? true) && (until.map { now < $0 } ?? true)
  }
}

extension Refusal.Answer {
  /// The code in CONNACK; nil: none is sent.
  var answered: ReasonCode? { if case .code(let code) = self { code } else { nil } }
}
