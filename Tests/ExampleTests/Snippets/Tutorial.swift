import MQTT
import MQTTStore
import NIOCore
import NIOPosix

// What the README and the documentation of MQTT show, between the lines that begin and end a snippet. They are compiled
// here; the test beside this folder compares them, both ways.

func start() async throws {
  // snippet: start
  let configuration = try MQTTClient.Configuration(url: "mqtt://localhost", clientIdentifier: "greenhouse")
  try await MQTTClient.withClient(configuration) { client in
    try await client.withSubscription(to: "greenhouse/+") { readings in
      try await client.publish("open", to: "greenhouse/door")
      for try await message in readings {
        print(message.topic, message.text)
        break
      }
    }
  }
  // snippet: end
}

func connect() async throws {
  // snippet: connect
  var configuration = try MQTTClient.Configuration(
    url: "mqtts://greenhouse:secret@mqtt.example.com", clientIdentifier: "greenhouse")
  configuration.connect.keepAlive = 30
  configuration.connection.version = .v5  // by default 5, and 3.1.1 where a server cannot
  let client = MQTTClient(configuration)
  async let running: Void = client.run()
  for await event in client.events {
    if case .connected(let server, let connected) = event {
      print("connected to \(server), session present: \(connected.sessionPresent)")
      break
    }
  }
  await client.disconnect()
  try await running
  // snippet: end
}

func publish(_ client: MQTTClient) async throws {
  // snippet: publish
  try await client.publish("21.5", to: "greenhouse/temperature", retain: true)
  try await client.publish([0x01, 0x02], to: "greenhouse/raw", qos: .exactlyOnce)

  var message = Message(topic: "greenhouse/water", text: "on")
  message.properties.messageExpiryInterval = 10
  let publication = try await client.enqueue(message)  // in order now …
  try await publication.result()  // … and acknowledged here
  // snippet: end
}

func subscribe(_ client: MQTTClient) async throws {
  // snippet: subscribe
  try await client.withSubscription([Subscription("greenhouse/#", qos: .exactlyOnce)]) { messages in
    for try await message in messages {
      print(message.topic, message.text, message.retain ? "(retained)" : "")
    }
  }
  // snippet: end
}

func acknowledge(_ configuration: MQTTClient.Configuration) async throws {
  // snippet: acknowledge
  var configuration = configuration
  configuration.acknowledges = .manually
  try await MQTTClient.withClient(configuration) { client in
    for try await order in try await client.subscribe(to: "orders") {
      order.acknowledge(order.text.isEmpty ? .payloadFormatInvalid : .success)
    }
  }
  // snippet: end
}

func will(_ configuration: inout MQTTClient.Configuration) {
  // snippet: will
  configuration.connect.will = Message(topic: "greenhouse/status", text: "offline", retain: true)
  // snippet: end
}

func tls(_ configuration: inout MQTTClient.Configuration, _ pem: [UInt8]) {
  // snippet: tls
  configuration.connection.tls.authorities = "/etc/greenhouse/ca.pem"  // by default the system's
  configuration.connection.tls.certificate = "/etc/greenhouse/client.pem"
  configuration.connection.tls.privateKeyPEM = pem  // or privateKey, the path of a file
  configuration.connection.tls.passphrase = "opensesame"
  // snippet: end
}

func session() async throws {
  // snippet: session
  let store = try await SQLiteSessionStore.open(folder: "/var/lib/greenhouse/mqtt")
  var configuration = try MQTTClient.Configuration(url: "mqtt://localhost", clientIdentifier: "greenhouse")
  configuration.connect.properties.sessionExpiryInterval = 7 * 86_400
  try await configuration.keepSession(in: store)
  try await MQTTClient.withClient(configuration) { client in
    let commands = try await client.subscribe(
      [Subscription("greenhouse/commands", qos: .exactlyOnce)], outlivesReader: true)
    for try await command in commands { print(command.text) }
  }
  await store.close()
  // snippet: end
}

func request(_ client: MQTTClient, _ other: MQTTClient) async throws {
  // snippet: request
  let answer = try await client.request("level?", to: "greenhouse/tank", within: .seconds(5))
  print(answer.text)
  // snippet: end

  // snippet: respond
  for try await request in try await other.subscribe(to: "greenhouse/tank") {
    try await other.respond(to: request, with: "83 %")
  }
  // snippet: end
}

func stop(_ configuration: inout MQTTClient.Configuration) {
  // snippet: stop
  configuration.stopsAfter = { $0.isTakeOver || $0.isRefusedForGood }
  // snippet: end
}

func slow(_ configuration: inout MQTTClient.Configuration) {
  // snippet: slow
  configuration.messageBufferBytes = 1 << 20
  configuration.whenFull = .pausesReading
  // snippet: end
}

func metrics(_ configuration: inout MQTTClient.Configuration) {
  // snippet: metrics
  configuration.metrics = MQTTMetrics(dimensions: [("client", "greenhouse")])
  // snippet: end
}

func growing(_ client: MQTTClient) async {
  // snippet: growing
  do {
    try await client.publish("open", to: "greenhouse/door")
  } catch {
    switch error {
    case .expired: print("too late")
    case .refused(let code): print("the server says \(code)")
    default: print("not published: \(error)")
    }
  }
  // snippet: end
}

// snippet: fake server
/// A server that accepts everything, and reports what it receives.
final class FakeServer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let received: @Sendable (Packet) -> Void
  private var decoder = PacketDecoder(version: .v5, maximumPacketSize: 1 << 20)
  private var bytes = ByteBuffer()

  init(_ received: @escaping @Sendable (Packet) -> Void) { self.received = received }

  static func start(_ received: @escaping @Sendable (Packet) -> Void) async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(FakeServer(received))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytes.writeImmutableBuffer(unwrapInboundIn(data))
    do {
      while let packet = try decoder.next(from: &bytes) {
        received(packet)
        guard let answer = answer(to: packet) else { continue }
        var buffer = ByteBuffer()
        answer.encode(into: &buffer, decoder.version)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
      }
    } catch { context.close(promise: nil) }
  }

  private func answer(to packet: Packet) -> Packet? {
    switch packet {
    case .connect: .connack(ConnAck(sessionPresent: false, reasonCode: .success))
    case .publish(let publish): publish.packetIdentifier.map { .puback(Acknowledgement($0)) }
    case .subscribe(let packet):
      .suback(
        SubscriptionAcknowledgement(
          packet.packetIdentifier, reasonCodes: packet.subscriptions.map { ReasonCode(granted: $0.qos) }))
    case .pingreq: .pingresp
    default: nil
    }
  }
}
// snippet: end

func testing() async throws {
  // snippet: testing
  let (packets, received) = AsyncStream.makeStream(of: Packet.self)
  let server = try await FakeServer.start { received.yield($0) }
  let configuration = try MQTTClient.Configuration(
    url: "mqtt://127.0.0.1:\(server.localAddress?.port ?? 0)", clientIdentifier: "test")
  try await MQTTClient.withClient(configuration) { client in
    try await client.publish("open", to: "greenhouse/door")
  }
  for await packet in packets {
    guard case .publish(let publish) = packet else { continue }
    assert(publish.message.text == "open")
    break
  }
  try await server.close()
  // snippet: end
}
