import LimpetInstants

/// The sender's half of the delivery protocols (MQTT 5.0 §4.3), and what is sent again after a reconnect (§4.4).
extension MQTTSession {
  /// A message that waits by itself, after the server had no place for it.
  struct Hold: Sendable {
    let until: Instant
    let qos: QoS
  }

  /// How many more messages of QoS 1 and 2 may be under way ([MQTT-3.3.4-7]: never more than the Receive Maximum). One
  /// place is kept for messages that may not wait (`keepsPlace`), where the server grants more than one; they may also go
  /// beyond the session's own limit, which is there for those that wait elsewhere.
  private func freePlaces(_ qos: QoS, transient: Bool) -> Int {
    let waiting = link.resends.count + link.holds.count
    if isCautious, !transient { return outgoing.count == waiting ? 1 : 0 }
    let granted = Int(link.limits.receiveMaximum)
    let window = transient ? granted : min(granted, inFlightLimit)
    let free = freePlaces(of: window, outgoing.count - waiting, transient)
    guard qos == .exactlyOnce, version == .v311 else { return free }
    let held = link.holds.values.count { $0.qos == .exactlyOnce }
    let underWay = outgoing.exactlyOnceCount - link.resends.exactlyOnceCount - held
    return min(free, freePlaces(of: min(window, Self.exactlyOnceLimit), underWay, transient))
  }

  private func freePlaces(of window: Int, _ underWay: Int, _ transient: Bool) -> Int {
    window - (transient || window == 1 || !keepsPlace ? 0 : 1) - underWay
  }

  /// How many more messages of this QoS `publish` accepts. New messages that may wait come only after all earlier ones
  /// have been sent again.
  public func room(for qos: QoS) -> Int {
    guard link.resends.isEmpty else { return 0 }
    return max(0, freePlaces(qos, transient: false))
  }

  /// The same for QoS 1.
  public var room: Int { room(for: .atLeastOnce) }

  /// Sends a message. At QoS 1 and 2 `Action.settled` says how it ended; at QoS 0 it is settled at once.
  ///
  /// - Parameters:
  ///   - message: what to publish. The session chooses topic aliases itself.
  ///   - token: the owner's name for this message, which comes back with `settled`.
  ///   - transient: the message is for this connection only: the session gives it up when the connection ends. It may
  ///     use the place that `keepsPlace` reserves, and as many more as the session's own limit if the server allows that.
  ///   - now: the time of this call.
  ///   - actions: what the owner has to do; the session appends to it.
  public mutating func publish(
    _ message: Message, token: Token, transient: Bool = false, at now: Instant, into actions: inout [Action]
  ) throws(Rejection) {
    guard isConnected else { throw .notConnected }
    if let rejection = rejection(of: message) { throw rejection }
    var message = message
    // The session chooses the aliases: two who do would give one number to two topics.
    if !message.properties.isEmpty { message.properties.topicAlias = nil }
    guard message.qos != .atMostOnce else {
      send(Publish(message), at: now, into: &actions)
      actions.append(.settled(token, .delivered))
      return
    }
    // Given up ones keep their places at the server, and connections that end at once could leave any number of them.
    let free =
      transient
      ? min(freePlaces(message.qos, transient: true), 2 * inFlightLimit - outgoing.count) : room(for: message.qos)
    guard free > 0, let identifier = takeIdentifier() else { throw .noRoom }
    begin(
      .init(message, token: token, transient: transient, expiry: message.expiry(from: now)), identifier, at: now,
      into: &actions)
  }

  /// A new message is sent under its identifier, or waits for the store first.
  private mutating func begin(
    _ entry: consuming OutgoingMessages.Entry, _ identifier: PacketIdentifier, at now: Instant,
    into actions: inout [Action]
  ) {
    let ticket = ticket(for: entry, identifier, into: &actions)
    entry.ticket = ticket
    if ticket > storedTicket {
      unstored.append(.message(identifier), until: ticket)
    } else {
      entry.state = .published
      send(Publish(entry.message, packetIdentifier: identifier), at: now, into: &actions)
    }
    outgoing.insert(entry, identifier)
  }

  /// What is next on a message's course, once the store has what must be kept of it.
  private mutating func transmit(_ identifier: PacketIdentifier, at now: Instant, into actions: inout [Action]) {
    record(identifier, into: &actions)
    send(.message(identifier), after: outgoing[identifier]?.ticket ?? 0, at: now, into: &actions)
  }

  mutating func sendMessage(_ identifier: PacketIdentifier, at now: Instant, into actions: inout [Action]) {
    guard let entry = outgoing[identifier] else { return }
    guard entry.state != .released else {
      return send(.pubrel(Acknowledgement(identifier)), at: now, into: &actions)
    }
    if dropExpired(entry, identifier, at: now, into: &actions) { return }
    outgoing.advance(identifier, to: .published)
    let message = entry.message.expiring(at: entry.expiry, now)
    send(
      Publish(message, packetIdentifier: identifier, duplicate: entry.state == .published), at: now, into: &actions)
  }

  /// A message whose time is over is not sent for the first time. One that was may be with the server: it is sent again.
  private mutating func dropExpired(
    _ entry: OutgoingMessages.Entry, _ identifier: PacketIdentifier, at now: Instant, into actions: inout [Action]
  ) -> Bool {
    guard entry.state == .waiting, entry.isExpired(at: now) else { return false }
    giveUp(identifier, .rejected(.expired), into: &actions)
    return true
  }

  /// Sends a PUBLISH, its topic as a number where that is shorter.
  private mutating func send(_ publish: consuming Publish, at now: Instant, into actions: inout [Action]) {
    guard link.limits.topicAliasMaximum > 0, version == .v5,
      rejection(ofBytes: publish.size(.v5) + Publish.largestAliasSize) == nil,
      let alias = link.outboundAliases.use(publish.message.topic)
    else { return send(.publish(consume publish), at: now, into: &actions) }
    publish.message.properties.topicAlias = alias.alias
    if alias.isKnown { publish.message.topic = .aliased }
    send(.publish(consume publish), at: now, into: &actions)
  }

  mutating func send(_ packet: consuming Packet, at now: Instant, into actions: inout [Action]) {
    keepAlive?.sent(at: now)
    actions.append(.send(consume packet))
  }

  /// What the server has ruled out for this connection ([MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15],
  /// [MQTT-3.2.2-17]).
  private func rejection(of message: Message) -> Rejection? {
    if !message.hasEncodableProperties { return .notEncodable }
    if let alias = message.properties.topicAlias, version == .v5, alias == 0 || alias > link.limits.topicAliasMaximum {
      return .featureNotSupported(.topicAliasInvalid)
    }
    if message.qos > link.limits.maximumQoS { return .qosNotSupported(maximum: link.limits.maximumQoS) }
    if message.retain && !link.limits.retainAvailable { return .retainNotSupported }
    return rejection(ofBytes: Publish.size(of: message, version))
  }

  func rejection(ofBytes size: Int) -> Rejection? {
    let maximum = link.limits.maximumPacketSize ?? .largestVariableByteInteger
    // The server may say more than an `Int` of 32 bits holds.
    return size > Int(clamping: maximum) ? .tooLarge(bytes: size, maximum: maximum) : nil
  }

  /// The oldest message under way, except those that are for one connection only.
  public var oldestUnderWay: Token? { outgoing.oldest?.token }

  /// Gives up the oldest message under way for good, and returns it: it ends as `rejected(.setAside)`.
  public mutating func setOldestAside(into actions: inout [Action]) -> Message? {
    guard let (identifier, _) = outgoing.oldest, let entry = outgoing[identifier] else { return nil }
    link.resends.remove(entry)
    giveUp(identifier, .rejected(.setAside), into: &actions)
    return entry.message
  }

  /// Takes back every message to a topic, since the server accepts none there: each ends as `abandoned`. Call it while
  /// there is no connection.
  ///
  /// - Parameters:
  ///   - topic: the topic whose messages are taken back.
  ///   - condition: which of them; by default all.
  ///   - actions: what the owner has to do; the session appends to it.
  public mutating func withdraw(
    _ topic: TopicName, where condition: (Token) -> Bool = { _ in true }, into actions: inout [Action]
  ) {
    for identifier in outgoing.identifiers(to: topic) {
      // What is released the server has.
      guard let entry = outgoing[identifier], entry.state != .released, entry.token.map(condition) ?? false else {
        continue
      }
      giveUp(identifier, .abandoned, into: &actions)
    }
  }

  // MARK: After a reconnect

  /// With a session that is still there: everything under way again, under its identifier ([MQTT-4.4.0-1]). Without:
  /// as new messages, and what was received is forgotten.
  mutating func resume(sessionPresent: Bool, at now: Instant, into actions: inout [Action]) {
    outgoing.countExpiry(from: now)
    if !sessionPresent { beginAnew(at: now, into: &actions) }
    link.resends = outgoing.row
    sendAgain(at: now, into: &actions)
  }

  private mutating func beginAnew(at now: Instant, into actions: inout [Action]) {
    if !received.kept.isEmpty || outgoing.count > 0 {
      let ticket = storeFirst(.begunAnew, into: &actions)
      if !received.kept.isEmpty { received.ticket = ticket }
    }
    received.removeAll()
    for entry in outgoing.removeAll() {
      guard let token = entry.token, let identifier = takeIdentifier() else { continue }
      let fresh = entry.begunAnew()
      outgoing.insert(fresh, identifier)
      if dropExpired(fresh, identifier, at: now, into: &actions) { continue }
      store(
        .message(StoredMessage(token: token, state: .queued, message: entry.message), next: nextIdentifier),
        into: &actions)
    }
  }

  /// As many of the old messages as the window allows; the others follow as answers come.
  mutating func sendAgain(at now: Instant, into actions: inout [Action]) {
    while let oldest = link.resends.oldest, freePlaces(oldest.qos, transient: false) > 0 {
      link.resends.popOldest()
      let identifier = oldest.identifier
      guard let entry = outgoing[identifier] else { continue }
      if dropExpired(entry, identifier, at: now, into: &actions) { continue }
      if entry.state != .released { adapt(entry, identifier, at: now, into: &actions) }
      // What begins its course anew has a turn of its own.
      if outgoing[identifier].map({ link.resends.contains($0) }) ?? false { continue }
      transmit(identifier, at: now, into: &actions)
    }
  }

  /// A message that this server takes no more as it is becomes what it takes. One of a lower QoS is another message,
  /// whose course begins anew in the old one's place; of the old course only its identifier is left, where the server
  /// may hold that for QoS 2. It may have had the message, too: then it has it twice, which is better than never.
  private mutating func adapt(
    _ entry: OutgoingMessages.Entry, _ identifier: PacketIdentifier, at now: Instant, into actions: inout [Action]
  ) {
    var message = mutation == .smallerServerLosesMessages ? entry.message : entry.message.adapted(to: link.limits)
    if let rejection = rejection(of: message) { return giveUp(identifier, .rejected(rejection), into: &actions) }
    guard message != entry.message else { return }
    message = message.expiring(at: entry.expiry, now)
    guard message.qos != entry.message.qos else { return outgoing.replace(identifier, message) }
    // Another message, which the server has not seen.
    if entry.isExpired(at: now) { return giveUp(identifier, .rejected(.expired), into: &actions) }
    guard message.qos != .atMostOnce else {
      send(Publish(message), at: now, into: &actions)
      return giveUp(identifier, .delivered, into: &actions)
    }
    // Where all 65,535 are in use the old one has to do.
    let fresh = entry.state == .waiting ? identifier : takeIdentifier() ?? identifier
    guard let renewed = outgoing.renew(identifier, as: message, fresh) else { return }
    if outgoing[identifier] != nil, fresh != identifier { store(.held(identifier, true), into: &actions) }
    link.resends.insert(renewed, fresh)
  }

  mutating func giveUp(_ identifier: PacketIdentifier, _ outcome: Outcome, into actions: inout [Action]) {
    guard let entry = outgoing[identifier], let (token, isFree) = outgoing.giveUp(identifier) else { return }
    if !entry.transient {
      store(.ended(token), into: &actions)
      if !isFree { store(.held(identifier, true), into: &actions) }
    } else if isFree && entry.message.qos == .exactlyOnce {
      store(.held(identifier, false), into: &actions)
    }
    actions.append(.settled(token, outcome))
  }

  // MARK: Answers

  /// The message that an answer is about: none that this session of the server has not seen.
  private func sent(_ identifier: PacketIdentifier) -> OutgoingMessages.Entry? {
    outgoing[identifier].flatMap { $0.state == .waiting ? nil : $0 }
  }

  /// PUBACK ends a message of QoS 1, and one of QoS 2 where a server grants no more (RabbitMQ does so). One that
  /// nobody waits for is ignored.
  mutating func receiveAck(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    guard let entry = sent(answer.packetIdentifier) else { return }
    remark(.puback, entry.token, answer, into: &actions)
    settle(answer, at: now, into: &actions)
  }

  mutating func receiveReceived(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    let identifier = answer.packetIdentifier
    guard let entry = sent(identifier) else {
      // A refusal has ended it ([MQTT-4.3.3-4]); else the server waits for a PUBREL, without which it would never free
      // the identifier.
      guard !answer.reasonCode.isError else { return }
      send(
        .pubrel(Acknowledgement(identifier, reasonCode: .packetIdentifierNotFound)), at: now, into: &actions)
      return
    }
    guard entry.message.qos == .exactlyOnce else {
      return fail(.protocolError("PUBREC for a message of QoS 1"), into: &actions)
    }
    remark(.pubrec, entry.token, answer, into: &actions)
    // A refusal ends the course: no PUBREL, and the identifier is free ([MQTT-4.3.3-4]). What the server has taken it
    // cannot refuse any more.
    guard !answer.reasonCode.isError else {
      if entry.state == .published { settle(answer, at: now, into: &actions) }
      return
    }
    if entry.state == .published {
      outgoing.advance(identifier, to: .released)
      if let token = entry.token, !entry.transient {
        let released = StoredMessage(token: token, state: .released(identifier), message: entry.message)
        outgoing.record(identifier, storeFirst(.message(released, next: nextIdentifier), into: &actions))
      }
    }
    link.resends.remove(entry)
    transmit(identifier, at: now, into: &actions)
  }

  mutating func receiveComplete(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    guard let entry = sent(answer.packetIdentifier) else { return }
    guard entry.message.qos == .exactlyOnce, entry.state == .released else {
      return fail(.protocolError("PUBCOMP before PUBREL"), into: &actions)
    }
    remark(.pubcomp, entry.token, answer, into: &actions)
    // 0x92 says that the course was over for the server already, which is what PUBREL was for (§3.7.2.1).
    settle(Acknowledgement(answer.packetIdentifier), at: now, into: &actions)
  }

  private mutating func settle(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    if hold(answer, at: now, into: &actions) { return }
    guard let entry = outgoing.remove(answer.packetIdentifier) else { return }
    forget(entry, answer.packetIdentifier, into: &actions)
    link.resends.remove(entry)
    if let token = entry.token {
      actions.append(.settled(token, answer.reasonCode.isError ? .refused(answer.reasonCode) : .delivered))
    }
    sendAgain(at: now, into: &actions)
  }

  /// The codes that say "not now". The message is kept and sent again, as a new one, after a while that doubles with each
  /// refusal; it waits alone. When it has been refused `triesOfHeld` times, or `heldLimit` others wait, the refusal is its
  /// end: `refused`.
  ///
  /// Messages behind it pass meanwhile, to the same topic too: [MQTT-4.6.0-1] is about the order in which messages are
  /// sent again after a reconnect, and what a server refuses is over for it. Who wants the order kept stops publishing.
  private static let passingRefusals: Set<ReasonCode> = [
    .unspecifiedError, .implementationSpecificError, .quotaExceeded,
  ]
  private static let shortestHold = Duration.seconds(1)
  /// How often a message is sent before the server's "not now" counts as a refusal.
  static let triesOfHeld = 5
  /// Messages that wait like that at one time.
  static let heldLimit = 8

  /// Messages that the server had no room for, and that the session will send again.
  public var heldCount: Int { link.holds.count }

  private mutating func hold(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) -> Bool {
    let identifier = answer.packetIdentifier
    // What has been released the server has taken: it is not published again.
    guard Self.passingRefusals.contains(answer.reasonCode), let entry = outgoing[identifier],
      entry.state == .published, !entry.transient, let token = entry.token, link.holds.count < Self.heldLimit
    else { return false }
    let refusals = outgoing.refuse(identifier)
    guard refusals < Self.triesOfHeld else { return false }
    outgoing.advance(identifier, to: .waiting)
    outgoing.record(identifier, nil)
    store(
      .message(StoredMessage(token: token, state: .queued, message: entry.message), next: nextIdentifier),
      into: &actions)
    link.holds[identifier] = Hold(
      until: now + Self.shortestHold * (1 << (refusals - 1)), qos: entry.message.qos)
    retries += 1
    sendAgain(at: now, into: &actions)
    return true
  }

  /// What has waited long enough is sent again.
  mutating func endHolds(at now: Instant, into actions: inout [Action]) {
    for (identifier, hold) in link.holds where now >= hold.until {
      link.holds[identifier] = nil
      if let entry = outgoing[identifier] { link.resends.insert(entry, identifier) }
    }
    sendAgain(at: now, into: &actions)
  }
}

extension Link {
  /// Sends a message now; `Action.settled` says how it ended. See `MQTTSession.publish`.
  public mutating func publish(
    _ message: Message, token: MQTTSession.Token, transient: Bool = false, at now: Instant, into effects: inout Effects
  ) throws(MQTTSession.Rejection) {
    try session.publish(message, token: token, transient: transient, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }
}
