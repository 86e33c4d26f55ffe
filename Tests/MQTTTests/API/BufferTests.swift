import MQTT
import NIOCore
import TestScene
import Testing

/// Readers that are slower than the server (M22).
@Suite("Buffers of MQTTClient", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct BufferTests {
  private static let size = 256 << 10
  private static let count = 64

  /// Sends 16 MiB once `t` is subscribed to.
  private static func flooding(_ packet: Packet, _ connection: FakeConnection) {
    FakeBroker.obliging(packet, connection)
    guard case .subscribe(let subscribe) = packet,
      subscribe.subscriptions.contains(where: { "\($0.filter)" == "t" })
    else { return }
    for number in 0..<count {
      let payload = ByteBuffer(string: "\(number) " + String(repeating: "x", count: size))
      connection.send(.publish(Publish(Message(topic: "t", payload: payload, qos: .atMostOnce))))
    }
    connection.send(.publish(Publish(Message(topic: "end", text: "", qos: .atMostOnce))))
  }

  private func number(_ message: ReceivedMessage) -> Int? {
    String(buffer: message.payload).split(separator: " ").first.flatMap { Int($0) }
  }

  @Test("messages are held by their bytes; the oldest go, counted, and the newest stays whatever it weighs")
  func dropsByBytes() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.flooding)
      var configuration = settings(broker)
      configuration.messageBufferBytes = 3 * Self.size
      try await MQTTClient.withClient(configuration) { client in
        let end = try await client.subscribe(to: "end")
        let stream = try await client.subscribe(to: "t")
        for try await _ in end { break }
        try await until("all of it has come") { stream.dropped >= UInt64(Self.count - 2) }
        var messages = stream.makeAsyncIterator()
        let first = try #require(try await messages.next())
        #expect(try #require(number(first)) >= Self.count - 3)
      }
    }
  }

  @Test("where nothing is to go, nothing is read while the reader is behind, and the silence is no loss")
  func pauses() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.flooding)
      var configuration = settings(broker)
      configuration.messageBufferBytes = 2 * Self.size
      configuration.whenFull = .pausesReading
      configuration.connect.keepAlive = 1
      try await MQTTClient.withClient(configuration) { client in
        let stream = try await client.subscribe(to: "t")
        let connection = try await broker.connection(1)
        // PINGREQs go on, their answers stay in the socket: three are more than a keepalive and a half.
        try await until("three PINGREQs") { connection.packets.count { $0.type == .pingreq } >= 3 }
        #expect(connection.closed == nil)
        var numbers: [Int?] = []
        for try await message in stream {
          numbers.append(number(message))
          if numbers.count == Self.count { break }
        }
        #expect(numbers == (0..<Self.count).map { $0 })
        #expect(stream.dropped == 0 && broker.connections.count == 1)
      }
    }
  }
}
