import Foundation
import Synchronization
import Testing

/// A mosquitto of a test's own, on ports of 127.0.0.1 that stay the same when it is started again.
final class Mosquitto: Sendable {
  let port: Int
  /// With TLS; nil without.
  let tlsPort: Int?
  let webSocketPort: Int
  let secureWebSocketPort: Int?
  private let scene: Scene
  private let name: String
  private let running = Mutex<Child?>(nil)

  /// - Parameters:
  ///   - users: names and passwords; empty: everybody may connect.
  ///   - lines: further lines of its configuration.
  fileprivate init(_ scene: Scene, name: String, tls: Certificates?, users: [String: String], lines: [String])
    async throws
  {
    self.scene = scene
    self.name = name
    port = try freePort()
    tlsPort = tls == nil ? nil : try freePort()
    webSocketPort = try freePort()
    secureWebSocketPort = tls == nil ? nil : try freePort()
    try FileManager.default.createDirectory(atPath: "\(scene.folder)/\(name)", withIntermediateDirectories: true)
    var configuration = """
      per_listener_settings false
      persistence true
      persistence_location \(scene.folder)/\(name)/
      autosave_interval 1
      autosave_on_changes true
      log_dest stderr
      log_type all
      log_timestamp_format %H:%M:%S
      user root
      listener \(port) 127.0.0.1
      listener \(webSocketPort) 127.0.0.1
      protocol websockets
      listener 0 \(scene.folder)/\(name)/socket

      """
    if let tls, let tlsPort, let secureWebSocketPort {
      configuration += """
        listener \(tlsPort) 127.0.0.1
        certfile \(tls.server)
        keyfile \(tls.serverKey)
        listener \(secureWebSocketPort) 127.0.0.1
        protocol websockets
        certfile \(tls.server)
        keyfile \(tls.serverKey)

        """
    }
    configuration += "allow_anonymous \(users.isEmpty)\n"
    if !users.isEmpty {
      let file = try scene.write("", to: "\(name)/passwords")
      for (user, password) in users {
        try await scene.run("passwd", ["mosquitto_passwd", "-b", file, user, password])
      }
      configuration += "password_file \(file)\n"
    }
    try scene.write(configuration + lines.map { $0 + "\n" }.joined(), to: "\(name)/mosquitto.conf")
  }

  /// Returns when it takes connections.
  func start(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let starts = log.count { $0.contains(" running") }
    let child = try scene.spawn(
      name, ["/usr/sbin/mosquitto", "-c", "\(scene.folder)/\(name)/mosquitto.conf"])
    running.withLock { $0 = child }
    try await until("mosquitto runs", sourceLocation: sourceLocation) { log.count { $0.contains(" running") } > starts }
  }

  /// SIGTERM (it keeps its data and says good-bye to nobody) or SIGKILL; returns when it is gone.
  func stop(_ signal: Int32 = SIGTERM) async throws {
    guard let child = running.withLock({ $0 }) else { return }
    child.signal(signal)
    try await child.end()
  }

  /// Waits for a line of its log.
  @discardableResult
  func line(
    _ text: String, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    try await eventually("mosquitto says \"\(text)\"", within: limit, sourceLocation: sourceLocation) {
      log.first { $0.contains(text) }
    }
  }

  /// Every line of its log since the first start.
  var log: [String] {
    let text = try? String(contentsOfFile: "\(scene.folder)/\(name).err", encoding: .utf8)
    return text?.split(separator: "\n").map(String.init) ?? []
  }

  func url(_ way: Way) -> String {
    switch way {
    case .tcp5, .tcp311, .tls5, .tls311: url(tls: way.isTLS)
    case .webSocket5, .webSocket311: "ws://127.0.0.1:\(webSocketPort)/mqtt"
    case .secureWebSocket5, .secureWebSocket311: "wss://localhost:\(secureWebSocketPort ?? 0)/mqtt"
    case .unix5: "unix://\(scene.folder)/\(name)/socket"
    }
  }

  func url(tls: Bool = false) -> String {
    tls ? "mqtts://localhost:\(tlsPort ?? 0)" : "mqtt://127.0.0.1:\(port)"
  }
}

extension Scene {
  /// A mosquitto that runs.
  func mosquitto(
    _ name: String = "mosquitto", tls: Certificates? = nil, users: [String: String] = [:], lines: [String] = []
  ) async throws -> Mosquitto {
    let broker = try await Mosquitto(self, name: name, tls: tls, users: users, lines: lines)
    try await broker.start()
    return broker
  }
}

/// A certificate authority and a server certificate of it.
struct Certificates: Sendable {
  let authority: String
  let server: String
  let serverKey: String
}

extension Scene {
  /// Made with the openssl command.
  /// - Parameter names: who the server's certificate is for.
  func certificates(_ name: String = "tls", names: String = "DNS:localhost,IP:127.0.0.1") async throws -> Certificates {
    let base = try write("subjectAltName=\(names)\n", to: "\(name)/names")
      .replacingOccurrences(of: "/names", with: "")
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"]
    let request = ["openssl", "req"] + key
    let steps = [
      request + [
        "-x509", "-days", "2", "-subj", "/CN=Test authority", "-keyout", "\(base)/ca.key", "-out", "\(base)/ca.crt",
      ],
      request + ["-subj", "/CN=localhost", "-keyout", "\(base)/server.key", "-out", "\(base)/server.csr"],
      [
        "openssl", "x509", "-req", "-days", "2", "-in", "\(base)/server.csr", "-CA", "\(base)/ca.crt", "-CAkey",
        "\(base)/ca.key", "-CAcreateserial", "-extfile", "\(base)/names", "-out", "\(base)/server.crt",
      ],
    ]
    for step in steps {
      let child = try await run("\(name)-openssl", step)
      try #require(child.ending == .exited(0))
    }
    return Certificates(authority: "\(base)/ca.crt", server: "\(base)/server.crt", serverKey: "\(base)/server.key")
  }
}
