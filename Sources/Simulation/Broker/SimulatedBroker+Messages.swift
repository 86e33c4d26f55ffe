import LimpetInstants
import MQTTCore
import NIOCore

extension SimulatedBroker {
  mutating func receive(
    _ packet: Packet, from id: ConnectionID, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    guard let index = session(on: id) else {
      // The first packet of a connection is CONNECT ([MQTT-3.1.0-1]); what comes after the end reaches nobody.
      guard let opening = openings.firstIndex(where: { $0.id == id }) else { return }
      let version = openings.remove(at: opening).version
      guard case .connect(let connect) = packet else { return effects.append(.close(id)) }
      return self.connect(connect, version, on: id, now, &effects)
    }
    sessions[index].link?.lastReceived = now
    if let most = traits.maximumPacketSize, let version = sessions[index].link?.version {
      var bytes = ByteBuffer()
      packet.encode(into: &bytes, version)
      if bytes.readableBytes > Int(clamping: most) { return close(index, .violation(.packetTooLarge), now, &effects) }
    }
    switch packet {
    case .publish(let publish): receive(publish, index, id, now, &effects)
    case .puback(let answer): end(index, answer.packetIdentifier, .atLeastOnce, now, &effects)
    case .pubcomp(let answer): end(index, answer.packetIdentifier, .exactlyOnce, now, &effects)
    case .pubrec(let answer): release(index, answer, id, now, &effects)
    case .pubrel(let answer):
      let unreleased = sessions[index].unreleased
      if let known = unreleased.firstIndex(where: { $0.identifier == answer.packetIdentifier }) {
        sessions[index].unreleased.remove(at: known)
        if let publish = unreleased[known].publish {
          let client = sessions[index].client
          record(.accepted(client: client, id, publish), now)
          route(publish.message, from: client, now, &effects)
        }
      }
      effects.append(.send(id, .pubcomp(Acknowledgement(answer.packetIdentifier))))
    case .subscribe(let subscribe): self.subscribe(subscribe, index, id, now, &effects)
    case .unsubscribe(let unsubscribe):
      let isVersion5 = sessions[index].version == .v5
      let codes = unsubscribe.filters.map { filter -> ReasonCode in
        let count = sessions[index].subscriptions.count
        sessions[index].subscriptions.removeAll { $0.subscription.filter == filter }
        return sessions[index].subscriptions.count < count ? .success : .noSubscriptionExisted
      }
      let answer = SubscriptionAcknowledgement(unsubscribe.packetIdentifier, reasonCodes: isVersion5 ? codes : [])
      effects.append(.send(id, .unsuback(answer)))
    case .pingreq: effects.append(.send(id, .pingresp))
    case .disconnect(let disconnect): self.disconnect(index, disconnect, now, &effects)
    case .connect, .connack, .suback, .unsuback, .pingresp, .auth:
      close(index, .violation(.protocolError), now, &effects)
    }
  }

  // MARK: From clients

  func denial(of client: String, _ topic: TopicName, _ now: WorldTime) -> Denial? {
    denials.first { denial in
      denial.publish != nil && denial.concerns(client, now) && denial.filter.matches(topic)
    }
  }

  private mutating func receive(
    _ publish: Publish, _ index: Int, _ id: ConnectionID, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    let message = publish.message
    let client = sessions[index].client
    if message.retain && !traits.retainAvailable {
      return close(index, .violation(.retainNotSupported), now, &effects)
    }
    if message.qos > traits.maximumQoS { return close(index, .violation(.qosNotSupported), now, &effects) }
    if message.qos == .exactlyOnce, let identifier = publish.packetIdentifier {
      // It is known already ([MQTT-4.3.3-10]).
      if sessions[index].unreleased.contains(where: { $0.identifier == identifier }) {
        return effects.append(.send(id, .pubrec(Acknowledgement(identifier))))
      }
      // A client that does not know the limit cannot keep it.
      guard sessions[index].version == .v311 || sessions[index].unreleased.count < Int(traits.receiveMaximum) else {
        return close(index, .violation(.receiveMaximumExceeded), now, &effects)
      }
    }
    let answer = denials.isEmpty ? nil : denial(of: client, message.topic, now)?.publish
    guard let answer else {
      return accept(publish, index, id, isAnswered: true, now, &effects)
    }
    record(.denied(client: client, id, publish, answer), now)
    switch answer {
    case .lostAcknowledgement: accept(publish, index, id, isAnswered: false, now, &effects)
    case .silence:
      if message.qos == .exactlyOnce, let identifier = publish.packetIdentifier {
        sessions[index].unreleased.append((identifier, nil))
      }
      acknowledge(publish, .success, index, id, &effects)
    case .code(let code):
      if message.qos == .exactlyOnce, sessions[index].version == .v311, let identifier = publish.packetIdentifier {
        sessions[index].unreleased.append((identifier, nil))
      }
      acknowledge(publish, code, index, id, &effects)
    case .codeThenClose(let code):
      guard message.qos != .atMostOnce else { return }
      acknowledge(publish, code, index, id, &effects)
      close(index, .denied, now, &effects)
    case .close: close(index, .denied, now, &effects)
    }
  }

  private mutating func accept(
    _ publish: Publish, _ index: Int, _ id: ConnectionID, isAnswered: Bool, _ now: WorldTime,
    _ effects: inout [BrokerEffect]
  ) {
    let isLater = publish.message.qos == .exactlyOnce && traits.routesAtRelease
    var code = ReasonCode.success
    if !isLater {
      let client = sessions[index].client
      record(.accepted(client: client, id, publish), now)
      // Sessions keep their places meanwhile: routing ends none.
      let isHeard = route(publish.message, from: client, now, &effects)
      if !isHeard && traits.saysNoSubscribers { code = .noMatchingSubscribers }
    }
    if publish.message.qos == .exactlyOnce, let identifier = publish.packetIdentifier {
      sessions[index].unreleased.append((identifier, isLater ? publish : nil))
    }
    if isAnswered { acknowledge(publish, code, index, id, &effects) }
  }

  private mutating func acknowledge(
    _ publish: Publish, _ code: ReasonCode, _ index: Int, _ id: ConnectionID, _ effects: inout [BrokerEffect]
  ) {
    guard let identifier = publish.packetIdentifier else { return }
    // 3.1.1 cannot refuse a message.
    let code = sessions[index].version == .v5 ? code : .success
    let answer = Acknowledgement(identifier, reasonCode: code)
    switch publish.message.qos {
    case .atMostOnce: break
    case .atLeastOnce: effects.append(.send(id, .puback(answer)))
    case .exactlyOnce:
      effects.append(.send(id, .pubrec(answer)))
    }
  }

  private mutating func subscribe(
    _ subscribe: Subscribe, _ index: Int, _ id: ConnectionID, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    let client = sessions[index].client
    var codes: [ReasonCode] = []
    var isClosed = false
    var isAnswered = true
    var granted: [(held: Session.Held, isNew: Bool)] = []
    for wanted in subscribe.subscriptions {
      switch denials.first(where: { $0.forbids(wanted.filter, to: client, now) })?.subscribe {
      case .code(let code): codes.append(code)
      case .codeThenClose(let code):
        codes.append(code)
        isClosed = true
      case .close: return close(index, .denied, now, &effects)
      case .silence: codes.append(ReasonCode(rawValue: wanted.qos.rawValue))
      case .lostAcknowledgement, nil:
        if case .lostAcknowledgement? = denials.first(where: { $0.forbids(wanted.filter, to: client, now) })?.subscribe
        {
          isAnswered = false
        }
        var subscription = wanted
        subscription.qos = min(wanted.qos, traits.maximumQoS)
        codes.append(ReasonCode(rawValue: subscription.qos.rawValue))
        let held = Session.Held(
          subscription: subscription, identifier: subscribe.properties.subscriptionIdentifier)
        let known = sessions[index].subscriptions.firstIndex { $0.subscription.filter == wanted.filter }
        if let known {
          sessions[index].subscriptions[known] = held
        } else {
          sessions[index].subscriptions.append(held)
        }
        granted.append((held, known == nil))
      }
    }
    if isAnswered {
      effects.append(
        .send(id, .suback(SubscriptionAcknowledgement(subscribe.packetIdentifier, reasonCodes: codes))))
    }
    if isClosed { return close(index, .denied, now, &effects) }
    for (held, isNew) in granted {
      let handling = held.subscription.retainHandling
      guard handling == .send || (handling == .sendIfNew && isNew) else { continue }
      for entry in retainedMessages(held.subscription.filter, now) {
        deliver(
          entry.message, entry.expires, index, held.subscription.qos, isRetained: true, [held.identifier], now, &effects
        )
      }
    }
  }

  /// In the order of their topics: that of a dictionary differs from process to process.
  private mutating func retainedMessages(_ filter: TopicFilter, _ now: WorldTime) -> [Retained] {
    retained.values.filter { entry in
      (entry.expires.map { $0 > wall(now) } ?? true) && filter.matches(entry.message.topic)
    }.sorted { $0.message.topic.isWritten(before: $1.message.topic) }
  }

  // MARK: To clients

  /// Keeps a message where it is to be kept, and gives it to all who subscribed to its topic, once to each.
  /// - Returns: whether anybody did.
  @discardableResult
  mutating func route(
    _ message: Message, from client: String, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) -> Bool {
    let expires = message.properties.messageExpiryInterval.map { wall(now) + Int64($0) * 1_000_000_000 }
    if message.retain && traits.retainAvailable {
      retained[message.topic] =
        message.payload.readableBytes == 0 ? nil : Retained(message: message, expires: expires)
      record(.retained(message.topic, message.payload.readableBytes == 0 ? nil : message), now)
    }
    var isHeard = false
    for index in sessions.indices {
      var qos: QoS?
      var keepsRetain = false
      var identifiers: [UInt32?] = []
      for held in sessions[index].subscriptions {
        let subscription = held.subscription
        guard subscription.filter.matches(message.topic) else { continue }
        // For mosquitto that is a subscriber, too.
        isHeard = true
        if subscription.noLocal && sessions[index].client == client { continue }
        qos = max(qos ?? .atMostOnce, subscription.qos)
        keepsRetain = keepsRetain || subscription.retainAsPublished
        if held.identifier != nil { identifiers.append(held.identifier) }
      }
      guard let qos else { continue }
      deliver(message, expires, index, qos, isRetained: keepsRetain && message.retain, identifiers, now, &effects)
    }
    return isHeard
  }

  private mutating func deliver(
    _ message: Message, _ expires: Int64?, _ index: Int, _ qos: QoS, isRetained: Bool, _ identifiers: [UInt32?],
    _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    var message = message
    message.qos = min(message.qos, qos)
    message.retain = isRetained
    message.properties.topicAlias = nil
    for case let identifier? in identifiers { message.properties.subscriptionIdentifier = identifier }
    if message.qos == .atMostOnce {
      guard let link = sessions[index].link else { return }
      effects.append(.send(link.id, .publish(Publish(aged(message, expires, link.version, now)))))
      return record(.delivered(client: sessions[index].client, message), now)
    }
    guard sessions[index].link != nil || sessions[index].expiry > 0 else { return }
    guard sessions[index].queue.count < traits.maximumQueued else {
      return record(.dropped(client: sessions[index].client, message), now)
    }
    sessions[index].queue.append(Session.Outgoing(message: message, expires: expires))
    pump(index, now, &effects)
  }

  /// With what is left of its life ([MQTT-3.3.2-6]); without properties on 3.1.1.
  private func aged(_ message: Message, _ expires: Int64?, _ version: ProtocolVersion, _ now: WorldTime) -> Message {
    var message = message
    if version == .v311 {
      message.properties = Properties()
    } else if let expires {
      message.properties.messageExpiryInterval = UInt32(clamping: (expires - wall(now) + 999_999_999) / 1_000_000_000)
    }
    return message
  }

  /// Sends what the window has room for, in order; what was sent on an earlier connection comes again (§4.4).
  mutating func pump(_ index: Int, _ now: WorldTime, _ effects: inout [BrokerEffect]) {
    guard let link = sessions[index].link else { return }
    while sessions[index].sentCount < min(link.window, sessions[index].queue.count) {
      let place = sessions[index].sentCount
      var outgoing = sessions[index].queue[place]
      if outgoing.identifier == nil, let expires = outgoing.expires, expires <= wall(now) {
        sessions[index].queue.remove(at: place)
        record(.dropped(client: sessions[index].client, outgoing.message), now)
        continue
      }
      let isRepeated = outgoing.identifier != nil
      let identifier = outgoing.identifier ?? newIdentifier(index)
      outgoing.identifier = identifier
      sessions[index].queue[place] = outgoing
      sessions[index].sentCount += 1
      if outgoing.isReleased {
        effects.append(.send(link.id, .pubrel(Acknowledgement(identifier))))
      } else {
        let message = aged(outgoing.message, outgoing.expires, link.version, now)
        effects.append(
          .send(link.id, .publish(Publish(message, packetIdentifier: identifier, duplicate: isRepeated))))
      }
    }
  }

  private mutating func newIdentifier(_ index: Int) -> PacketIdentifier {
    var identifier = sessions[index].nextIdentifier
    while sessions[index].queue.contains(where: { $0.identifier == identifier }) { identifier = identifier.next }
    sessions[index].nextIdentifier = identifier.next
    return identifier
  }

  private mutating func end(
    _ index: Int, _ identifier: PacketIdentifier, _ qos: QoS, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    guard let place = sent(index, identifier, qos) else { return }
    let outgoing = sessions[index].queue.remove(at: place)
    sessions[index].sentCount -= 1
    record(.delivered(client: sessions[index].client, outgoing.message), now)
    pump(index, now, &effects)
  }

  private mutating func release(
    _ index: Int, _ answer: Acknowledgement, _ id: ConnectionID, _ now: WorldTime, _ effects: inout [BrokerEffect]
  ) {
    guard let place = sent(index, answer.packetIdentifier, .exactlyOnce) else {
      let code: ReasonCode = sessions[index].version == .v5 ? .packetIdentifierNotFound : .success
      return effects.append(.send(id, .pubrel(Acknowledgement(answer.packetIdentifier, reasonCode: code))))
    }
    // A refusal ends it ([MQTT-4.3.3-4]).
    if answer.reasonCode.isError { return end(index, answer.packetIdentifier, .exactlyOnce, now, &effects) }
    sessions[index].queue[place].isReleased = true
    effects.append(.send(id, .pubrel(Acknowledgement(answer.packetIdentifier))))
  }

  private func sent(_ index: Int, _ identifier: PacketIdentifier, _ qos: QoS) -> Int? {
    sessions[index].queue.prefix(sessions[index].sentCount).firstIndex {
      $0.identifier == identifier && $0.message.qos == qos
    }
  }
}

extension TopicName {
  /// By their bytes: no two topics are alike there.
  func isWritten(before other: TopicName) -> Bool {
    description.utf8.lexicographicallyPrecedes(other.description.utf8)
  }
}

extension Denial {
  func concerns(_ name: String, _ now: WorldTime) -> Bool {
    (client.map { $0 == name } ?? true) && (until.map { now < $0 } ?? true)
  }

  func forbids(_ wanted: TopicFilter, to name: String, _ now: WorldTime) -> Bool {
    guard subscribe != nil, concerns(name, now) else { return false }
    if wanted == filter { return true }
    // A filter without wildcards is a topic.
    guard let topic = try? TopicName(wanted.description) else { return false }
    return filter.matches(topic)
  }
}
