import LimpetInstants
import LimpetPlatform
import MQTTCore
import NIOCore

/// Requests that wait for their response.
final class Responses {
  typealias Waiter = CheckedContinuation<Result<ReceivedMessage, RequestError>, Never>

  /// By correlation data.
  var waiters: [ByteBuffer: Waiter] = [:]
  /// Where answers come, once there is a subscription to it.
  var topic: TopicName?
  var subscription: SubscriptionTable.Identifier?
  /// Those who wait for that subscription, behind the one who makes it.
  var isSubscribing = false
  var subscribers: [CheckedContinuation<Void, Never>] = []
}

/// Request and response (MQTT 5.0 §4.10).
extension MQTTClient {
  /// Publishes a request, and returns the response: a message to this client's response topic with the request's
  /// correlation data. The client adds both to the request. MQTT 5 only.
  ///
  /// One subscription, made for the first request, serves all of them (`Configuration.responseTopic`).
  ///
  /// - Parameters:
  ///   - message: the request.
  ///   - limit: the time for everything, from waiting for a connection to the response.
  public func request(
    _ message: Message, within limit: Duration = .seconds(10)
  ) async throws(RequestError) -> ReceivedMessage {
    guard !Task.isCancelled else { throw .cancelled }
    let correlation = Self.makeCorrelation()
    let timer = after(limit) { $0.answer(correlation, .failure(.timedOut(after: limit))) }
    defer { timer.cancel() }
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { waiter in
        responses.waiters[correlation] = waiter
        Task { await self.send(message, correlation) }
      }
    } onCancel: {
      later { $0.answer(correlation, .failure(.cancelled)) }
    }
    return try result.get()
  }

  /// Nobody guesses it.
  private static func makeCorrelation() -> ByteBuffer {
    var random = SystemRandomNumberGenerator()
    var correlation = ByteBuffer()
    for _ in 0..<2 { correlation.writeInteger(random.next() as UInt64) }
    return correlation
  }

  /// Publishes a text as a request: see `request(_:within:)`.
  public func request(
    _ text: String, to topic: TopicName, qos: QoS = .atLeastOnce, within limit: Duration = .seconds(10)
  ) async throws(RequestError) -> ReceivedMessage {
    try await request(Message(topic: topic, text: text, qos: qos), within: limit)
  }

  /// Publishes a response to the request's response topic, with its correlation data; does nothing if the request has
  /// no response topic.
  public func respond(
    to request: ReceivedMessage, with text: String, qos: QoS = .atLeastOnce, properties: Properties = Properties()
  ) async throws(PublishError) {
    guard let topic = request.properties.responseTopic.flatMap({ try? TopicName($0) }) else { return }
    var properties = properties
    properties.correlationData = request.properties.correlationData
    try await publish(text, to: topic, qos: qos, properties: properties)
  }

  private func send(_ message: Message, _ correlation: ByteBuffer) async {
    do throws(RequestError) {
      let topic = try await responseTopic()
      // Its time may be over.
      guard responses.waiters[correlation] != nil else { return }
      var message = message
      message.properties.responseTopic = topic.description
      message.properties.correlationData = correlation
      do { _ = try await publish(message) } catch { throw .publish(error) }
    } catch { answer(correlation, .failure(error)) }
  }

  /// Where answers come: subscribed to.
  private func responseTopic() async throws(RequestError) -> TopicName {
    while responses.isSubscribing { await withCheckedContinuation { responses.subscribers.append($0) } }
    if case .ended(let loss) = phase { throw .closed(loss) }
    if let topic = responses.topic, responses.subscription != nil { return topic }
    responses.isSubscribing = true
    defer {
      responses.isSubscribing = false
      for subscriber in responses.subscribers { subscriber.resume() }
      responses.subscribers = []
    }
    if let isOld, isOld { throw .notSupported }
    let topic = makeResponseTopic()
    responses.topic = topic
    do throws(SubscribeError) {
      let filter = try TopicFilter(of: topic)
      // Of an earlier process of this session, or of a request that failed.
      let identifier = try subscriptions.claimOrAdd([Subscription(filter, qos: .atLeastOnce, noLocal: false)])
      responses.subscription = identifier
      _ = try await subscribed(identifier)
    } catch {
      responses.subscription = nil
      throw .subscribe(error)
    }
    if let isOld, isOld { throw .notSupported }
    return topic
  }

  /// nil: there is no connection, so nobody knows.
  private var isOld: Bool? { version.map { $0 == .v311 } }

  private func makeResponseTopic() -> TopicName {
    if let topic = configuration.responseTopic { return topic }
    let identifier = limits?.clientIdentifier ?? configuration.connect.clientIdentifier
    let levels = identifier.map { "/+#\0".contains($0) ? "_" : String($0) }.joined()
    let base = limits?.responseInformation.map { $0.hasSuffix("/") ? $0 : $0 + "/" } ?? ""
    return (try? TopicName("\(base)responses/\(levels)")) ?? "responses"
  }

  private func answer(_ correlation: ByteBuffer, _ result: Result<ReceivedMessage, RequestError>) {
    responses.waiters.removeValue(forKey: correlation)?.resume(returning: result)
  }

  /// Whether a message is a response; one that comes too late is one too.
  func answer(_ delivery: MQTTSession.Delivery) -> Bool {
    guard let topic = responses.topic, responses.subscription != nil, delivery.message.topic == topic else {
      return false
    }
    guard let data = delivery.message.properties.correlationData, responses.waiters[data] != nil else {
      unrouted += 1
      return true
    }
    answer(
      data,
      .success(
        ReceivedMessage(message: delivery.message, isDuplicate: delivery.duplicate, receipt: nil, buffer: nil)))
    return true
  }

  func endRequests(_ loss: ConnectionLoss) {
    for waiter in responses.waiters.values { waiter.resume(returning: .failure(.closed(loss))) }
    responses.waiters = [:]
    responses.subscription = nil
  }
}

extension TopicFilter {
  /// The one that matches this topic alone.
  fileprivate init(of topic: TopicName) throws(SubscribeError) {
    do { self = try TopicFilter(topic.description) } catch { throw .noFilter }
  }
}
