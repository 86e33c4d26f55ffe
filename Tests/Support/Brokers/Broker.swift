import Foundation
import MQTT
import MQTTCore
import Synchronization
import Testing

/// A broker of the tests' own, on ports that stay the same when it is started again.
package protocol Broker: Sendable {
  /// Returns when it takes connections.
  func start() async throws
  /// Returns when it is gone.
  func stop(_ signal: Int32) async throws
  func port(_ transport: ServerAddress.Transport) throws -> Int
}

extension Broker {
  package func address(_ transport: ServerAddress.Transport) throws -> ServerAddress {
    let path = transport == .webSocket || transport == .secureWebSocket ? "/mqtt" : ""
    return ServerAddress(transport: transport, host: "127.0.0.1", port: try port(transport), path: path)
  }
}

/// mosquitto, as all tests know it.
package struct MosquittoBroker: Broker {
  package let mosquitto: Mosquitto

  package init(_ mosquitto: Mosquitto) { self.mosquitto = mosquitto }

  package func start() async throws { try await mosquitto.start() }
  package func stop(_ signal: Int32) async throws { try await mosquitto.stop(signal) }

  package func port(_ transport: ServerAddress.Transport) throws -> Int {
    switch transport {
    case .tcp: mosquitto.port
    case .tls: try #require(mosquitto.tlsPort)
    case .webSocket: mosquitto.webSocketPort
    case .secureWebSocket: try #require(mosquitto.secureWebSocketPort)
    case .unix: throw POSIXError(.EAFNOSUPPORT)
    }
  }
}

/// A broker that is one program in the foreground.
package final class BrokerProgram: Broker {
  private let scene: Scene
  private let name: String
  private let command: [String]
  private let environment: [String: String]
  private let ports: [ServerAddress.Transport: Int]
  private let running = Mutex<Child?>(nil)

  package init(
    _ scene: Scene, name: String, _ command: [String], environment: [String: String] = [:],
    ports: [ServerAddress.Transport: Int]
  ) {
    self.scene = scene
    self.name = name
    self.command = command
    self.environment = environment
    self.ports = ports
  }

  package func start() async throws {
    let child = try scene.spawn(name, command, environment: environment)
    running.withLock { $0 = child }
    for port in ports.values.sorted() {
      try await until("\(name) listens on port \(port)", within: .seconds(90)) {
        try #require(child.ending == nil, "\(name) ended: \(scene.logs)")
        return isListening(port: port)
      }
    }
  }

  package func stop(_ signal: Int32) async throws {
    guard let child = running.withLock({ $0 }) else { return }
    child.signal(signal)
    // RabbitMQ lets go of its clients one by one.
    try await child.end(within: .seconds(60))
  }

  package func port(_ transport: ServerAddress.Transport) throws -> Int { try #require(ports[transport]) }
}

/// Whether somebody takes connections to a port of 127.0.0.1.
package func isListening(port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}

extension Scene {
  /// A broker that runs, on all of its transports.
  /// - Parameter address: where they listen; 0.0.0.0: at every address of the machine.
  package func broker(
    _ kind: BrokerKind, _ certificates: Certificates, address: String = "127.0.0.1"
  ) async throws -> any Broker {
    let broker: any Broker
    switch kind {
    case .mosquitto:
      // As many messages as there are may wait for a subscriber, and small ones do not wait for each other.
      return MosquittoBroker(
        try await mosquitto(
          address: address, tls: certificates, lines: ["max_queued_messages 0", "set_tcp_nodelay true"]))
    case .rabbitMQ: broker = try await rabbitMQ(RabbitMQNode(name: "rabbit"), certificates, address: address)
    case .ejabberd: broker = try ejabberd(certificates, address: address)
    case .nats: broker = try nats()
    }
    try await broker.start()
    return broker
  }

  package func freePorts(_ kind: BrokerKind) throws -> [ServerAddress.Transport: Int] {
    Dictionary(uniqueKeysWithValues: try kind.traits.transports.map { ($0, try freePort()) })
  }

  private func nats() throws -> BrokerProgram {
    let ports = try freePorts(.nats)
    // ack_wait: killed, it may take a message for delivered that it had not sent, and sends it after that time.
    let file = try write(
      """
      server_name: test
      listen: "127.0.0.1:\(try freePort())"
      jetstream { store_dir: "\(folder)/nats", max_mem: 64M, max_file: 256M }
      mqtt { host: "127.0.0.1", port: \(try #require(ports[.tcp])), ack_wait: "2s" }
      websocket { host: "127.0.0.1", port: \(try #require(ports[.webSocket])), no_tls: true }

      """, to: "nats.conf")
    return BrokerProgram(self, name: "nats", ["/usr/sbin/nats-server", "-c", file], ports: ports)
  }

  private func ejabberd(_ certificates: Certificates, address: String) throws -> BrokerProgram {
    let ports = try freePorts(.ejabberd)
    let base = "\(folder)/ejabberd"
    // Key and certificate in one file.
    let pem = try [certificates.serverKey, certificates.server].map { try String(contentsOfFile: $0, encoding: .utf8) }
    try write(pem.joined(), to: "ejabberd/server.pem")
    let listeners = ports.sorted { $0.value < $1.value }.map { transport, port in
      let isWebSocket = transport == .webSocket || transport == .secureWebSocket
      let isTLS = transport == .tls || transport == .secureWebSocket
      return """
          - port: \(port)
            ip: "\(address)"
            tls: \(isTLS)
            module: \(isWebSocket ? "ejabberd_http\n    request_handlers: {/mqtt: mod_mqtt}" : "mod_mqtt")

        """
    }
    let file = try write(
      """
      hosts: [localhost]
      loglevel: info
      certfiles: ["\(base)/server.pem"]
      auth_method: [anonymous]
      anonymous_protocol: login_anon
      allow_multiple_connections: true
      listen:
      \(listeners.joined())modules:
        mod_mqtt:
          session_expiry: 1 hour
          access_publish: {"#": [allow]}
          access_subscribe: {"#": [allow]}

      """, to: "ejabberd/ejabberd.yml")
    // Without a node name: Erlang's port mapper is not needed then.
    return BrokerProgram(
      self, name: "ejabberd",
      ["erl", "-noinput", "+S", "1:1", "+sbwt", "none", "-mnesia", "dir", "\"\(base)/spool\"", "-s", "ejabberd"],
      environment: [
        "EJABBERD_CONFIG_PATH": file, "EJABBERD_LOG_PATH": "\(base)/ejabberd.log", "HOME": base,
        "ERL_LIBS": try erlangLibraries(),
      ], ports: ports)
  }

  /// Where Debian keeps the libraries of Erlang programs: the folder has the machine's name in it.
  private func erlangLibraries() throws -> String {
    let libraries = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib")
      .filter { $0.hasSuffix("-linux-gnu") }.map { "/usr/lib/\($0)" }
    return try #require(
      libraries.first {
        (try? FileManager.default.contentsOfDirectory(atPath: $0))?
          .contains { $0.hasPrefix("ejabberd-") } == true
      })
  }
}
