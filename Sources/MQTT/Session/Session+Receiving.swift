/// The receiver's half of the delivery protocols (MQTT 5.0 §4.3).
extension Session {
  mutating func receive(_ publish: Publish, at now: Instant, into actions: inout [Action]) {
    var message = publish.message
    if message.properties.topicAlias != nil {
      do { message.topic = try resolveTopic(of: message) } catch { return fail(error, into: &actions) }
      message.properties.topicAlias = nil
    }
    if let identifier = publish.packetIdentifier {
      link.incoming.insert(identifier)
      guard link.incoming.count <= Int(link.receiveMaximum) else {
        return fail(
          PacketError(.receiveMaximumExceeded, "more than \(link.receiveMaximum) messages at once"), into: &actions)
      }
      if message.qos == .exactlyOnce && receivedIdentifiers.contains(identifier) {
        // Delivered before: the answer only (§4.3.3, method B).
        return send(.pubrec(identifier), after: receivedTicket, at: now, into: &actions)
      }
    }
    actions.append(
      .deliver(
        Delivery(
          message: message, duplicate: publish.duplicate, packetIdentifier: publish.packetIdentifier,
          connection: connections)))
  }

  /// The application has the message: answers the server. A message that is not accepted comes again on the next
  /// connection; what this connection did not bring, or brought and took back with PUBREL, is not answered.
  public mutating func accept(_ delivery: Delivery, at now: Instant, into actions: inout [Action]) {
    guard let identifier = delivery.packetIdentifier, delivery.connection == connections,
      link.incoming.contains(identifier)
    else { return }
    switch delivery.message.qos {
    case .atMostOnce: break
    case .atLeastOnce:
      link.incoming.remove(identifier)
      send(.puback(Acknowledgement(identifier)), at: now, into: &actions)
    case .exactlyOnce:
      guard receivedIdentifiers.insert(identifier).inserted else { return }
      receivedTicket = storeFirst(.received(identifier, true), into: &actions)
      send(.pubrec(identifier), after: receivedTicket, at: now, into: &actions)
    }
  }

  mutating func receiveRelease(_ release: Acknowledgement, at now: Instant, into actions: inout [Action]) {
    let identifier = release.packetIdentifier
    let isKnown = receivedIdentifiers.remove(identifier) != nil
    if isKnown { receivedTicket = storeFirst(.received(identifier, false), into: &actions) }
    link.incoming.remove(identifier)
    send(
      .pubcomp(identifier, isKnown ? .success : .packetIdentifierNotFound), after: receivedTicket, at: now,
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
