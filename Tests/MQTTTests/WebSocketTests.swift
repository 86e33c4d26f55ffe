import NIOCore
import NIOHTTP1
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// MQTT over WebSocket, MQTT 5.0 §6, against a server in this process.
@Suite("WebSocket", .timed, .timeLimit(.minutes(1 * Patience.factor)))
struct WebSocketTests {
  private static let connack: [UInt8] = hex("20 03 00 00 00")

  private func client(_ server: LocalServer, reconnects: Bool = false) -> MQTTClient {
    let address = ServerAddress(transport: .webSocket, host: "127.0.0.1", port: server.port, path: "/mqtt?key=1")
    var configuration = MQTTClient.Configuration(servers: [address], clientIdentifier: "c")
    configuration.connection.version = .v5
    configuration.connection.reconnects = reconnects
    configuration.connection.webSocketHeaders = [("Authorization", "Bearer x")]
    return MQTTClient(configuration)
  }

  /// A server that agrees and answers SUBSCRIBE, its packets cut into frames as it likes.
  private func obliging(dribbles: Bool = false) async throws -> LocalServer {
    try await .webSocket(dribbles: dribbles) { packet, write in
      switch packet {
      case .connect:
        // A frame for each byte, and one message in two fragments (RFC 6455 §5.4).
        for byte in Self.connack.prefix(3) { write(.binary, true, [byte]) }
        write(.binary, false, [Self.connack[3]])
        write(.continuation, true, [Self.connack[4]])
      case .subscribe(let subscribe):
        let suback = SubscriptionAcknowledgement(subscribe.packetIdentifier, reasonCodes: [.grantedQoS1])
        let bytes = encode(.suback(suback)) + encode(.numbered(7, .atMostOnce, nil))
        write(.binary, true, Array(bytes.prefix(bytes.count - 2)))
        write(.binary, true, Array(bytes.suffix(2)))
      default: break
      }
    }
  }

  @Test(
    """
    the upgrade asks for mqtt at the URL's path, query and headers included [MQTT-6.0.0-3] [behaviour 22] \
    [behaviour 23]
    """
  )
  func upgrade() async throws {
    let server = try await obliging()
    let client = client(server)
    let running = Task { try await client.run() }
    for await event in server.events {
      guard case .request(let head) = event else { continue }
      #expect(head.method == .GET)
      #expect(head.uri == "/mqtt?key=1")
      #expect(head.headers["Host"] == ["127.0.0.1:\(server.port)"])
      #expect(head.headers["Sec-WebSocket-Protocol"] == ["mqtt"])
      #expect(head.headers["Sec-WebSocket-Version"] == ["13"])
      #expect(head.headers["Authorization"] == ["Bearer x"])
      break
    }
    await client.abort()
    _ = await running.result
    try await server.close()
  }

  @Test(
    """
    packets cut into frames anywhere, or several in one, are read as they are whole, and so are an upgrade's answer and \
    frames that come byte by byte [MQTT-6.0.0-2]
    """,
    arguments: [false, true])
  func frames(dribbles: Bool) async throws {
    let server = try await obliging(dribbles: dribbles)
    let client = client(server)
    let running = Task { try await client.run() }
    let stream = try await client.subscribe([Subscription("t")])
    for try await message in stream {
      #expect(message.message.number == 7)
      break
    }
    await client.abort()
    _ = await running.result
    try await server.close()
  }

  @Test("every frame of this side is binary and masked [MQTT-6.0.0-1]")
  func binary() async throws {
    let server = try await obliging()
    let client = client(server)
    let running = Task { try await client.run() }
    _ = try await client.subscribe([Subscription("t")])
    await client.abort()
    _ = await running.result
    var frames = 0
    for await event in server.events {
      if case .closed = event { break }
      guard case .frame(let opcode, let isMasked) = event else { continue }
      #expect(opcode == .binary && isMasked)
      frames += 1
    }
    #expect(frames >= 2)
    try await server.close()
  }

  @Test("a frame that is not binary ends the connection [MQTT-6.0.0-1]")
  func text() async throws {
    let server = try await LocalServer.webSocket { _, write in write(.text, true, Self.connack) }
    await #expect(throws: ConnectionLoss.self) { try await client(server).run() }
    try await server.close()
  }

  @Test("a server that does not agree to mqtt gets no CONNECT [MQTT-6.0.0-4]", arguments: [nil, "mqttv3.1"])
  func disagreement(subprotocol: String?) async throws {
    let server = try await LocalServer.webSocket(subprotocol: subprotocol) { _, _ in }
    await #expect(throws: ConnectionLoss.self) { try await client(server).run() }
    try await server.close()
    for await event in server.events {
      if case .packet(let packet) = event { Issue.record("\(packet)") }
      if case .closed = event { break }
    }
  }

  @Test(
    """
    an abort closes TCP, without DISCONNECT, whether or not the server closes WebSocket [behaviour 4] \
    [behaviour 10] [behaviour 11]
    """
  )
  func abort() async throws {
    let server = try await obliging()
    let client = client(server, reconnects: true)
    let running = Task { try await client.run() }
    _ = try await client.subscribe([Subscription("t")])
    await client.abort()
    try await running.value
    for await event in server.events {
      if case .packet(.disconnect) = event { Issue.record("DISCONNECT") }
      if case .closed = event { break }
    }
    try await server.close()
  }
}
