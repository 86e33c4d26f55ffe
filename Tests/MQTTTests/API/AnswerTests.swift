import MQTT
import NIOCore
import Synchronization
import TestScene
import Testing

/// What servers and applications say with their answers.
@Suite("Answers, limits and ends of MQTTClient", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct AnswerTests {
  @Test("a message is acknowledged by hand, with the reason that the application gives; DUP is told [MQTT-3.4.2-1]")
  func acknowledges() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: FakeBroker.obliging)
      var configuration = settings(broker)
      configuration.acknowledges = .manually
      try await MQTTClient.withClient(configuration) { client in
        let stream = try await client.subscribe(to: "t")
        let connection = try await broker.connection(1)
        connection.publish("1", qos: .atLeastOnce, 1)
        connection.publish("2", qos: .exactlyOnce, 2, duplicate: true)
        connection.publish("3", qos: .exactlyOnce, 3)
        var messages = stream.makeAsyncIterator()
        let first = try #require(try await messages.next())
        let second = try #require(try await messages.next())
        let third = try #require(try await messages.next())
        #expect(!first.isDuplicate && second.isDuplicate && !third.isDuplicate)
        // The order of the answers is that of the messages.
        third.acknowledge()
        second.acknowledge(.quotaExceeded)
        #expect(!connection.packets.contains { $0.type == .puback || $0.type == .pubrec })
        first.acknowledge(.notAuthorized)
        first.acknowledge()
        try await connection.arrival("the third answer") {
          if case .pubrec(let answer) = $0 { answer.packetIdentifier.rawValue == 3 } else { false }
        }
        let answers = connection.packets.compactMap { packet -> Acknowledgement? in
          switch packet {
          case .puback(let answer), .pubrec(let answer): answer
          default: nil
          }
        }
        #expect(answers.map(\.packetIdentifier.rawValue) == [1, 2, 3])
        #expect(answers.map(\.reasonCode) == [.notAuthorized, .quotaExceeded, .success])
        // A refused message is over: its identifier is free.
        connection.publish("again", qos: .exactlyOnce, 2)
        let again = try #require(try await messages.next())
        #expect(again.text == "again")
        again.acknowledge()
      }
    }
  }

  @Test("what a server says with an answer, and what an application says with a request, gets through (M33)")
  func properties() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        var words = Properties()
        words.reasonString = "so it is"
        switch packet {
        case .publish(let publish):
          guard let identifier = publish.packetIdentifier else { return }
          connection.send(
            .puback(Acknowledgement(identifier, reasonCode: .noMatchingSubscribers, properties: words)))
        case .subscribe(let subscribe):
          connection.send(
            .suback(
              SubscriptionAcknowledgement(
                subscribe.packetIdentifier, reasonCodes: [.grantedQoS1], properties: words)))
        case .unsubscribe(let unsubscribe):
          connection.send(
            .unsuback(
              SubscriptionAcknowledgement(
                unsubscribe.packetIdentifier, reasonCodes: [.noSubscriptionExisted], properties: words)))
        default: FakeBroker.obliging(packet, connection)
        }
      }
      let client = MQTTClient(settings(broker))
      async let run: Void = client.run()
      let result = try await client.publish("1", to: "t")
      #expect(result.isAcknowledged && result.reasonCode == .noMatchingSubscribers)
      #expect(result.properties.reasonString == "so it is")
      var asked = Properties()
      asked.addUserProperty("who", "me")
      let stream = try await client.subscribe([Subscription("t", qos: .atLeastOnce)], properties: asked)
      #expect(stream.properties.reasonString == "so it is")
      let answer = try await client.unsubscribe(stream, properties: asked)
      #expect(answer.properties.reasonString == "so it is" && answer.reasonCodes == [.noSubscriptionExisted])
      await client.disconnect(properties: asked)
      try await run
      let connection = try await broker.connection(1)
      for packet in connection.packets {
        let found: Properties? =
          switch packet {
          case .subscribe(let packet): packet.properties
          case .unsubscribe(let packet): packet.properties
          case .disconnect(let packet): packet.properties
          default: nil
          }
        if let found { #expect(found.userProperties.first?.value == "me", "\(packet.type)") }
      }
      #expect(connection.disconnect != nil)
    }
  }

  @Test("the server's limits are a value, while there is a connection")
  func limits() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(
        answer: agreeing {
          $0.receiveMaximum = 7
          $0.retainAvailable = false
        })
      let client = MQTTClient(settings(broker))
      #expect(await client.limits == nil)
      async let run: Void = client.run()
      _ = try await client.subscribe(to: "t")
      let limits = try #require(await client.limits)
      #expect(limits.receiveMaximum == 7 && !limits.retainAvailable)
      await client.disconnect()
      try await run
      #expect(await client.limits == nil)
    }
  }

  @Test("no topic alias and no Subscription Identifier goes out where none is wanted", arguments: [true, false])
  func wanted(isWanted: Bool) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: agreeing { $0.topicAliasMaximum = 10 })
      var configuration = settings(broker)
      configuration.connection.usesTopicAliases = isWanted
      configuration.usesSubscriptionIdentifiers = isWanted
      configuration.connection.announcesMaximumPacketSize = isWanted
      try await MQTTClient.withClient(configuration) { client in
        _ = try await client.subscribe(to: "t")
        for _ in 0..<2 { try await client.publish("1", to: "a/rather/long/topic") }
      }
      let connection = try await broker.connection(1)
      #expect((connection.connect?.properties.maximumPacketSize != nil) == isWanted)
      for publish in connection.publishes { #expect((publish.message.properties.topicAlias != nil) == isWanted) }
      let subscribe = try await connection.arrival("SUBSCRIBE") { $0.type == .subscribe }
      guard case .subscribe(let packet) = subscribe.packet else { return }
      #expect((packet.properties.subscriptionIdentifier != nil) == isWanted)
    }
  }

  @Test("a client stops after the losses that it is told to: taken over, or refused", arguments: [true, false])
  func stops(isTakenOver: Bool) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet else { return }
        let isRefused = !isTakenOver
        connection.send(
          .connack(ConnAck(sessionPresent: false, reasonCode: isRefused ? .badUserNameOrPassword : .success)))
        if isTakenOver { connection.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver))) }
        connection.close()
      }
      var configuration = settings(broker)
      configuration.stopsAfter = { $0.isTakeOver || $0.isRefusedForGood }
      let client = MQTTClient(configuration)
      let error = await #expect(throws: ConnectionLoss.self) { try await client.run() }
      #expect(error.map { isTakenOver ? $0.isTakeOver : $0.isRefusedForGood } == true)
      #expect(broker.connections.count == 1)
      guard
        case .closed? = await #expect(throws: PublishError.self, performing: { try await client.publish("", to: "t") })
      else {
        Issue.record("not closed")
        return
      }
    }
  }

  @Test("a message that is for no subscription of this client can be heard all the same (M33)")
  func unmatched() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        FakeBroker.obliging(packet, connection)
        if case .connect = packet { connection.publish("1", to: "other", qos: .atLeastOnce, 1) }
      }
      let heard = Mutex<[TopicName]>([])
      var configuration = settings(broker)
      configuration.receivesUnmatched = { message in heard.withLock { $0.append(message.topic) } }
      try await MQTTClient.withClient(configuration) { client in
        try await until("it was heard") { heard.withLock { $0 } == ["other"] }
        #expect(await client.counts.unrouted == 1)
      }
    }
  }
}
