import Glibc
import Logging
import MQTT
import MQTTCore
import NIOCore

/// So many clients on one event loop that are connected and do nothing, with a keepalive as devices have it.
actor IdleFleet: ClientDelegate {
  /// Connected before the memory is looked at first: what comes with the process is not each connection's.
  private static let first = 100
  /// Attempts at once: more than the server's backlog would have TCP wait.
  private static let atOnce = 50

  nonisolated let eventLoop: any EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
  private let count: Int
  private let done: EventLoopPromise<Int>
  private var port = 0
  private var clients: [Client] = []
  private var connected = 0
  private var before = 0

  init(_ count: Int, done: EventLoopPromise<Int>, eventLoop: any EventLoop) {
    self.count = count + Self.first
    self.done = done
    self.eventLoop = eventLoop
    clients.reserveCapacity(self.count)
  }

  nonisolated func begin(_ port: Int) {
    eventLoop.execute {
      self.assumeIsolated {
        $0.port = port
        for _ in 0..<Self.atOnce { $0.connectAnother() }
      }
    }
  }

  private func connectAnother() {
    guard clients.count < count else { return }
    var configuration = Client.Configuration(servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)])
    configuration.reconnects = false
    configuration.version = .v5
    let client = Client(configuration, delegate: self, eventLoop: eventLoop, logger: Logger(label: "benchmark"))
    clients.append(client)
    client.assumeIsolated { $0.start() }
  }

  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect {
    // A server names each.
    Connect(clientIdentifier: "", cleanStart: true, keepAlive: 20)
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connected: assumeIsolated { $0.countConnected() }
    case .lost(let loss, _): assumeIsolated { $0.done.fail(loss) }
    default: break
    }
  }

  private func countConnected() {
    connected += 1
    if connected == Self.first { before = Cost.privateBytes }
    guard connected == count else { return connectAnother() }
    // Each has sent its PINGREQ once.
    eventLoop.scheduleTask(in: .seconds(30)) { self.assumeIsolated { $0.measure() } }
  }

  private func measure() {
    done.succeed((Cost.privateBytes - before) / (count - Self.first))
  }
}
