import LimpetInstants
import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// One attempt after the other, against servers in this process.
@Suite("Attempts at a connection", .timed, .timeLimit(.minutes(1 * Patience.factor)))
struct ReconnectTests {
  private func configuration(_ servers: [ServerAddress]) -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(servers: servers, clientIdentifier: "c")
    configuration.connection.version = .v5
    configuration.connection.reconnect.minimum = .milliseconds(5)
    configuration.connection.reconnect.maximum = .milliseconds(20)
    return configuration
  }

  private func agreeing() async throws -> LocalServer {
    try await .webSocket { packet, write in
      if case .connect = packet { write(.binary, true, hex("20 03 00 00 00")) }
    }
  }

  @Test(
    """
    a server that closes at once is asked again after the back-off, not after the connect timeout; each attempt is \
    told once [behaviour 19] [behaviour 34]
    """
  )
  func closedAtOnce() async throws {
    let server = try await LocalServer.closing()
    var configuration = configuration([ServerAddress(transport: .tcp, host: "127.0.0.1", port: server.port)])
    configuration.connection.connectTimeout = .seconds(3600)
    // A reader on a busy machine may come late, and must not miss any.
    configuration.eventBufferLimit = 100_000
    let client = MQTTClient(configuration)
    let events = client.events
    let running = Task { try await client.run() }
    var told: [String] = []
    for await event in events {
      switch event {
      case .connecting: told.append("connecting")
      case .connected: told.append("connected")
      case .lost: told.append("lost")
      case .storing: told.append("storing")
      case .unpublished: told.append("unpublished")
      case .willTakenBack: told.append("will taken back")
      case .remarked: told.append("remarked")
      case .ended: told.append("ended")
      }
      if told.count == 20 { break }
    }
    #expect(told == Array(repeating: ["connecting", "lost"], count: 10).flatMap { $0 })
    await client.abort()
    _ = await running.result
    try await server.close()
  }

  @Test(
    """
    a name that does not exist, then a port that nobody has, then another transport: each is tried \
    [behaviour 20] [behaviour 24]
    """
  )
  func servers() async throws {
    let server = try await agreeing()
    let configuration = configuration([
      ServerAddress(transport: .tls, host: "limpet.invalid", port: 8883),
      ServerAddress(transport: .tcp, host: "127.0.0.1", port: 1),
      ServerAddress(transport: .webSocket, host: "127.0.0.1", port: server.port, path: "/"),
    ])
    let client = MQTTClient(configuration)
    let events = client.events
    let running = Task { try await client.run() }
    var losses = 0
    for await event in events {
      if case .lost = event { losses += 1 }
      if case .connected(let server, _) = event {
        #expect(server.transport == .webSocket)
        break
      }
    }
    #expect(losses == 2)
    await client.abort()
    _ = await running.result
    try await server.close()
  }

  @Test("no identifier and no clean session on 3.1.1: nothing is sent [MQTT-3.1.3-7 v3.1.1] [behaviour 16]")
  func noIdentifier() async throws {
    let server = try await LocalServer.webSocket(.v311) { _, _ in }
    let address = ServerAddress(transport: .webSocket, host: "127.0.0.1", port: server.port)
    var configuration = configuration([address])
    configuration.connect.clientIdentifier = ""
    configuration.connection.version = .v311
    configuration.connection.reconnects = false
    let client = MQTTClient(configuration)
    let running = Task { try await client.run() }
    var hasConnect = false
    for await event in server.events {
      if case .packet = event {
        hasConnect = true
        await client.abort()
      }
      if case .closed = event { break }
    }
    #expect(!hasConnect)
    _ = await running.result
    try await server.close()
  }

  private func patient(_ transport: ServerAddress.Transport, port: Int) -> Client.Configuration {
    var configuration = Client.Configuration(servers: [
      ServerAddress(transport: transport, host: "127.0.0.1", port: port)
    ])
    // A delay is drawn from zero on: nobody waits for a thousandth of these.
    configuration.reconnect.minimum = .seconds(10_000_000)
    configuration.reconnect.maximum = .seconds(10_000_000)
    return configuration
  }

  @Test("a clock that is set ends the wait after a failure of TLS: a certificate may be valid now")
  func clockAfterTLS() async throws {
    // What speaks no TLS fails it as a certificate does.
    try await withScriptedServer(["HTTP/1.0 400 Bad Request\r\n\r\n"]) { server in
      try await withLife(patient(.tls, port: server.port)) { client, life in
        guard case .tls = try await life.loss() else {
          Issue.record("\(life.losses)")
          return
        }
        await client.clockChanged(jitter: .zero)
        try await until("it tries again") { life.connecting.count == 2 && life.losses.count == 2 }
        await client.clockChanged(jitter: .zero)
        try await until("and once more") { life.connecting.count == 3 }
      }
    }
  }

  @Test("a clock that is set changes nothing about a server that cannot be reached")
  func clockWithoutTLS() async throws {
    // A port that nothing listens at would be tried again within seconds.
    var configuration = patient(.tcp, port: closedPort)
    configuration.servers = [ServerAddress(transport: .tcp, host: "nowhere.invalid", port: 1883)]
    try await withLife(configuration) { client, life in
      _ = try await life.loss()
      await client.clockChanged(jitter: .zero)
      // What it began would be told by now.
      try await client.eventLoop.submit {}.get()
      #expect(life.connecting.count == 1)
      await client.networkChanged(addresses: nil, jitter: .zero)
      try await until("a network that changes ends the wait, also where its addresses are not known") {
        life.connecting.count == 2
      }
    }
  }

  @Test("a connection is cut where its address is gone, and kept where the addresses are not known")
  func addressGone() async throws {
    let server = try await agreeing()
    var configuration = patient(.webSocket, port: server.port)
    configuration.servers = [ServerAddress(transport: .webSocket, host: "127.0.0.1", port: server.port, path: "/")]
    configuration.version = .v5
    try await withLife(configuration) { client, life in
      try await life.connection()
      await client.networkChanged(addresses: nil, jitter: .zero)
      await client.networkChanged(addresses: ["127.0.0.1"], jitter: .zero)
      // What was cut would be lost by now.
      try await client.eventLoop.submit {}.get()
      #expect(life.losses.isEmpty)
      #expect(await client.isConnected)
      await client.networkChanged(addresses: ["192.0.2.1"], jitter: .zero)
      guard case .addressLost("127.0.0.1") = try await life.loss() else {
        Issue.record("\(life.losses)")
        return
      }
    }
    try await server.close()
  }

  @Test("aborted in the very turn in which its back-off ends: nothing follows")
  func abortedAtTheEndOfAWait() async throws {
    var configuration = Client.Configuration(servers: [
      ServerAddress(transport: .tcp, host: "127.0.0.1", port: closedPort)
    ])
    configuration.reconnect.minimum = .milliseconds(1)
    configuration.reconnect.maximum = .milliseconds(1)
    let late = LateOwner()
    let client = Client(
      configuration, delegate: late, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
      logger: .init(label: "test"))
    await client.start()
    try await until("it was aborted") { late.told.contains("aborted") }
    // What was due with the abort has had its turn.
    try await client.eventLoop.submit {}.get()
    await client.abort()
    // The wait may end in the turn before: an attempt that begins there ends with the abort.
    #expect(late.told.prefix(2) == ["connecting", "lost"] && late.told.last == "aborted")
    #expect(late.told.count { $0 == "aborted" } == 1)
  }
}

/// Aborts its client before the back-off ends, and lets the loop find both due at once.
private final class LateOwner: ClientDelegate {
  private let events = Mutex<[String]>([])

  var told: [String] { events.withLock(\.self) }

  func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect {
    Connect(clientIdentifier: "late", cleanStart: true, keepAlive: 60)
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connecting: events.withLock { $0.append("connecting") }
    case .lost(.aborted, _): events.withLock { $0.append("aborted") }
    case .lost(_, let delay):
      events.withLock { $0.append("lost") }
      client.eventLoop.scheduleTask(in: .zero) { client.assumeIsolated { $0.abort() } }
      // The loop is held until both are due.
      let due = ContinuousClock.now + (delay ?? .zero) + .milliseconds(1)
      while ContinuousClock.now < due {}
    default: break
    }
  }
}
