import MQTT
import NIOCore
import TestScene
import Testing

/// What lives for as long as a block of code, and what does not.
@Suite("Scopes of MQTTClient", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct ScopeTests {
  private struct Failure: Error {}

  @Test("a client lives as long as its block, publishes texts and bytes, and says DISCONNECT, on mosquitto")
  func withClient() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let texts = try await MQTTClient.withClient(try settings(broker)) { client in
        try await client.withSubscription(to: "greenhouse/#") { stream in
          try await client.publish("open", to: "greenhouse/door")
          try await client.publish([0x34, 0x32], to: "greenhouse/water", qos: .exactlyOnce)
          var texts: [String] = []
          for try await message in stream {
            texts.append("\(message.topic) \(message.text)")
            if texts.count == 2 { break }
          }
          return texts
        }
      }
      #expect(texts == ["greenhouse/door open", "greenhouse/water 42"])
      #expect(broker.count("Received UNSUBSCRIBE from a") == 1)
      try await broker.line("Received DISCONNECT from a")
    }
  }

  @Test("a block that throws leaves without DISCONNECT, so the broker publishes the will (§3.1.2.5)")
  func leavesByAnError() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: FakeBroker.obliging)
      await #expect(throws: Failure.self) {
        try await MQTTClient.withClient(settings(broker)) { client in
          try await client.publish("1", to: "t")
          throw Failure()
        }
      }
      let connection = try await broker.connection(1)
      try await connection.end()
      #expect(connection.disconnect == nil)
    }
  }

  @Test("a block that waits for nothing is no error")
  func empty() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: FakeBroker.obliging)
      #expect(try await MQTTClient.withClient(settings(broker)) { _ in 5 } == 5)
    }
  }

  @Test("a subscription's block that throws gives it back")
  func givesBack() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      try await MQTTClient.withClient(try settings(broker)) { client in
        await #expect(throws: Failure.self) {
          try await client.withSubscription(to: "t") { _ in throw Failure() }
        }
        try await broker.line("Received UNSUBSCRIBE from a")
      }
    }
  }

  @Test("a subscription that outlives its reader keeps what comes for the next one (M5)")
  func outlives() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      try await MQTTClient.withClient(try settings(broker)) { client in
        let filters = [Subscription("t", qos: .atLeastOnce)]
        do {
          let stream = try await client.subscribe(filters, outlivesReader: true)
          try await client.publish("1", to: "t")
          for try await message in stream {
            #expect(message.text == "1")
            break
          }
        }
        try await until("nobody reads it") { await client.unclaimedSubscriptions == [filters] }
        try await client.publish("2", to: "t")
        let reader = Task {
          for try await message in try await client.subscribe(filters, outlivesReader: true) { return message.text }
          return ""
        }
        #expect(try await reader.value == "2")
        // Ending the reading task is no reason either.
        let cancelled = Task {
          for try await _ in try await client.subscribe(filters, outlivesReader: true) {}
        }
        try await until("it reads") { await client.unclaimedSubscriptions.isEmpty }
        cancelled.cancel()
        _ = await cancelled.result
        try await until("nobody reads it") { await client.unclaimedSubscriptions == [filters] }
        try await client.publish("3", to: "t")
        #expect(broker.count("Received UNSUBSCRIBE from a") == 0)
        let last = try await client.subscribe(filters)
        for try await message in last {
          #expect(message.text == "3")
          break
        }
        try await client.unsubscribe(last)
        #expect(broker.count("Received UNSUBSCRIBE from a") == 1)
      }
    }
  }

  @Test("what is enqueued is in order at once, and its end is known later (M32)")
  func enqueues() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .publish = packet { return }
        FakeBroker.obliging(packet, connection)
      }
      var configuration = settings(broker)
      configuration.queueLimit = 2
      configuration.connection.inFlightLimit = 2
      try await MQTTClient.withClient(configuration) { client in
        var publications: [Publication] = []
        // Two are under way, two wait, and there is no place for a fifth.
        for number in 1...4 {
          publications.append(try await client.enqueue(Message(topic: "t", text: "\(number)")))
          if number == 2 { try await until("they are sent") { await client.counts.underWay == 2 } }
        }
        let fifth = Task { try await client.enqueue(Message(topic: "t", text: "5")) }
        let connection = try await broker.connection(1)
        #expect(publications.allSatisfy { !$0.isSettled })
        // Identifiers are given in their order.
        for identifier in 1...4 as ClosedRange<UInt16> {
          try await connection.arrival("message \(identifier)") {
            if case .publish(let publish) = $0 { publish.packetIdentifier?.rawValue == identifier } else { false }
          }
          connection.send(.puback(Acknowledgement(try #require(PacketIdentifier(rawValue: identifier)))))
          #expect(try await publications[Int(identifier) - 1].result() == .acknowledged)
        }
        let last = try await fifth.value
        try await connection.arrival("the fifth") {
          if case .publish(let publish) = $0 { publish.message.text == "5" } else { false }
        }
        connection.send(.puback(Acknowledgement(try #require(PacketIdentifier(rawValue: 5)))))
        try await last.result()
        #expect(connection.publishes.map(\.message.text) == ["1", "2", "3", "4", "5"])
      }
    }
  }

  @Test("who waits for a place in the queue can be cancelled, and is answered at the end")
  func noPlace() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: FakeBroker.obliging)
      var configuration = settings(broker)
      configuration.queueBytes = 10
      let client = MQTTClient(configuration)
      let first = try await client.enqueue(Message(topic: "t", text: "0123456789"))
      let cancelled = Task { try await client.enqueue(Message(topic: "t", text: "x")) }
      cancelled.cancel()
      guard case .failure(let error) = await cancelled.result, case PublishError.cancelled = error else {
        Issue.record("not cancelled")
        return
      }
      let waiting = Task { try await client.enqueue(Message(topic: "t", text: "x")) }
      await client.abort()
      for result in [await waiting.result.map { _ in }, await Task { try await first.result() }.result.map { _ in }] {
        guard case .failure(let error) = result, case PublishError.closed? = error as? PublishError else {
          Issue.record("not closed: \(result)")
          return
        }
      }
    }
  }
}
