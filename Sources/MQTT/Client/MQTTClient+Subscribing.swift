import MQTTCore

/// What the server sends, and who it is for.
extension MQTTClient {
  /// Subscribes, and returns once the server has agreed to at least one of the filters; it waits for a connection
  /// where there is none. After a reconnect without the session the subscription is made again, with its options and
  /// without filters that the server refused.
  ///
  /// Where servers do not say which subscription a message is for (3.1.1 has no Subscription Identifiers), and send one
  /// copy for each that matches ([MQTT-3.3.5-1] of it lets them), streams whose filters overlap get every copy: nobody
  /// can tell whether a server sends one or several.
  ///
  /// - Returns: the messages that match one of the filters, retained ones included.
  public func subscribe(_ filters: [Subscription]) async throws(SubscribeError) -> MessageStream {
    guard !Task.isCancelled else { throw .cancelled }
    if case .ended(let loss) = phase { throw .closed(loss) }
    let identifier = try subscriptions.claimOrAdd(filters)
    for identifier in subscriptions.takeSuperseded() {
      endUnclaimed(identifier)
      keepGivenBack(identifier)
    }
    let (buffer, messages) = unclaimed.removeValue(forKey: identifier) ?? makeBuffer(identifier)
    buffers[identifier] = buffer
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { subscriber in
        subscribers[identifier] = subscriber
        if isConnected { answerClaims() }
        sendRequests()
      }
    } onCancel: {
      later { $0.cancelSubscribe(identifier) }
    }
    return MessageStream(
      reasonCodes: try result.get(), identifier: identifier, buffer: buffer, messages: messages)
  }

  /// Gives a subscription back; its stream ends once it has been read to the end, and what has not been read counts as
  /// taken. Returns when the server has answered, or its session has ended; at once where it knew nothing of the
  /// subscription.
  public func unsubscribe(_ stream: MessageStream) async throws(SubscribeError) {
    guard !Task.isCancelled else { throw .cancelled }
    let identifier = stream.identifier
    guard stream.buffer === buffers[identifier] else { return }
    end(buffers.removeValue(forKey: identifier))
    let isAskedFor = subscriptions.remove(identifier)
    keepGivenBack(identifier)
    guard isAskedFor else { return }
    let token = takeToken()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { subscriber in
        unsubscribers[identifier, default: [:]][token] = subscriber
        sendRequests()
      }
    } onCancel: {
      later { $0.unsubscribers[identifier]?.removeValue(forKey: token)?.resume(returning: .failure(.cancelled)) }
    }
    _ = try result.get()
  }

  private func cancelSubscribe(_ identifier: Identifier) {
    guard let subscriber = subscribers.removeValue(forKey: identifier) else { return }
    giveBack(identifier)
    subscriber.resume(returning: .failure(.cancelled))
  }

  /// Nobody is there to wait for the answer.
  private func giveBack(_ identifier: Identifier) {
    guard let buffer = buffers.removeValue(forKey: identifier) else { return }
    end(buffer)
    let isAskedFor = subscriptions.remove(identifier)
    keepGivenBack(identifier)
    if isAskedFor { sendRequests() }
  }

  /// Nobody wants what comes for it any more, or has come.
  private func end(_ buffer: MessageBuffer?) {
    buffer?.release()
    buffer?.finish()
  }

  private func makeBuffer(_ identifier: Identifier) -> (MessageBuffer, AsyncStream<MessageBuffer.Element>) {
    MessageBuffer.make(limit: bufferLimit) { [weak self] in self?.later { $0.giveBack(identifier) } }
  }

  /// What the server sends for a subscription of an earlier process waits for whoever claims it.
  func bufferUnclaimed() {
    for identifier in subscriptions.unclaimed {
      let (buffer, messages) = makeBuffer(identifier)
      unclaimed[identifier] = (buffer, messages)
      buffers[identifier] = buffer
    }
  }

  private func endUnclaimed(_ identifier: Identifier) {
    end(buffers.removeValue(forKey: identifier))
    unclaimed[identifier] = nil
  }

  /// Packets that are due; after a connection is lost they are due again.
  func sendRequests() {
    guard let client = phase.client, isConnected else { return }
    let identifies = takesIdentifiers
    for request in subscriptions.requests() {
      let token = takeToken()
      let rejection = client.assumeIsolated { $0.send(request, identifies: identifies, token: token) }
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
      subscribers.removeValue(forKey: identifier)?.resume(returning: .success(codes))
    }
  }

  private func keep(_ identifier: Identifier, _ subscriptions: [Subscription]?) {
    keep(subscriptions.map { .subscribed(identifier, $0) } ?? .unsubscribed(identifier))
  }

  /// The store remembers it until the server has heard: a process that ends before would leave it there for good, and
  /// give its number to another one.
  private func keepGivenBack(_ identifier: Identifier) {
    keep(subscriptions.filtersGivenBack(identifier).map { .givenBack(identifier, $0) } ?? .unsubscribed(identifier))
  }

  /// Before the client runs there is nobody to tell.
  func keep(_ change: SessionChange) {
    guard let client = phase.client else { return unkept.append(change) }
    client.assumeIsolated { $0.keep(change) }
  }

  func keepUnkept() {
    for change in unkept { keep(change) }
    unkept = []
  }

  /// Filters that an earlier process of this session subscribed to and that nobody has asked for in this one: `subscribe`
  /// with the same options takes one over, with what the server has kept for it.
  public var unclaimedSubscriptions: [[Subscription]] { subscriptions.unclaimed.map(subscriptions.subscriptions) }

  /// Gives those back that nobody has asked for.
  public func dropUnclaimedSubscriptions() {
    for identifier in subscriptions.unclaimed {
      endUnclaimed(identifier)
      _ = subscriptions.remove(identifier)
      keepGivenBack(identifier)
    }
    sendRequests()
  }

  func answered(_ token: Session.Token, _ codes: [ReasonCode]) {
    switch subscriptions.answered(token, codes) {
    case .subscribed(let identifier, let codes):
      keep(identifier, subscriptions.subscriptions(identifier))
      subscribers.removeValue(forKey: identifier)?.resume(returning: .success(codes))
    case .refused(let identifier, let codes): endSubscription(identifier, .refused(codes), .refused(codes))
    case .unsubscribed(let identifier, let codes):
      keep(identifier, nil)
      let isRefused = codes.contains(where: \.isError)
      answerUnsubscribers(identifier, isRefused ? .failure(.refused(codes)) : .success(codes))
    case nil: break
    }
  }

  /// - Parameters:
  ///   - failure: for who reads the stream.
  ///   - error: for who waits for it.
  func endSubscription(_ identifier: Identifier, _ failure: SubscribeError?, _ error: SubscribeError) {
    if failure != nil { keep(identifier, nil) }
    buffers.removeValue(forKey: identifier)?.finish(failure)
    unclaimed[identifier] = nil
    subscribers.removeValue(forKey: identifier)?.resume(returning: .failure(error))
  }

  func answerUnsubscribers(_ identifier: Identifier, _ result: Result<[ReasonCode], SubscribeError>) {
    for subscriber in (unsubscribers.removeValue(forKey: identifier) ?? [:]).values {
      subscriber.resume(returning: result)
    }
  }

  /// Where messages are acknowledged when they are read, the server sends no more than this without an answer.
  private var bufferLimit: Int {
    configuration.acknowledges == .whenRead ? Int(UInt16.max) : configuration.messageBufferLimit
  }

  func deliver(_ delivery: Session.Delivery) {
    let receivers = subscriptions.receivers(of: delivery.message).compactMap { buffers[$0] }
    let isAnswered = configuration.acknowledges == .onArrival || delivery.message.qos == .atMostOnce
    guard !receivers.isEmpty else {
      unrouted += 1
      return isAnswered ? () : answer(delivery, isTaken: true)
    }
    let receipt =
      isAnswered
      ? nil
      : Receipt(readers: receivers) { [weak self] isTaken in
        // Letting go of a stream lets go of this, and gives its subscription back: that comes first.
        self?.later { client in
          if isTaken {
            client.answer(delivery, isTaken: true)
          } else {
            client.later { $0.answer(delivery, isTaken: false) }
          }
        }
      }
    for buffer in receivers { buffer.add(delivery.message, receipt) }
  }

  /// What nobody has taken is left to come again, for as long as somebody may want it.
  private func answer(_ delivery: Session.Delivery, isTaken: Bool) {
    let isOver = isTaken || subscriptions.receivers(of: delivery.message).isEmpty
    phase.client?.assumeIsolated { client in
      if isOver { client.accept(delivery) } else { client.leave(delivery) }
    }
  }
}
