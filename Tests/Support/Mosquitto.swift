import Foundation
import LimpetInstants
import Synchronization
import Testing

/// A mosquitto of a test's own, on ports of 127.0.0.1 that stay the same when it is started again.
package final class Mosquitto: Sendable {
  package let port: Int
  /// With TLS; nil without.
  package let tlsPort: Int?
  package let webSocketPort: Int
  package let secureWebSocketPort: Int?
  private let scene: Scene
  private let name: String
  private let running = Mutex<Child?>(nil)

  /// - Parameters:
  ///   - address: where it listens; 0.0.0.0: at every address of the machine.
  ///   - isPersistent: it knows its sessions and retained messages after a restart.
  ///   - savesAtOnce: false: it saves them when it is told to, and when it ends properly.
  ///   - users: names and passwords; empty: everybody may connect.
  ///   - logs: what it writes to its log (mosquitto.conf(5): log_type).
  ///   - lines: further lines of its configuration.
  fileprivate init(
    _ scene: Scene, name: String, address: String, isPersistent: Bool, savesAtOnce: Bool, tls: Certificates?,
    users: [String: String], logs: [String], lines: [String]
  ) async throws {
    self.scene = scene
    self.name = name
    port = try freePort()
    tlsPort = tls == nil ? nil : try freePort()
    webSocketPort = try freePort()
    secureWebSocketPort = tls == nil ? nil : try freePort()
    try FileManager.default.createDirectory(atPath: "\(scene.folder)/\(name)", withIntermediateDirectories: true)
    var configuration = """
      per_listener_settings false
      persistence \(isPersistent)
      persistence_location \(scene.folder)/\(name)/
      autosave_interval \(savesAtOnce ? 1 : 0)
      autosave_on_changes \(savesAtOnce)
      log_dest stderr
      log_timestamp_format %H:%M:%S
      user root
      listener \(port) \(address)
      listener \(webSocketPort) \(address)
      protocol websockets
      listener 0 \(socket)

      """
    if let tls, let tlsPort, let secureWebSocketPort {
      configuration += """
        listener \(tlsPort) \(address)
        certfile \(tls.server)
        keyfile \(tls.serverKey)
        listener \(secureWebSocketPort) \(address)
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
    configuration += logs.map { "log_type \($0)\n" }.joined()
    try scene.write(configuration + lines.map { $0 + "\n" }.joined(), to: "\(name)/mosquitto.conf")
  }

  /// Returns when it takes connections.
  package func start(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let starts = count(" running")
    let child = try scene.spawn(
      name, ["/usr/sbin/mosquitto", "-c", "\(scene.folder)/\(name)/mosquitto.conf"])
    running.withLock { $0 = child }
    try await until("mosquitto runs", sourceLocation: sourceLocation) { count(" running") > starts }
  }

  /// SIGTERM (it keeps its data and says good-bye to nobody) or SIGKILL; returns when it is gone.
  package func stop(_ signal: Int32 = SIGTERM) async throws {
    guard let child = running.withLock({ $0 }) else { return }
    child.signal(signal)
    try await child.end()
  }

  /// SIGSTOP and SIGCONT: it hangs for a while, and its sockets stay open.
  package func signal(_ number: Int32) { running.withLock { $0 }?.signal(number) }

  /// Writes what it knows to its file now; returns when it has.
  package func save() async throws {
    let before = savedFile
    running.withLock { $0 }?.signal(SIGUSR1)
    try await until("mosquitto saves") { savedFile != nil && savedFile != before }
  }

  /// The number of the file that it saved to last: each time it is another one, which takes the name when it is whole.
  private var savedFile: Int? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: "\(scene.folder)/\(name)/mosquitto.db")
    return attributes?[.systemFileNumber] as? Int
  }

  /// Waits for a line of its log.
  @discardableResult
  package func line(
    _ text: String, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    try await eventually("mosquitto says \"\(text)\"", within: limit, sourceLocation: sourceLocation) {
      log.first { $0.contains(text) }
    }
  }

  /// Every line of its log since the first start.
  package var log: [String] {
    let text = try? String(contentsOfFile: "\(scene.folder)/\(name).err", encoding: .utf8)
    return text?.split(separator: "\n").map(String.init) ?? []
  }

  /// How many lines of its log contain a text.
  package func count(_ text: String) -> Int { log.count { $0.contains(text) } }

  package var socket: String { "\(scene.folder)/\(name)/socket" }

  package func url(_ way: Way) -> String {
    switch way {
    case .tcp5, .tcp311, .tls5, .tls311: url(tls: way.isTLS)
    case .webSocket5, .webSocket311: "ws://127.0.0.1:\(webSocketPort)/mqtt"
    case .secureWebSocket5, .secureWebSocket311: "wss://localhost:\(secureWebSocketPort ?? 0)/mqtt"
    case .unix5: "unix://\(socket)"
    }
  }

  package func url(tls: Bool = false) -> String {
    tls ? "mqtts://localhost:\(tlsPort ?? 0)" : "mqtt://127.0.0.1:\(port)"
  }
}

extension Scene {
  /// A mosquitto that runs.
  package func mosquitto(
    _ name: String = "mosquitto", address: String = "127.0.0.1", isPersistent: Bool = true, savesAtOnce: Bool = true,
    tls: Certificates? = nil, users: [String: String] = [:], logs: [String] = ["all"], lines: [String] = []
  ) async throws -> Mosquitto {
    let broker = try await Mosquitto(
      self, name: name, address: address, isPersistent: isPersistent, savesAtOnce: savesAtOnce, tls: tls, users: users,
      logs: logs, lines: lines)
    try await broker.start()
    return broker
  }
}
