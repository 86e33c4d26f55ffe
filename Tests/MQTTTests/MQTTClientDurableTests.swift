import MQTT
import NIOCore
import Synchronization
import TestScene
import Testing

@testable import MQTTCore

/// Subscriptions that outlive processes and readers, on a broker that does as a test says.
@Suite("MQTTClient's subscriptions of a session", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct MQTTClientDurableTests {
  private let store = MemoryStore()
  private static let filters = [Subscription("kept/#", qos: .atLeastOnce)]

  private func configuration(port: Int, isStored: Bool = true) async throws -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)], clientIdentifier: "durable")
    configuration.connection.version = .v5
    configuration.connection.reconnect.minimum = .milliseconds(20)
    configuration.connection.reconnect.maximum = .milliseconds(50)
    if isStored { try await configuration.keepSession(in: store) }
    return configuration
  }

  /// What an earlier process has left, at this broker.
  private func leave(_ port: Int) async throws {
    try await store.apply([
      .owner(SessionOwner(server: "mqtt://127.0.0.1:\(port)", clientIdentifier: "durable")),
      .subscribed(5, Self.filters),
    ])
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

  /// Agrees with the session that it has; sends what it is told after that.
  private static func answer(_ packet: Packet, _ connection: FakeConnection, publishing count: Int = 0) {
    switch packet {
    case .connect:
      connection.send(.connack(ConnAck(sessionPresent: true, reasonCode: .success)))
      publish(count, connection)
    case .unsubscribe(let unsubscribe):
      let codes = unsubscribe.filters.map { _ in ReasonCode.success }
      connection.send(.unsuback(SubscriptionAcknowledgement(unsubscribe.packetIdentifier, reasonCodes: codes)))
    default: FakeBroker.obliging(packet, connection)
    }
  }

  private static func publish(_ count: Int, _ connection: FakeConnection) {
    for number in 0..<count {
      let message = Message(topic: "kept/t", payload: ByteBuffer(string: "\(number)"), qos: .atLeastOnce)
      connection.send(.publish(Publish(message, packetIdentifier: PacketIdentifier(rawValue: UInt16(number + 1)))))
    }
  }

  @Test("what comes before a restored subscription is claimed waits for whoever claims it [MQTT-4.1.0-1]")
  func waitsForItsClaim() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { Self.answer($0, $1, publishing: 2) }
      try await leave(broker.port)
      try await running(configuration(port: broker.port)) { client in
        let connection = try await broker.connection(1)
        try await until("both are acknowledged") { connection.packets.count { $0.type == .puback } == 2 }
        let stream = try await client.subscribe(Self.filters)
        var heard: [String] = []
        for try await message in stream {
          heard.append(String(buffer: message.payload))
          if heard.count == 2 { break }
        }
        #expect(heard == ["0", "1"])
        #expect(await client.counts.unrouted == 0)
        #expect(connection.packets.allSatisfy { $0.type != .subscribe })
      }
    }
  }

  @Test("a subscription that is given back offline is given back by the next process, and its number stays its own")
  func givenBackOffline() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { Self.answer($0, $1) }
      try await leave(broker.port)
      let away = try freePort()
      try await running(configuration(port: away)) { client in
        await client.dropUnclaimedSubscriptions()
        try await until("the store knows") { store.state.givenBack == [5: Self.filters.map(\.filter)] }
        #expect(store.state.subscriptions.isEmpty)
      }
      try await running(configuration(port: broker.port)) { client in
        let connection = try await broker.connection(1)
        try await connection.arrival("UNSUBSCRIBE") { $0.type == .unsubscribe }
        let stream = try await client.subscribe([Subscription("other")])
        let arrival = try await connection.arrival("SUBSCRIBE") { $0.type == .subscribe }
        guard case .subscribe(let subscribe) = arrival.packet else { return }
        #expect(subscribe.properties.subscriptionIdentifier == 6)
        try await until("the store has forgotten it") { store.state.givenBack.isEmpty }
        withExtendedLifetime(stream) {}
      }
    }
  }

  @Test("given back before the client runs, the store hears of it once it does")
  func givenBackBeforeRun() async throws {
    let away = try freePort()
    try await leave(away)
    let client = MQTTClient(try await configuration(port: away))
    await client.dropUnclaimedSubscriptions()
    let run = Task { try await client.run() }
    try await until("the store knows") { store.state.givenBack.keys.contains(5) }
    await client.abort()
    _ = await run.result
  }

  // MARK: Acknowledged when read

  private func reading(port: Int, receiveMaximum: UInt16 = 2) async throws -> MQTTClient.Configuration {
    var configuration = try await configuration(port: port, isStored: false)
    configuration.acknowledges = .whenRead
    configuration.connection.believesAnySession = true
    configuration.connect.properties.receiveMaximum = receiveMaximum
    return configuration
  }

  @Test("a loop that is left after each message leaves no place of the Receive Maximum taken [MQTT-3.3.4-9]")
  func leavesTheLoop() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        Self.answer(packet, connection)
        if case .subscribe = packet { Self.publish(1, connection) }
        if case .puback = packet { Self.publish(1, connection) }
      }
      try await running(reading(port: broker.port)) { client in
        let stream = try await client.subscribe(Self.filters)
        for _ in 0..<20 {
          for try await _ in stream { break }
        }
        let connection = try await broker.connection(1)
        try await until("all of them are acknowledged") { connection.packets.count { $0.type == .puback } >= 19 }
      }
    }
  }

  @Test(
    """
    1,000 rounds of leaving the loop, overlapping subscriptions and giving them back leave no place of the Receive \
    Maximum taken [MQTT-3.3.4-9]
    """,
    arguments: 1...3 as ClosedRange<UInt16>)
  func manyRounds(receiveMaximum: UInt16) async throws {
    let identifiers = Mutex<(next: UInt16, underWay: Int)>((0, 0))
    @Sendable func publish(_ connection: FakeConnection) {
      identifiers.withLock { state in
        while state.underWay < receiveMaximum {
          state.next = state.next % 60_000 + 1
          state.underWay += 1
          let message = Message(topic: "kept/t", payload: ByteBuffer(), qos: .atLeastOnce)
          connection.send(.publish(Publish(message, packetIdentifier: PacketIdentifier(rawValue: state.next))))
        }
      }
    }
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        Self.answer(packet, connection)
        if case .puback = packet { identifiers.withLock { $0.underWay -= 1 } }
        switch packet {
        case .subscribe, .puback: publish(connection)
        default: break
        }
      }
      try await running(reading(port: broker.port, receiveMaximum: receiveMaximum)) { client in
        let stream = try await client.subscribe(Self.filters)
        for round in 0..<1000 {
          let other = round % 10 == 0 ? try await client.subscribe([Subscription("kept/+", qos: .atLeastOnce)]) : nil
          for try await _ in stream { break }
          guard let other else { continue }
          // Read in part, not at all, or given back by nobody holding it any more.
          if round % 20 == 0 { for try await _ in other { break } }
          if round % 30 == 0 { try await client.unsubscribe(other) }
        }
        let connection = try await broker.connection(1)
        try await until("all of them are acknowledged") { connection.packets.count { $0.type == .puback } >= 999 }
        #expect(connection.packets.allSatisfy { $0.type != .disconnect })
      }
    }
  }

  @Test("what has not been read when a stream is let go holds no place: its subscription is given back")
  func letsGo() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        Self.answer(packet, connection)
        if case .subscribe = packet { Self.publish(2, connection) }
      }
      try await running(reading(port: broker.port)) { client in
        func subscribe() async throws {
          let stream = try await client.subscribe(Self.filters)
          try await until("both are here") { await client.counts.unrouted == 0 }
          withExtendedLifetime(stream) {}
        }
        try await subscribe()
        let connection = try await broker.connection(1)
        try await connection.arrival("UNSUBSCRIBE") { $0.type == .unsubscribe }
        try await until("both are acknowledged") { connection.packets.count { $0.type == .puback } == 2 }
      }
    }
  }

  @Test("what has not been read when a subscription is given back holds no place, though its stream is kept")
  func unsubscribes() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        Self.answer(packet, connection)
        if case .subscribe = packet { Self.publish(2, connection) }
      }
      try await running(reading(port: broker.port)) { client in
        let stream = try await client.subscribe(Self.filters)
        for try await _ in stream { break }
        try await client.unsubscribe(stream)
        let connection = try await broker.connection(1)
        try await until("both are acknowledged") { connection.packets.count { $0.type == .puback } == 2 }
        withExtendedLifetime(stream) {}
      }
    }
  }
}
