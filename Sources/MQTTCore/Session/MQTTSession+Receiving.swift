import LimpetInstants

/// The receiver's half of the delivery protocols (MQTT 5.0 §4.3).
extension MQTTSession {
  /// Messages of QoS 2 from their acceptance to PUBREL.
  struct Received: Sendable {
    var identifiers: Set<PacketIdentifier> = []
    /// Those of them that no other process knows.
    var passing: Set<PacketIdentifier> = []
    /// The last change of those that are kept.
    var ticket: StoreTicket = 0
    /// false: the owner recognizes by itself what the server sends again to another process.
    var isKept = true

    var kept: Set<PacketIdentifier> { identifiers.subtracting(passing) }

    mutating func removeAll() {
      identifiers.removeAll()
      passing.removeAll()
    }
  }

  mutating func receive(_ publish: Publish, at now: Instant, into actions: inout [Action]) {
    var message = publish.message
    if message.properties.topicAlias != nil {
      do { message.topic = try resolveTopic(of: message) } catch { return fail(error, into: &actions) }
      message.properties.topicAlias = nil
    }
    if let identifier = publish.packetIdentifier {
      let isNew = link.incoming.insert(identifier).inserted
      guard link.incoming.count <= Int(link.receiveMaximum) else {
        return fail(
          PacketError(.receiveMaximumExceeded, "more than \(link.receiveMaximum) messages at once"), into: &actions)
      }
      if message.qos == .exactlyOnce && received.identifiers.contains(identifier) {
        // Delivered before: the answer only (§4.3.3, method B).
        return send(.pubrec(identifier), after: received.ticket, at: now, into: &actions)
      }
      // Delivered and not decided about yet: its answer follows ([MQTT-4.3.3-10]).
      if !isNew, link.unanswered.contains(where: { $0.identifier == identifier && $0.fate == .undecided }) { return }
      link.unanswered.append(Unanswered(identifier: identifier, qos: message.qos))
    }
    actions.append(
      .deliver(
        Delivery(
          message: message, duplicate: publish.duplicate, packetIdentifier: publish.packetIdentifier,
          connection: connections)))
  }

  /// The application has the message: the session acknowledges it, in the order in which the messages came
  /// ([MQTT-4.6.0-2], [MQTT-4.6.0-3]), so after those that the application has not decided about yet. It does not
  /// acknowledge a message of another connection, or one that the server has released with PUBREL.
  ///
  /// - Parameters:
  ///   - delivery: the message, as `Action.deliver` brought it.
  ///   - reasonCode: what the acknowledgement says on MQTT 5 (§3.4.2.1, §3.5.2.1); with 0x80 and above the application
  ///     refuses the message for good. Instead of one that PUBACK or PUBREC cannot carry, the session sends 0x80,
  ///     "unspecified error".
  ///   - now: the time of this call.
  ///   - actions: what the owner has to do; the session appends to it.
  public mutating func accept(
    _ delivery: Delivery, reasonCode: ReasonCode = .success, at now: Instant, into actions: inout [Action]
  ) {
    // 3.1.1 has no codes: whatever it is, the server need not send it again.
    var code = version == .v5 ? reasonCode : .success
    if !code.isAllowed(in: delivery.message.qos == .exactlyOnce ? .pubrec : .puback) { code = .unspecifiedError }
    decide(delivery, .accepted(code), at: now, into: &actions)
  }

  /// The application could not take the message: the session does not acknowledge it, so it counts against the Receive
  /// Maximum, and comes again on the next connection.
  public mutating func leave(_ delivery: Delivery, at now: Instant, into actions: inout [Action]) {
    decide(delivery, .left, at: now, into: &actions)
  }

  private mutating func decide(
    _ delivery: Delivery, _ fate: Unanswered.Fate, at now: Instant, into actions: inout [Action]
  ) {
    guard isConnected, delivery.connection == connections, let identifier = delivery.packetIdentifier,
      let index = link.unanswered.firstIndex(where: {
        $0.identifier == identifier && $0.qos == delivery.message.qos && $0.fate == .undecided
      })
    else { return }
    link.unanswered[index].fate = fate
    answer(at: now, into: &actions)
  }

  private mutating func answer(at now: Instant, into actions: inout [Action]) {
    let end = link.unanswered.firstIndex { $0.fate == .undecided } ?? link.unanswered.endIndex
    let decided = link.unanswered[..<end]
    link.unanswered.removeFirst(end)
    for message in decided {
      guard case .accepted(let code) = message.fate else { continue }
      let answer = Acknowledgement(message.identifier, reasonCode: code)
      // A refused one is over with its PUBREC: no PUBREL follows (§4.3.3).
      guard message.qos == .exactlyOnce, !code.isError else {
        link.incoming.remove(message.identifier)
        send(message.qos == .exactlyOnce ? .pubrec(answer) : .puback(answer), at: now, into: &actions)
        continue
      }
      received.identifiers.insert(message.identifier)
      if received.isKept {
        received.ticket = storeFirst(.received(message.identifier, true), into: &actions)
      } else {
        received.passing.insert(message.identifier)
      }
      send(.pubrec(message.identifier), after: received.ticket, at: now, into: &actions)
    }
  }

  mutating func receiveRelease(_ release: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    let identifier = release.packetIdentifier
    let isKnown = received.identifiers.remove(identifier) != nil
    let isPassing = received.passing.remove(identifier) != nil
    if isKnown, !isPassing { received.ticket = storeFirst(.received(identifier, false), into: &actions) }
    link.incoming.remove(identifier)
    if !isKnown { link.unanswered.removeAll { $0.identifier == identifier && $0.qos == .exactlyOnce } }
    send(
      .pubcomp(identifier, isKnown ? .success : .packetIdentifierNotFound), after: received.ticket, at: now,
      into: &actions)
  }

  /// The topic that an alias stands for, after learning it where both are there (§3.3.2.3.4).
  private mutating func resolveTopic(of message: Message) throws(PacketError) -> TopicName {
    guard let alias = message.properties.topicAlias else { return message.topic }
    guard alias <= link.topicAliasMaximum else {
      throw PacketError(.topicAliasInvalid, "topic alias \(alias); \(link.topicAliasMaximum) is the largest")
    }
    if !message.topic.isEmpty {
      link.inboundAliases[alias] = message.topic
      return message.topic
    }
    guard let topic = link.inboundAliases[alias] else {
      throw .protocolError("topic alias \(alias) that no topic was given for")
    }
    return topic
  }
}
