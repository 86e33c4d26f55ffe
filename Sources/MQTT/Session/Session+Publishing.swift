/// The sender's half of the delivery protocols (MQTT 5.0 §4.3), and what is sent again after a reconnect (§4.4).
extension Session {
  /// How many more messages of QoS 1 and 2 may be under way. One place is kept for messages that may not wait, where
  /// the server grants more than one ([MQTT-3.3.4-7]: never more than the Receive Maximum).
  private func freePlaces(_ link: Link, transient: Bool) -> Int {
    let window = min(Int(link.limits.receiveMaximum), inFlightLimit)
    let kept = transient || window == 1 ? 0 : 1
    return window - kept - (outgoing.count - link.resends.count)
  }

  /// How many more messages of QoS 1 and 2 `publish` takes. Nothing new that may wait goes out before everything old
  /// has been sent again.
  public var room: Int {
    guard case .connected(let link) = phase, link.resends.isEmpty else { return 0 }
    return max(0, freePlaces(link, transient: false))
  }

  /// Sends a message. QoS 1 and 2 end with `settled`, QoS 0 is settled at once.
  ///
  /// - Parameters:
  ///   - transient: the message is good for this connection only: given up when the connection ends, and it may take
  ///     the place that is kept free.
  public mutating func publish(
    _ message: Message, token: Token, transient: Bool = false, at now: Instant, into actions: inout [Action]
  ) throws(Rejection) {
    guard case .connected(let link) = phase else { throw .notConnected }
    let publish = Publish(message)
    if let rejection = rejection(of: publish, link) { throw rejection }
    guard message.qos != .atMostOnce else {
      send(publish, at: now, into: &actions)
      actions.append(.settled(token, .delivered))
      return
    }
    let free = transient ? freePlaces(link, transient: true) : room
    guard free > 0, let identifier = takeIdentifier(link) else { throw .noRoom }
    var kept = message
    kept.properties.topicAlias = nil  // It lasts as long as the connection (§3.3.2.3.4).
    outgoing.insert(.init(kept, token: token, transient: transient, state: .published), identifier)
    send(Publish(message, packetIdentifier: identifier), at: now, into: &actions)
  }

  /// Sends a PUBLISH, its topic as a number where that is shorter.
  private mutating func send(_ publish: Publish, at now: Instant, into actions: inout [Action]) {
    var publish = publish
    if hasOutboundAliases, case .connected(var link) = phase, publish.message.properties.topicAlias == nil,
      rejection(ofBytes: publish.size(link.version) + Publish.largestAliasSize, link) == nil,
      let alias = link.outboundAliases.use(publish.message.topic)
    {
      phase = .connected(link)
      publish.message.properties.topicAlias = alias.alias
      if alias.isKnown { publish.message.topic = .aliased }
    }
    send(.publish(publish), at: now, into: &actions)
  }

  /// What the server has ruled out for this connection ([MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15],
  /// [MQTT-3.2.2-17]).
  private func rejection(of publish: Publish, _ link: Link) -> Rejection? {
    guard publish.message.properties.isEncodable else { return .notEncodable }
    if publish.message.qos > link.limits.maximumQoS { return .qosNotSupported(maximum: link.limits.maximumQoS) }
    if publish.message.retain && !link.limits.retainAvailable { return .retainNotSupported }
    if let alias = publish.message.properties.topicAlias, link.version == .v5,
      alias == 0 || alias > link.limits.topicAliasMaximum
    {
      return .featureNotSupported(.topicAliasInvalid)
    }
    return rejection(ofBytes: publish.size(link.version), link)
  }

  func rejection(ofBytes size: Int, _ link: Link) -> Rejection? {
    let maximum = link.limits.maximumPacketSize ?? .largestVariableByteInteger
    return size > Int(maximum) ? .tooLarge(bytes: size, maximum: maximum) : nil
  }

  // MARK: After a reconnect

  /// With a session that is still there: everything under way again, under its identifier ([MQTT-4.4.0-1]). Without:
  /// as new messages, and what was received is forgotten.
  mutating func resume(sessionPresent: Bool, at now: Instant, into actions: inout [Action]) {
    guard case .connected(var link) = phase else { return }
    if !sessionPresent {
      receivedIdentifiers.removeAll()
      for entry in outgoing.removeAll() where entry.token != nil {
        guard let identifier = takeIdentifier(link) else { break }
        outgoing.insert(.init(entry.message, token: entry.token, state: .waiting), identifier)
      }
    }
    link.resends = outgoing.inOrder.reversed()
    phase = .connected(link)
    sendAgain(at: now, into: &actions)
  }

  /// As many of the old messages as the window allows; the others follow as answers come.
  mutating func sendAgain(at now: Instant, into actions: inout [Action]) {
    guard case .connected(var link) = phase, !link.resends.isEmpty, link.heldUntil == nil else { return }
    var packets: [Packet] = []
    while freePlaces(link, transient: false) > 0, let identifier = link.resends.popLast(),
      let entry = outgoing[identifier]
    {
      if entry.state != .released {
        let publish = Publish(entry.message, packetIdentifier: identifier, duplicate: entry.state == .published)
        guard let rejection = rejection(of: publish, link) else {
          outgoing.advance(identifier, to: .published)
          packets.append(.publish(publish))
          continue
        }
        if let token = outgoing.giveUp(identifier) { actions.append(.settled(token, .rejected(rejection))) }
      }
      if outgoing[identifier] != nil { packets.append(.pubrel(Acknowledgement(identifier))) }
    }
    phase = .connected(link)
    for packet in packets {
      if case .publish(let publish) = packet {
        send(publish, at: now, into: &actions)
      } else {
        send(packet, at: now, into: &actions)
      }
    }
  }

  // MARK: Answers

  /// The message that an answer is about: none that this session of the server has not seen.
  private func sent(_ identifier: PacketIdentifier) -> OutgoingMessages.Entry? {
    outgoing[identifier].flatMap { $0.state == .waiting ? nil : $0 }
  }

  /// PUBACK ends a message of QoS 1, and one of QoS 2 where a server grants no more (RabbitMQ does so). One that
  /// nobody waits for is ignored.
  mutating func receiveAck(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    guard sent(answer.packetIdentifier) != nil else { return }
    settle(answer, at: now, into: &actions)
  }

  mutating func receiveReceived(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    let identifier = answer.packetIdentifier
    guard let entry = sent(identifier) else {
      // The server waits for a PUBREL; without one it would never free the identifier (§4.3.3).
      send(
        .pubrel(Acknowledgement(identifier, reasonCode: .packetIdentifierNotFound)), at: now, into: &actions)
      return
    }
    guard entry.message.qos == .exactlyOnce else {
      return fail(.protocolError("PUBREC for a message of QoS 1"), into: &actions)
    }
    // A refusal ends the course: no PUBREL, and the identifier is free ([MQTT-4.3.3-4]).
    guard !answer.reasonCode.isError else { return settle(answer, at: now, into: &actions) }
    outgoing.advance(identifier, to: .released)
    forgetResend(identifier)
    send(.pubrel(Acknowledgement(identifier)), at: now, into: &actions)
  }

  mutating func receiveComplete(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    guard let entry = sent(answer.packetIdentifier) else { return }
    guard entry.message.qos == .exactlyOnce, entry.state == .released else {
      return fail(.protocolError("PUBCOMP before PUBREL"), into: &actions)
    }
    // 0x92 says that the course was over for the server already, which is what PUBREL was for (§3.7.2.1).
    settle(Acknowledgement(answer.packetIdentifier), at: now, into: &actions)
  }

  private mutating func settle(_ answer: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    if hold(answer, at: now) { return }
    guard let entry = outgoing.remove(answer.packetIdentifier) else { return }
    forgetResend(answer.packetIdentifier)
    if let token = entry.token {
      actions.append(.settled(token, answer.reasonCode.isError ? .refused(answer.reasonCode) : .delivered))
    }
    sendAgain(at: now, into: &actions)
  }

  /// The codes that say "not now": the message is kept and sent again, as a new one, after a while that doubles with
  /// each refusal. Nothing overtakes it meanwhile.
  private static let passingRefusals: Set<ReasonCode> = [
    .unspecifiedError, .implementationSpecificError, .quotaExceeded,
  ]
  private static let shortestHold = Duration.seconds(1)
  private static let longestHold = Duration.seconds(60)

  private mutating func hold(_ answer: Acknowledgement, at now: Instant) -> Bool {
    let identifier = answer.packetIdentifier
    guard case .connected(var link) = phase, let entry = outgoing[identifier] else { return false }
    guard Self.passingRefusals.contains(answer.reasonCode), !entry.transient, entry.token != nil else {
      if !answer.reasonCode.isError { link.refusals = 0 }
      phase = .connected(link)
      return false
    }
    outgoing.advance(identifier, to: .waiting)
    let waiting = Set(link.resends).union([identifier])
    link.resends = outgoing.inOrder.reversed().filter(waiting.contains)
    // Those refused together wait together.
    if link.heldUntil == nil {
      let doublings = min(link.refusals, 6)
      link.heldUntil = now + min(Self.shortestHold * (1 << doublings), Self.longestHold)
      link.refusals += 1
    }
    phase = .connected(link)
    return true
  }

  /// The server answered before its turn to be sent again came.
  private mutating func forgetResend(_ identifier: PacketIdentifier) {
    guard case .connected(var link) = phase, let index = link.resends.firstIndex(of: identifier) else { return }
    link.resends.remove(at: index)
    phase = .connected(link)
  }
}
