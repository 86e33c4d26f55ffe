import MQTTCore

/// The server's answer to SUBSCRIBE or UNSUBSCRIBE.
public struct SubscriptionAnswer: Sendable, Hashable {
  /// One for each filter, in their order; empty if the server did not know them.
  public internal(set) var reasonCodes: [ReasonCode] = []
  /// A reason and user properties, on MQTT 5 (§3.9.2.1, §3.11.2.1).
  public internal(set) var properties = Properties()
}

/// What the server sends, and who it is for.
extension MQTTClient {
  /// Subscribes, and returns once the server has granted at least one of the filters; without a connection it waits for
  /// one. When the server has lost the session, the client subscribes again after the reconnect, with the same options
  /// and without the filters that the server had refused.
  ///
  /// Some servers do not say which subscription a message is for (3.1.1 has no Subscription Identifiers) and send one
  /// copy for each that matches ([MQTT-3.3.5-1] of 3.1.1 allows that). There, streams with overlapping filters get
  /// every copy: a client cannot know whether the server sends one or several.
  ///
  /// - Parameters:
  ///   - filters: the filters, with their options.
  ///   - properties: of SUBSCRIBE, on MQTT 5 (§3.8.2.1): user properties. The client sets the Subscription Identifier
  ///     itself.
  ///   - outlivesReader: the subscription stays when nobody reads its stream any more. Messages then gather in its
  ///     buffer for whoever next subscribes with exactly the same filters; `unsubscribe` ends it.
  /// - Returns: the messages that match one of the filters, retained ones included.
  public func subscribe(
    _ filters: [Subscription], properties: Properties = Properties(), outlivesReader: Bool = false
  ) async throws(SubscribeError) -> MessageStream {
    guard !Task.isCancelled else { throw .cancelled }
    if case .ended(let loss) = phase { throw .closed(loss) }
    let identifier = try subscriptions.claimOrAdd(filters)
    requestProperties[identifier] = properties.isEmpty ? nil : properties
    if outlivesReader { outliving.insert(identifier) } else { outliving.remove(identifier) }
    for identifier in subscriptions.takeSuperseded() {
      endUnclaimed(identifier)
      keepGivenBack(identifier)
    }
    let buffer = unclaimed.removeValue(forKey: identifier) ?? makeBuffer(identifier)
    buffers[identifier] = buffer
    let number = takeToken()
    readers[identifier] = number
    let reader = MessageReader { [weak self] in self?.later { $0.abandon(identifier, reader: number) } }
    let answer = try await subscribed(identifier)
    return MessageStream(
      reasonCodes: answer.reasonCodes, properties: answer.properties, identifier: identifier, buffer: buffer,
      reader: reader)
  }

  /// Subscribes to one filter: see `subscribe(_:properties:outlivesReader:)`.
  public func subscribe(
    to filter: TopicFilter, qos: QoS = .atLeastOnce
  ) async throws(SubscribeError) -> MessageStream {
    try await subscribe([Subscription(filter, qos: qos)])
  }

  /// Waits for the server's answer.
  func subscribed(_ identifier: Identifier) async throws(SubscribeError) -> SubscriptionAnswer {
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { subscriber in
        subscribers[identifier] = subscriber
        if isConnected { answerClaims() }
        sendRequests()
      }
    } onCancel: {
      later { $0.cancelSubscribe(identifier) }
    }
    return try result.get()
  }

  /// Ends a subscription. Its stream ends once it has been read to the end; unread messages count as taken. Returns
  /// when the server has answered or its session has ended; at once if the server did not know the subscription.
  ///
  /// - Parameters:
  ///   - stream: the subscription, as `subscribe` returned it.
  ///   - properties: of UNSUBSCRIBE, on MQTT 5 (§3.10.2.1): user properties.
  @discardableResult
  public func unsubscribe(
    _ stream: MessageStream, properties: Properties = Properties()
  ) async throws(SubscribeError) -> SubscriptionAnswer {
    guard !Task.isCancelled else { throw .cancelled }
    let identifier = stream.identifier
    guard stream.buffer === buffers[identifier] else { return SubscriptionAnswer() }
    forget(identifier)
    requestProperties[identifier] = properties.isEmpty ? nil : properties
    let isAskedFor = subscriptions.remove(identifier)
    keepGivenBack(identifier)
    guard isAskedFor else { return SubscriptionAnswer() }
    let token = takeToken()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { subscriber in
        unsubscribers[identifier, default: [:]][token] = subscriber
        sendRequests()
      }
    } onCancel: {
      later { $0.unsubscribers[identifier]?.removeValue(forKey: token)?.resume(returning: .failure(.cancelled)) }
    }
    return try result.get()
  }

  /// Without waiting for the answer.
  func giveBack(_ stream: MessageStream) {
    if stream.buffer === buffers[stream.identifier] { giveBack(stream.identifier) }
  }

  private func cancelSubscribe(_ identifier: Identifier) {
    guard let subscriber = subscribers.removeValue(forKey: identifier) else { return }
    giveBack(identifier)
    subscriber.resume(returning: .failure(.cancelled))
  }

  /// Nobody holds its stream any more, or its reader was cancelled; another one may have it by now.
  private func abandon(_ identifier: Identifier, reader: MQTTSession.Token) {
    guard readers[identifier] == reader, let buffer = buffers[identifier] else { return }
    guard outliving.contains(identifier), subscribers[identifier] == nil else { return giveBack(identifier) }
    readers[identifier] = nil
    unclaimed[identifier] = buffer
    subscriptions.unclaim(identifier)
  }

  /// Nobody is there to wait for the answer.
  private func giveBack(_ identifier: Identifier) {
    guard buffers[identifier] != nil || responses.subscription == identifier else { return }
    forget(identifier)
    let isAskedFor = subscriptions.remove(identifier)
    keepGivenBack(identifier)
    if isAskedFor { sendRequests() }
  }

  /// Nobody wants what comes for it any more, or has come.
  private func end(_ buffer: MessageBuffer?) {
    buffer?.release()
    buffer?.finish()
  }

  /// It is nobody's any more, and nothing more comes for it.
  private func forget(_ identifier: Identifier) {
    end(buffers.removeValue(forKey: identifier))
    unclaimed[identifier] = nil
    readers[identifier] = nil
    outliving.remove(identifier)
    requestProperties[identifier] = nil
    if full.remove(identifier) != nil, full.isEmpty { pauseReading(false) }
  }

  private func makeBuffer(_ identifier: Identifier) -> MessageBuffer {
    let whenFull: MessageBuffer.WhenFull =
      switch configuration.whenFull {
      case .pausesReading: .reports
      // Where messages are not acknowledged on arrival, the server sends so many without an answer and no more.
      case .dropsOldest: configuration.acknowledges == .onArrival ? .dropsOldest : .grows
      }
    let limits = MessageBuffer.Limits(
      count: max(configuration.messageBufferLimit, 1), bytes: max(configuration.messageBufferBytes, 1),
      whenFull: whenFull)
    return MessageBuffer(limits) { [weak self] in self?.later { $0.hasRoom(identifier) } }
  }

  private func hasRoom(_ identifier: Identifier) {
    if full.remove(identifier) != nil, full.isEmpty { pauseReading(false) }
  }

  func pauseReading(_ isPaused: Bool) { phase.client?.assumeIsolated { $0.pauseReading(isPaused) } }

  /// What the server sends for a subscription of an earlier process waits for whoever claims it.
  func bufferUnclaimed() {
    for identifier in subscriptions.unclaimed {
      let buffer = makeBuffer(identifier)
      unclaimed[identifier] = buffer
      buffers[identifier] = buffer
    }
  }

  private func endUnclaimed(_ identifier: Identifier) {
    forget(identifier)
  }

  /// Packets that are due; after a connection is lost they are due again.
  func sendRequests() {
    guard let client = phase.client, isConnected else { return }
    let identifies = takesIdentifiers
    for request in subscriptions.requests() {
      let token = takeToken()
      let properties = requestProperties[request.identifier] ?? Properties()
      let rejection = client.assumeIsolated { $0.send(request, properties, identifies: identifies, token: token) }
      guard let rejection else {
        subscriptions.asked(request, token)
        continue
      }
      if case .notConnected = rejection { return }
      subscriptions.rejected(request)
      switch request {
      case .subscribe(let identifier, _): endSubscription(identifier, .rejected(rejection), .rejected(rejection))
      case .unsubscribe(let identifier, _): answerUnsubscribers(identifier, .failure(.rejected(rejection)))
      }
    }
  }

  /// Who asked for a subscription that the server's session has need not wait.
  func answerClaims() {
    for identifier in subscribers.keys.sorted() where subscriptions.isMade(identifier) {
      let codes = subscriptions.subscriptions(identifier).map { ReasonCode(granted: $0.qos) }
      subscribers.removeValue(forKey: identifier)?.resume(returning: .success(SubscriptionAnswer(reasonCodes: codes)))
    }
  }

  private func keep(_ identifier: Identifier, _ subscriptions: [Subscription]?) {
    keep(subscriptions.map { .subscribed(identifier, $0) } ?? .unsubscribed(identifier))
  }

  /// The store keeps the subscription until the server has answered UNSUBSCRIBE: otherwise a process that ends before
  /// would leave it at the server for good, and a later process would give its number to another subscription.
  private func keepGivenBack(_ identifier: Identifier) {
    keep(subscriptions.filtersGivenBack(identifier).map { .givenBack(identifier, $0) } ?? .unsubscribed(identifier))
  }

  /// Before the client runs there is no driver to store it.
  func keep(_ change: SessionChange) {
    // Answers to this process's requests are no use to another one.
    switch change {
    case .subscribed(let identifier, _) where identifier == responses.subscription: return
    default: break
    }
    guard let client = phase.client else { return unkept.append(change) }
    client.assumeIsolated { $0.keep(change) }
  }

  func keepUnkept() {
    for change in unkept { keep(change) }
    unkept = []
  }

  /// Subscriptions of an earlier process of this session that this one has not asked for yet: `subscribe` with the same
  /// options takes one over, with the messages that the server has kept for it.
  public var unclaimedSubscriptions: [[Subscription]] { subscriptions.unclaimed.map(subscriptions.subscriptions) }

  /// Unsubscribes from those that this process has not asked for.
  public func dropUnclaimedSubscriptions() {
    for identifier in subscriptions.unclaimed {
      endUnclaimed(identifier)
      _ = subscriptions.remove(identifier)
      keepGivenBack(identifier)
    }
    sendRequests()
  }

  func answered(_ token: MQTTSession.Token, _ codes: [ReasonCode]) {
    let properties = remarks.removeValue(forKey: token)?.properties ?? Properties()
    switch subscriptions.answered(token, codes) {
    case .subscribed(let identifier, let codes):
      keep(identifier, subscriptions.subscriptions(identifier))
      let answer = SubscriptionAnswer(reasonCodes: codes, properties: properties)
      subscribers.removeValue(forKey: identifier)?.resume(returning: .success(answer))
    case .refused(let identifier, let codes): endSubscription(identifier, .refused(codes), .refused(codes))
    case .unsubscribed(let identifier, let codes):
      keep(identifier, nil)
      let isRefused = codes.contains(where: \.isError)
      requestProperties[identifier] = nil
      let answer = SubscriptionAnswer(reasonCodes: codes, properties: properties)
      answerUnsubscribers(identifier, isRefused ? .failure(.refused(codes)) : .success(answer))
    case nil: break
    }
  }

  /// - Parameters:
  ///   - failure: for who reads the stream.
  ///   - error: for who waits for it.
  func endSubscription(_ identifier: Identifier, _ failure: SubscribeError?, _ error: SubscribeError) {
    if failure != nil { keep(identifier, nil) }
    buffers.removeValue(forKey: identifier)?.finish(failure)
    forget(identifier)
    if responses.subscription == identifier { responses.subscription = nil }
    subscribers.removeValue(forKey: identifier)?.resume(returning: .failure(error))
  }

  func answerUnsubscribers(_ identifier: Identifier, _ result: Result<SubscriptionAnswer, SubscribeError>) {
    for subscriber in (unsubscribers.removeValue(forKey: identifier) ?? [:]).values {
      subscriber.resume(returning: result)
    }
  }

  func deliver(_ delivery: MQTTSession.Delivery) {
    meters?.received()
    if answer(delivery) { return accept(delivery, .success) }
    let receivers = subscriptions.receivers(of: delivery.message).filter { buffers[$0] != nil }
    guard !receivers.isEmpty else {
      unrouted += 1
      configuration.receivesUnmatched?(delivery.message)
      return accept(delivery, .success)
    }
    let streams = receivers.compactMap { buffers[$0] }
    let isAnswered = configuration.acknowledges == .onArrival || delivery.message.qos == .atMostOnce
    let receipt =
      isAnswered
      ? nil
      : Receipt(readers: streams, isManual: configuration.acknowledges == .manually) { [weak self] code in
        // Letting go of a stream lets go of this, and gives its subscription back: that comes first.
        self?.later { client in
          if let code {
            client.accept(delivery, code)
          } else {
            client.later { $0.leave(delivery) }
          }
        }
      }
    let wasFull = !full.isEmpty
    for (identifier, buffer) in zip(receivers, streams) where buffer.add(delivery, receipt) { full.insert(identifier) }
    if !wasFull && !full.isEmpty { pauseReading(true) }
  }

  /// On arrival the session has done so.
  private func accept(_ delivery: MQTTSession.Delivery, _ reasonCode: ReasonCode) {
    guard configuration.acknowledges != .onArrival else { return }
    phase.client?.assumeIsolated { $0.accept(delivery, reasonCode: reasonCode) }
  }

  /// What nobody has taken is left to come again, for as long as somebody may want it.
  private func leave(_ delivery: MQTTSession.Delivery) {
    guard !subscriptions.receivers(of: delivery.message).isEmpty else { return accept(delivery, .success) }
    phase.client?.assumeIsolated { $0.leave(delivery) }
  }
}
