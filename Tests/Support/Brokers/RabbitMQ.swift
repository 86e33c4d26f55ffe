import Foundation
import MQTT
import MQTTCore
import Testing

/// What a RabbitMQ node is called, and who its neighbours are.
package struct RabbitMQNode: Sendable {
  package let name: String
  /// Of Erlang's port mapper, where the nodes of one cluster find each other.
  package let mapperPort: Int

  /// - Parameter mapperPort: nil: one of its own.
  package init(name: String, mapperPort: Int? = nil) throws {
    self.name = name
    self.mapperPort = try mapperPort ?? freePort()
  }

  package var fullName: String { "\(name)@localhost" }
}

extension Scene {
  private static let programs = "/usr/lib/rabbitmq/bin"

  /// Erlang's port mapper: a node that finds none would start one that outlives it.
  package func portMapper(_ port: Int) async throws {
    _ = try spawn("epmd", ["epmd", "-port", "\(port)", "-address", "127.0.0.1"])
    try await until("epmd listens") { isListening(port: port) }
  }

  /// A node that has not been started.
  package func rabbitMQ(
    _ node: RabbitMQNode, _ certificates: Certificates, address: String = "127.0.0.1"
  ) async throws -> BrokerProgram {
    if !isListening(port: node.mapperPort) { try await portMapper(node.mapperPort) }
    let ports = try freePorts(.rabbitMQ)
    func port(_ transport: ServerAddress.Transport) throws -> String { "\(try #require(ports[transport]))" }
    func tls(_ section: String) -> String {
      """
      \(section).cacertfile = \(certificates.authority)
      \(section).certfile = \(certificates.server)
      \(section).keyfile = \(certificates.serverKey)
      """
    }
    try write("[rabbitmq_mqtt,rabbitmq_web_mqtt].\n", to: "\(node.name)/enabled_plugins")
    try write(
      """
      listeners.tcp.default = 127.0.0.1:\(try freePort())
      loopback_users = none
      mqtt.allow_anonymous = true
      mqtt.default_user = guest
      mqtt.default_pass = guest
      mqtt.vhost = /
      mqtt.exchange = amq.topic
      mqtt.subscription_ttl = 3600000
      mqtt.listeners.tcp.default = \(address):\(try port(.tcp))
      mqtt.listeners.ssl.default = \(address):\(try port(.tls))
      \(tls("ssl_options"))
      ssl_options.verify = verify_none
      ssl_options.fail_if_no_peer_cert = false
      web_mqtt.ws_path = /mqtt
      web_mqtt.tcp.listener = \(address):\(try port(.webSocket))
      web_mqtt.ssl.ip = \(address)
      web_mqtt.ssl.port = \(try port(.secureWebSocket))
      \(tls("web_mqtt.ssl"))
      log.console = true
      log.console.level = info
      log.file = false

      """, to: "\(node.name)/rabbitmq.conf")
    var environment = environment(node)
    environment.merge([
      // The node in the shell's place, so that signals reach it.
      "RUNNING_UNDER_SYSTEMD": "true",
      "RABBITMQ_MNESIA_BASE": "\(folder)/\(node.name)/data",
      "RABBITMQ_LOG_BASE": "\(folder)/\(node.name)/log",
      "RABBITMQ_CONFIG_FILE": "\(folder)/\(node.name)/rabbitmq.conf",
      "RABBITMQ_ENABLED_PLUGINS_FILE": "\(folder)/\(node.name)/enabled_plugins",
      "RABBITMQ_DIST_PORT": "\(try freePort())",
      "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
    ]) { $1 }
    return BrokerProgram(
      self, name: node.name, ["\(Self.programs)/rabbitmq-server"], environment: environment, ports: ports)
  }

  /// Two nodes of one cluster, which run.
  /// - Parameter policy: of the queues that sessions are kept in, as JSON.
  package func rabbitMQCluster(
    _ certificates: Certificates, address: String = "127.0.0.1", policy: String? = nil
  ) async throws -> [BrokerProgram] {
    let first = try RabbitMQNode(name: "one")
    let second = try RabbitMQNode(name: "two", mapperPort: first.mapperPort)
    var nodes: [BrokerProgram] = []
    for node in [first, second] { nodes.append(try await rabbitMQ(node, certificates, address: address)) }
    for node in nodes { try await node.start() }
    try await control(second, "stop_app")
    try await control(second, "reset")
    try await control(second, "join_cluster", first.fullName)
    try await control(second, "start_app")
    if let policy { try await control(first, "set_policy", "--apply-to", "queues", "sessions", "^mqtt-", policy) }
    return nodes
  }

  /// What a node and those who talk to it share. The cookie of a cluster is in the home folder.
  private func environment(_ node: RabbitMQNode) -> [String: String] {
    [
      "HOME": folder, "ERL_EPMD_PORT": "\(node.mapperPort)", "RABBITMQ_NODENAME": node.fullName,
      "RABBITMQ_CONF_ENV_FILE": "\(folder)/none",
    ]
  }

  /// Runs one command of rabbitmqctl.
  package func control(_ node: RabbitMQNode, _ arguments: String...) async throws {
    let child = try spawn(
      "rabbitmqctl", ["\(Self.programs)/rabbitmqctl", "-n", node.fullName] + arguments,
      environment: environment(node))
    let ending = try await child.end(within: .seconds(90))
    try #require(ending == .exited(0), "rabbitmqctl \(arguments)")
  }
}
