import LimpetInstants
import LimpetPlatform
import MQTTCore
import NIOCore

/// Messages on their way to the server.
extension MQTTClient {
  /// Publishes a message, and returns when it is safe: at QoS 0 when the transport has it; at QoS 1 and 2 when the
  /// server has acknowledged it or, in a session that is kept (`Configuration.keepSession`), when the store has it.
  ///
  /// While there is no connection or no room, messages wait in the order of the calls: `Configuration.queueLimit` of
  /// them in a queue, further ones with their callers. QoS 0 fails then, unless `Configuration.queuesAtMostOnce` is
  /// set. After a reconnect the client sends again what the server has not acknowledged. Waiting reduces a Message
  /// Expiry Interval, in whole seconds.
  ///
  /// QoS 2 is exactly once for as long as the server keeps the session. When the server has lost it, the client
  /// publishes messages without PUBCOMP as new ones: they may arrive twice, but are not lost ([MQTT-4.3.3-6] ends with
  /// the session).
  ///
  /// Cancelling the task takes its message out of the queue; a message that was sent already completes.
  @discardableResult
  public func publish(_ message: Message) async throws(PublishError) -> PublishResult {
    guard !Task.isCancelled else { throw .cancelled }
    let token = takeToken()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { offer(message, token, Caller(continuation: $0)) }
    } onCancel: {
      later { $0.cancelPublish(token) }
    }
    return try result.get()
  }

  /// Publishes a text: see `publish(_:)`.
  @discardableResult
  public func publish(
    _ text: String, to topic: TopicName, qos: QoS = .atLeastOnce, retain: Bool = false,
    properties: Properties = Properties()
  ) async throws(PublishError) -> PublishResult {
    try await publish(Message(topic: topic, text: text, qos: qos, retain: retain, properties: properties))
  }

  /// Publishes bytes: see `publish(_:)`.
  @discardableResult
  public func publish(
    _ bytes: some Sequence<UInt8>, to topic: TopicName, qos: QoS = .atLeastOnce, retain: Bool = false,
    properties: Properties = Properties()
  ) async throws(PublishError) -> PublishResult {
    try await publish(
      Message(topic: topic, payload: ByteBuffer(bytes: bytes), qos: qos, retain: retain, properties: properties))
  }

  /// Puts a message in order after those before it, and returns; `Publication.result` later returns what `publish`
  /// would have returned. While the queue is full (`Configuration.queueLimit` and `queueBytes`), it waits for a place.
  ///
  /// - Throws: what is known at once, including `cancelled` and `closed`.
  public func enqueue(_ message: Message) async throws(PublishError) -> Publication {
    let token = takeToken()
    while pending.isFull {
      if Task.isCancelled { throw .cancelled }
      await withTaskCancellationHandler {
        await withCheckedContinuation { placeWaiters[token] = $0 }
      } onCancel: {
        later { $0.placeWaiters.removeValue(forKey: token)?.resume() }
      }
    }
    guard !Task.isCancelled else {
      // It may have been given the place that another one waits for.
      answerPlaceWaiters()
      throw .cancelled
    }
    let publication = Publication()
    // Another token than that of the waiting: they are the order of the messages.
    offer(message, takeToken(), publication)
    if case .failure(let error)? = publication.settled { throw error }
    return publication
  }

  /// In the order of their calls, as many as there are places.
  func answerPlaceWaiters(all: Bool = false) {
    guard !placeWaiters.isEmpty, all || !pending.isFull else { return }
    for token in all ? placeWaiters.keys.sorted() : [placeWaiters.keys.min() ?? 0] {
      placeWaiters.removeValue(forKey: token)?.resume()
    }
  }

  private func offer(_ message: Message, _ token: MQTTSession.Token, _ publisher: any Publisher) {
    if let error = pending.add(message, token: token, at: .now) { return publisher.give(.failure(error)) }
    publishers[token] = publisher
    pump()
    keepWaiting()
    armExpiryTimer()
  }

  /// What could not be sent at once goes into the store.
  func keepWaiting() {
    guard configuration.connection.store != nil, let client = phase.client else { return }
    for (token, message) in pending.takeUnkept() { client.assumeIsolated { $0.keep(message, token: token) } }
  }

  func stored(_ tokens: [MQTTSession.Token]) {
    // It is still sent; only nobody has to wait for that.
    for token in tokens {
      pending.callerIsGone(token)
      publishers.removeValue(forKey: token)?.give(.success(.stored))
    }
  }

  /// While the store fails only an acknowledgement makes a message safe.
  func storing(_ error: (any Error)?) {
    broadcast.send(.storing(error.map { "\($0)" }))
    // What is late may have been written.
    guard let error, !(error is StoreIsLate), !isConnected else { return }
    for token in publishers.keys.sorted() {
      if let completion = pending.storeFailed(token) { end(completion) }
    }
  }

  /// A message that was not sent is over.
  private func end(_ completion: PendingMessages.Completion) {
    if configuration.connection.store != nil { phase.client?.assumeIsolated { $0.forget(completion.token) } }
    complete(completion)
  }

  private func cancelPublish(_ token: MQTTSession.Token) {
    let isWaiting = pending.isWaiting(token)
    guard pending.cancel(token) else { return }
    let completion = PendingMessages.Completion(token: token, result: .failure(.cancelled))
    // What is under way goes on.
    if isWaiting { end(completion) } else { complete(completion) }
  }

  /// Sends what can be sent.
  func pump() {
    guard let client = phase.client else { return }
    while true {
      let (room, exactlyOnceRoom, isWritable) = client.assumeIsolated { $0.capacity }
      switch pending.next(
        room: room, exactlyOnceRoom: exactlyOnceRoom, isWritable: isWritable && bytesThisTurn < Self.bytesPerTurn,
        at: .now)
      {
      case .send(let token, let message):
        meters?.publishes()
        if message.qos == .atMostOnce { bytesThisTurn += message.payload.readableBytes + 64 }
        let rejection = client.assumeIsolated { $0.send(message, token: token) }
        // The session ends in the store what it has begun: not this.
        if configuration.connection.store != nil, rejection != nil || message.qos == .atMostOnce {
          client.assumeIsolated { $0.forget(token) }
        }
        if let rejection { settled(token, .rejected(rejection)) }
      case .complete(let completion): end(completion)
      case .nothing: return answerPlaceWaiters()
      }
    }
  }

  func settled(_ token: MQTTSession.Token, _ outcome: MQTTSession.Outcome) {
    let remark = remarks.removeValue(forKey: token)
    guard var completion = pending.settled(token, outcome) else { return }
    completion.take(remark)
    meters?.settled(completion.result)
    complete(completion)
  }

  func complete(_ completion: PendingMessages.Completion) {
    if let publisher = publishers.removeValue(forKey: completion.token) {
      publisher.give(completion.result)
    } else if let message = completion.alone, case .failure(let error) = completion.result {
      unpublished += 1
      broadcast.send(.unpublished(message, error))
    }
    if pending.isEmpty { endDrain() }
    answerPlaceWaiters()
  }

  func armExpiryTimer() {
    guard let deadline = pending.nextExpiry else { return }
    if let expiryTimer, expiryTimer.at <= deadline { return }
    expiryTimer?.task.cancel()
    let task = after(BootClock.now.duration(to: deadline)) { client in
      client.expiryTimer = nil
      for completion in client.pending.expire(at: .now) { client.end(completion) }
      client.armExpiryTimer()
    }
    expiryTimer = (deadline, task)
  }
}
