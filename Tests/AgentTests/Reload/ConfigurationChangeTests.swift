import Testing

@testable import Configuration
@testable import Planning

struct ConfigurationChangeTests {
  private func configuration(_ text: String) throws -> Configuration {
    try #require(loadConfiguration(text).configuration)
  }

  /// - Parameters:
  ///   - broker: further lines of the section.
  ///   - lines: at the top.
  private func change(_ broker: String = "", _ lines: String = "") throws -> ConfigurationChange {
    ConfigurationChange(
      from: try configuration(minimalConfiguration),
      to: try configuration(minimalConfiguration + (broker.isEmpty ? "" : "  \(broker)\n") + lines + "\n"))
  }

  @Test("keys of readings, of people and of the end leave the connection alone")
  func connectionStays() throws {
    let lines = [
      "sensors: [{name: load, type: system, value: load1}]", "inputs: [{name: door, line: 4}]", "format: plain",
      "topic: \"x/{name}\"", "qos: 0", "device: {name: Shed}", "health: {interval: 1m}", "metrics_file: /tmp/x.prom",
      "presence: {lease: 1m}",
    ]
    for line in lines {
      let change = try change("", line)
      #expect(!change.renewsConnection && change.needsRestart.isEmpty && !change.changesAttempts, "\(line)")
    }
    #expect(try !change("shutdown_timeout: 9s").renewsConnection)
    for line in ["connect_timeout: 9s", "reconnect: {max: 9s}"] {
      #expect(try !change(line).renewsConnection, "\(line)")
      #expect(try change(line).changesAttempts, "\(line)")
    }
  }

  @Test(
    "what CONNECT, its will and the way to the broker are made of makes a new connection",
    arguments: [
      "keepalive: 7s", "username: me", "version: \"3.1.1\"", "session_expiry: 1h",
    ])
  func broker(_ line: String) throws { #expect(try change(line).renewsConnection) }

  @Test(
    "so do the keys of the will",
    arguments: ["topic: \"x/{device}\"", "online: up", "offline: down", "qos: 2", "will_delay: 3s"])
  func presence(_ key: String) throws { #expect(try change("", "presence: {\(key)}").renewsConnection) }

  @Test("what is another agent's altogether takes a restart, and all of it is named")
  func restart() throws {
    let change = ConfigurationChange(
      from: try configuration(minimalConfiguration),
      to: try configuration(
        "device: {id: other}\nbroker: {url: mqtt://h, client_id: me, clean_start: true}\n"
          + "storage: {path: /x}\ncontrol: /y\n"))
    #expect(change.needsRestart == ["device.id", "broker.client_id", "broker.clean_start", "storage", "control"])
  }
}
