import MQTT
import NIOCore
import Synchronization
import TestScene
import Testing

@testable import MQTTCore

/// How messages of `MQTTClient` wait and pass each other, on servers that answer as a test likes.
@Suite("MQTTClient's queue", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct MQTTClientQueueTests {
  private let store = MemoryStore()

  private func configuration(_ broker: FakeBroker, isStored: Bool = false) async throws -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: broker.port)], clientIdentifier: "queue")
    configuration.connection.version = .v5
    configuration.connection.reconnect.minimum = .milliseconds(20)
    configuration.connection.reconnect.maximum = .milliseconds(50)
    if isStored { try await configuration.keepSession(in: store) }
    return configuration
  }

  private func running(
    _ configuration: MQTTClient.Configuration, _ body: (MQTTClient) async throws -> Void
  ) async throws {
    let client = MQTTClient(configuration)
    let run = Task { try await client.run() }
    do { try await body(client) } catch {
      await client.abort()
      throw error
    }
    await client.abort()
    _ = await run.result
  }

  private static func agree(_ connection: FakeConnection, _ change: (inout Properties) -> Void) {
    var properties = Properties()
    change(&properties)
    connection.send(.connack(ConnAck(sessionPresent: false, reasonCode: .success, properties: properties)))
  }

  @Test("QoS 0 passes while the window of QoS 1 is full, however much of it there is")
  func passesFullWindow() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        // PUBACK is withheld.
        if case .connect = packet { Self.agree(connection) { $0.receiveMaximum = 1 } }
      }
      try await running(configuration(broker)) { client in
        try await until("connected") { await client.isConnected }
        let first = Task { try await client.publish(Message(topic: "t", payload: ByteBuffer(), qos: .atLeastOnce)) }
        let connection = try await broker.connection(1)
        try await connection.arrival("the first") { $0.type == .publish }
        let payload = ByteBuffer(repeating: 0, count: 1000)
        let others = Task {
          for _ in 0..<100 { try await client.publish(Message(topic: "t", payload: payload, qos: .atMostOnce)) }
        }
        try await until("all of them have arrived") { connection.publishes.count == 101 }
        try await others.value
        first.cancel()
      }
    }
  }

  @Test("run on a task that is cancelled already ends the client: whoever waits to publish is answered [behaviour 14]")
  func runsCancelled() async throws {
    let client = MQTTClient(
      MQTTClient.Configuration(
        servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: 1)], clientIdentifier: "queue"))
    let publishing = Task { try await client.publish(Message(topic: "t", payload: ByteBuffer(), qos: .atLeastOnce)) }
    try await until("it waits") { await client.counts.queued == 1 }
    let run = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await client.run()
    }
    await #expect(throws: CancellationError.self) { try await run.value }
    guard case .failure(PublishError.closed(.aborted)) = await publishing.result else {
      Issue.record("it waits on")
      return
    }
  }

  @Test("a network that changed ends MQTTClient's back-off, and cuts a connection whose address is gone")
  func networkChanges() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker()
      var configuration = try await configuration(broker)
      configuration.connection.reconnect.minimum = .seconds(3600)
      configuration.connection.reconnect.maximum = .seconds(3600)
      try await running(configuration) { client in
        try await broker.connection(1).arrival("CONNECT") { $0.type == .connect }
        try await until("connected") { await client.isConnected }
        await client.tick()
        await client.networkChanged(addresses: ["127.0.0.1"])
        #expect(await client.isConnected)
        await client.networkChanged(addresses: [])
        try await until("it is cut") { await !client.isConnected }
        try await until("the next attempt") {
          await client.networkChanged(addresses: nil)
          return broker.connections.count == 2
        }
      }
    }
  }

  @Test("QoS 0 that may wait does so while a connection is closing, and goes by the next one")
  func waitsWhileClosing() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        switch packet {
        case .connect: Self.agree(connection) { _ in }
        case .publish where connection.number == 1:
          // It is over, and TCP stays open: what the client says is not read.
          connection.stopReading()
          connection.send(.disconnect(Disconnect(reasonCode: .serverShuttingDown)))
        default: break
        }
      }
      var configuration = try await configuration(broker)
      configuration.queuesAtMostOnce = true
      // The next connection comes when the test says so: it must not be there before the end was seen.
      configuration.connection.reconnect.minimum = .seconds(3600)
      configuration.connection.reconnect.maximum = .seconds(3600)
      try await running(configuration) { client in
        try await client.publish(Message(topic: "t", payload: ByteBuffer(), qos: .atMostOnce))
        try await until("the end is known") { await !client.isConnected }
        // It waits for the next connection.
        async let late = client.publish(Message(topic: "late", payload: ByteBuffer(), qos: .atMostOnce))
        try await until("the next connection") {
          await client.networkChanged(addresses: nil)
          return broker.connections.count == 2
        }
        #expect(try await late == .handedOver)
        let second = try await broker.connection(2)
        try await second.arrival("the late one") { $0.type == .publish }
      }
    }
  }

  @Test("a stored message of QoS 2 goes at QoS 1 where the server takes no more, and leaves the store")
  func storedIsAdapted() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .connect = packet { return Self.agree(connection) { $0.maximumQoS = .atLeastOnce } }
        FakeBroker.obliging(packet, connection)
      }
      try await keep(Message(topic: "t", payload: ByteBuffer(string: "1"), qos: .exactlyOnce, retain: true))
      try await running(configuration(broker, isStored: true)) { client in
        let connection = try await broker.connection(1)
        let arrival = try await connection.arrival("the message") { $0.type == .publish }
        guard case .publish(let publish) = arrival.packet else { return }
        #expect(publish.message.qos == .atLeastOnce && publish.message.retain)
        try await until("the store is empty") { store.state.messages.isEmpty }
      }
    }
  }

  @Test(
    "a stored message that comes to nothing leaves the store, and the events say so and why [MQTT-3.2.2-15]",
    arguments: [Failure.tooLarge, .refused, .expired])
  func storedComesToNothing(failure: Failure) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        switch packet {
        case .connect: Self.agree(connection) { if failure == .tooLarge { $0.maximumPacketSize = 15 } }
        case .publish(let publish):
          guard let identifier = publish.packetIdentifier else { return }
          connection.send(.puback(Acknowledgement(identifier, reasonCode: .notAuthorized)))
        default: break
        }
      }
      var message = Message(topic: "t", payload: ByteBuffer(string: "123456789"))
      if failure == .expired { message.properties.messageExpiryInterval = 1 }
      try await keep(message)
      var configuration = try await configuration(broker, isStored: true)
      if failure == .expired { configuration.connection.servers[0].port = try freePort() }
      let client = MQTTClient(configuration)
      var events = client.events.makeAsyncIterator()
      let run = Task { try await client.run() }
      var told: (message: Message, error: PublishError)?
      while let event = await events.next() {
        guard case .unpublished(let message, let error) = event else { continue }
        told = (message, error)
        break
      }
      #expect(told?.message.payload == message.payload && told.map { failure.matches($0.error) } == true)
      #expect(await client.counts.unpublished == 1)
      try await until("the store is empty") { store.state.messages.isEmpty }
      await client.abort()
      _ = await run.result
    }
  }

  enum Failure: String, CustomTestStringConvertible {
    case tooLarge, refused, expired
    var testDescription: String { rawValue }

    func matches(_ error: PublishError) -> Bool {
      switch (self, error) {
      case (.tooLarge, .rejected(.tooLarge)), (.refused, .refused(.notAuthorized)), (.expired, .expired): true
      default: false
      }
    }
  }

  /// A process that stores a message and dies.
  private func keep(_ message: Message) async throws {
    let port = try freePort()
    var configuration = MQTTClient.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)], clientIdentifier: "queue")
    try await configuration.keepSession(in: store)
    try await running(configuration) { client in
      let result = try await client.publish(message)
      #expect(result == .stored)
    }
    #expect(store.state.messages.count == 1)
  }

}
