import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

@Suite("MQTTClient with a session that is kept", .showsLogs, .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct MQTTClientStoreTests {
  private let store = MemoryStore()

  private func configuration(port: Int, _ name: String = "kept") async throws -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)], clientIdentifier: name)
    configuration.connection.reconnect.minimum = .milliseconds(50)
    configuration.connection.reconnect.maximum = .milliseconds(200)
    if name == "kept" { try await configuration.keepSession(in: store) }
    return configuration
  }

  private func message(_ payload: String, qos: QoS = .atLeastOnce) -> Message {
    Message(topic: "kept/t", payload: ByteBuffer(string: payload), qos: qos)
  }

  /// Runs a client while the body does.
  private func running(
    _ configuration: MQTTClient.Configuration, _ body: (MQTTClient) async throws -> Void
  ) async throws {
    let client = MQTTClient(configuration)
    let run = Task { try await client.run() }
    try await body(client)
    await client.disconnect()
    _ = await run.result
  }

  /// A process that subscribes, and ends with its subscription.
  private func subscribe(_ filters: [Subscription], port: Int) async throws {
    try await running(configuration(port: port)) { client in
      let stream = try await client.subscribe(filters)
      await client.disconnect()
      withExtendedLifetime(stream) {}
    }
  }

  /// Payloads, until there are so many.
  private func payloads(_ stream: MessageStream, _ count: Int) async throws -> [String] {
    var payloads: [String] = []
    for try await message in stream {
      payloads.append(String(buffer: message.payload))
      if payloads.count == count { break }
    }
    return payloads
  }

  @Test(
    "publish returns when the message is stored, and another process sends it, in order and once [behaviour 50]",
    arguments: [QoS.atLeastOnce, .exactlyOnce])
  func sendsLater(qos: QoS) async throws {
    try await withScene { scene in
      let away = try freePort()
      try await running(configuration(port: away)) { client in
        for number in 1...3 {
          let result = try await client.publish(message("\(number)", qos: qos))
          #expect(result == .stored)
        }
        await client.abort()
      }
      #expect(store.state.messages.map(\.state) == [.queued, .queued, .queued])
      let counts = await MQTTClient(try await configuration(port: away)).counts
      #expect((counts.queued, counts.underWay) == (3, 0))
      let broker = try await scene.mosquitto()
      try await running(configuration(port: broker.port, "listener")) { listener in
        let stream = try await listener.subscribe([Subscription("kept/#", qos: .exactlyOnce)])
        try await running(configuration(port: broker.port)) { client in
          try await client.publish(message("4", qos: qos))
          let heard = try await payloads(stream, 4)
          #expect(heard == ["1", "2", "3", "4"])
        }
      }
      #expect(store.state.messages.isEmpty, "all of it is over")
    }
  }

  @Test(
    "without a connection a store that cannot be written fails the call, and the message is not sent [behaviour 51]")
  func fails() async throws {
    store.fill()
    try await running(configuration(port: freePort())) { client in
      await #expect {
        try await client.publish(message("1"))
      } throws: {
        if case .notStored? = $0 as? PublishError { true } else { false }
      }
      #expect(await client.counts.queued == 0)
      await client.abort()
    }
  }

  @Test("a store that cannot be written is told, and the end completes all the same [behaviour 7]")
  func endsWithoutStore() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let configuration = try await configuration(port: broker.port)
      store.fill()
      let client = MQTTClient(configuration)
      let run = Task { try await client.run() }
      while await !client.isConnected { await Task.yield() }
      await client.disconnect()
      await #expect(throws: MQTTClientError.notStored("Full()")) { try await run.value }
      try await broker.line("Received DISCONNECT from kept")
    }
  }

  @Test("a message that is cancelled while it waits leaves the store")
  func cancels() async throws {
    var configuration = try await configuration(port: freePort())
    configuration.queueLimit = 1
    try await running(configuration) { client in
      try await client.publish(message("1"))
      // Held back, since the queue is full, and so not stored.
      let second = Task { try await client.publish(message("2")) }
      try await until("it is held back") { await client.counts.heldBack == 1 }
      second.cancel()
      guard case .failure(let error) = await second.result, case .cancelled? = error as? PublishError else {
        Issue.record("not cancelled")
        return
      }
      await client.abort()
    }
    #expect(store.state.messages.map { String(buffer: $0.message.payload) } == ["1"])
  }

  @Test("a subscription is the session's: who claims it in another process gets what came meanwhile [behaviour 65]")
  func claims() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let filters = [Subscription("kept/#", qos: .atLeastOnce)]
      try await subscribe(filters, port: broker.port)
      #expect(store.state.subscriptions.values.map { $0 } == [filters])
      try await running(configuration(port: broker.port, "other")) { other in
        for number in 1...3 { try await other.publish(message("\(number)")) }
      }
      let client = MQTTClient(try await configuration(port: broker.port))
      #expect(await client.unclaimedSubscriptions == [filters])
      async let subscribing = client.subscribe(filters)
      try await until("it is claimed") { await client.unclaimedSubscriptions.isEmpty }
      let run = Task { try await client.run() }
      let heard = try await payloads(subscribing, 3)
      #expect(heard == ["1", "2", "3"])
      #expect(broker.count("Received SUBSCRIBE from kept") == 1)
      await client.disconnect()
      try await run.value
    }
  }

  @Test("subscriptions that nobody claims are given back when that is asked for")
  func drops() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let filters = [Subscription("kept/#", qos: .atLeastOnce)]
      try await subscribe(filters, port: broker.port)
      try await running(configuration(port: broker.port)) { client in
        try await client.publish(message("1"))
        await client.dropUnclaimedSubscriptions()
        try await broker.line("Received UNSUBSCRIBE from kept")
      }
      #expect(store.state.subscriptions.isEmpty)
    }
  }

  @Test("while the broker acknowledges at once nothing is written for QoS 1")
  func writesNothing() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var configuration = try await configuration(port: broker.port)
      configuration.connection.storeDelay = .seconds(60)
      try await running(configuration) { client in
        while await !client.isConnected { await Task.yield() }
        for number in 1...50 { try await client.publish(message("\(number)")) }
        #expect(store.writes <= 1, "whose session it is")
      }
      #expect(store.writes == 1)
      #expect(store.state.owner?.clientIdentifier == "kept")
    }
  }
}
