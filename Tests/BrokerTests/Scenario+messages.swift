import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

extension Scenario {
  func deliversInOrder() async throws {
    let topic = topic("t")
    let codes: [ReasonCode] = [.success, .grantedQoS1, .grantedQoS2]
    let listener = try await peer("listener")
    #expect(try await listener.subscribe(topic) == [codes[Int(traits.maximumQoS.rawValue)]])
    let publisher = try await peer("publisher")
    var sent: [String] = []
    for round in 0..<2 {
      for qos in QoS.allCases where qos <= traits.maximumQoS {
        sent.append("\(round) \(qos.rawValue)")
        let result = try await publisher.publish("\(round) \(qos.rawValue)", to: topic, qos: qos)
        #expect(result.isAcknowledged == (qos != .atMostOnce))
      }
    }
    #expect(try await listener.payloads(of: topic, count: sent.count) == sent)
    for arrival in listener.arrivals {
      #expect(arrival.payload.hasSuffix("\(arrival.message.qos.rawValue)"))
      #expect(!arrival.message.retain)
    }
  }

  func takesQoS2() async throws {
    let topic = topic("t")
    let listener = try await listener(topic)
    let publisher = try await peer("publisher")
    switch traits.exactlyOnce {
    case .supported, .downgraded:
      #expect(try await publisher.publish("2", to: topic, qos: .exactlyOnce).isAcknowledged)
      #expect(try await listener.arrival(of: "2", to: topic).message.qos == traits.maximumQoS)
      #expect(publisher.losses.isEmpty)
    case .closes:
      // It is sent again on each connection, as it has to be, and meets the same end each time.
      let publishing = Task { try await publisher.publish("2", to: topic, qos: .exactlyOnce) }
      try await publisher.loss(2)
      await publisher.abort()
      await #expect(throws: PublishError.self) { try await publishing.value }
      #expect(listener.arrivals.isEmpty)
    }
  }

  func keepsRetained() async throws {
    let topic = topic("t")
    let publisher = try await peer("publisher")
    try await publisher.publish("kept", to: topic, retain: true)
    var filters = [topic]
    if traits.retainedMatchWildcards { filters.append(self.topic("+")) }
    for (index, filter) in filters.enumerated() {
      let late = try await peer("late-\(index)")
      try await late.subscribe(filter)
      let arrival = try await late.arrival(of: "kept", to: topic)
      #expect(arrival.message.retain)
      // Now it is news.
      try await publisher.publish("new-\(index)", to: topic)
      #expect(try await late.arrival(of: "new-\(index)", to: topic).message.retain == false)
    }
    // An empty one takes it away.
    try await publisher.publish("", to: topic, retain: true)
    let last = try await peer("last")
    try await last.subscribe(topic)
    try await publisher.publish("marker", to: topic)
    try await last.arrival(of: "marker", to: topic)
    #expect(last.payloads(of: topic) == ["marker"])
  }

  func carriesLargePayload() async throws {
    let topic = topic("t")
    let payload = String(repeating: "0123456789abcdef", count: 4096)
    let listener = try await listener(topic)
    let publisher = try await peer("publisher")
    try await publisher.publish(payload, to: topic)
    try await publisher.publish("marker", to: topic)
    #expect(try await listener.payloads(of: topic, count: 2) == [payload, "marker"])
    #expect(publisher.losses.isEmpty && listener.losses.isEmpty)
  }

  /// Many under way at once.
  func carriesManyMessages() async throws {
    let topics = (0..<8).map { topic("many/\($0)") }
    let listener = try await listener(topic("many/+"))
    let publisher = try await peer("publisher")
    let numbers = (0..<traits.manyMessages(over: lane.transport) / topics.count).map { "\($0)" }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for topic in topics {
        group.addTask { for number in numbers { try await publisher.publish(number, to: topic) } }
      }
      try await group.waitForAll()
    }
    let count = numbers.count * topics.count
    try await until("\(count) messages", within: .seconds(60)) { listener.arrivals.count >= count }
    for topic in topics { #expect(listener.payloads(of: topic) == numbers) }
    #expect(publisher.losses.isEmpty && listener.losses.isEmpty)
  }

  func matchesWildcards() async throws {
    let listener = try await peer("listener")
    try await listener.subscribe(topic("+/state"), topic("deep/#"), qos: .atLeastOnce)
    let publisher = try await peer("publisher")
    for name in ["a/state", "a/other", "deep/x/y", "b/state", "deep", "other", "end/state"] {
      try await publisher.publish(name, to: topic(name))
    }
    try await listener.arrival(to: topic("end/state"))
    // `#` stands for the level above it too (MQTT 5.0 §4.7.1.2).
    #expect(listener.arrivals.map(\.payload) == ["a/state", "deep/x/y", "b/state", "deep", "end/state"])
  }

  func sharesSubscription() async throws {
    let topic = topic("t")
    let listeners = [try await peer("one"), try await peer("two")]
    for listener in listeners { try await listener.subscribe("$share/group/\(topic)", qos: .atLeastOnce) }
    let publisher = try await peer("publisher")
    let numbers = (0..<100).map { "\($0)" }
    for number in numbers { try await publisher.publish(number, to: topic) }
    try await until("each message once") { listeners.reduce(0) { $0 + $1.arrivals.count } >= numbers.count }
    #expect(Set(listeners.flatMap { $0.payloads(of: topic) }) == Set(numbers))
    #expect(listeners.allSatisfy { !$0.arrivals.isEmpty })
  }

  func refusesSharedSubscription() async throws {
    let peer = try await peer("a")
    do {
      try await peer.subscribe("$share/group/\(topic("t"))")
      Issue.record("it was taken")
    } catch SubscribeError.rejected(.featureNotSupported(let code)) {
      #expect(code == .sharedSubscriptionsNotSupported)
    }
    #expect(peer.losses.isEmpty)
  }

  func carriesProperties() async throws {
    let topic = topic("t")
    let listener = try await listener(topic)
    let publisher = try await peer("publisher")
    var properties = Properties()
    properties.payloadFormatIndicator = true
    properties.messageExpiryInterval = 300
    properties.contentType = "application/json"
    properties.responseTopic = self.topic("answer")
    properties.correlationData = ByteBuffer(bytes: [0, 1, 0xFF])
    properties.addUserProperty("unit", "°C")
    properties.addUserProperty("unit", "K")
    try await publisher.publish("{}", to: topic, properties: properties)
    let arrived = try await listener.arrival(of: "{}", to: topic).message.properties
    #expect(arrived.payloadFormatIndicator == true)
    #expect((290...300).contains(arrived.messageExpiryInterval ?? 0))
    #expect(arrived.contentType == "application/json")
    #expect(arrived.responseTopic == self.topic("answer"))
    #expect(arrived.correlationData == ByteBuffer(bytes: [0, 1, 0xFF]))
    #expect(arrived.userProperties.map { "\($0.name)=\($0.value)" } == ["unit=°C", "unit=K"])
  }

  /// More topics than there are aliases, and each of them again and again.
  func abbreviatesTopics() async throws {
    let listener = try await listener(topic("a/long/way/down/#"))
    let publisher = try await peer("publisher")
    let count = Int(traits.topicAliasMaximum) + 5
    for round in 0..<3 {
      for number in 0..<count {
        try await publisher.publish("\(number) \(round)", to: topic("a/long/way/down/\(number)"))
      }
    }
    try await until("all messages") { listener.arrivals.count >= 3 * count }
    for number in 0..<count {
      #expect(
        listener.payloads(of: topic("a/long/way/down/\(number)")) == (0..<3).map { "\(number) \($0)" })
    }
    #expect(publisher.losses.isEmpty)
  }
}
