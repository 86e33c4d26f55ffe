import Testing

@testable import Configuration

@Suite("What the service does not see")
struct ServiceSandboxTests {
  private func warnings(_ text: String, path: String = "/etc/limpet/limpet.yaml") -> [String] {
    Configuration.load(bytes: Array(text.utf8), path: path).diagnostics
      .filter { $0.severity == .warning }.map { "\($0.position.line):\($0.position.column) \($0.path ?? "")" }
  }

  private let configuration = """
    broker:
      url: unix:///tmp/broker.sock
    storage: {path: /srv/limpet}
    control: /run/limpet/limpet.sock
    metrics_file: /srv/metrics/limpet.prom
    sensors:
      - {name: level, type: file, path: /home/pi/level}
      - {name: free, type: system, value: disk_free, path: /var/tmp}
      - {name: homely, type: file, path: /homes/level}
      - {name: good, type: file, path: /run/level}
    """

  @Test("places that the sandbox hides, or keeps from being written, are warned of, each at its value")
  func warned() {
    #expect(
      warnings(configuration) == [
        "2:8 broker.url", "3:17 storage.path", "5:15 metrics_file", "7:37 sensors[0].path", "8:56 sensors[1].path",
      ])
  }

  @Test("a configuration that is not the service's may name any")
  func others() { #expect(warnings(configuration, path: "/home/pi/limpet.yaml") == []) }

  @Test("what the package brings is content with its own sandbox")
  func standard() {
    #expect(warnings("broker: {url: mqtt://localhost}\nstorage: {path: /var/lib/limpet}\n") == [])
    #expect(warnings("broker: {url: mqtt://localhost}\nstorage: {path: /var/lib/limpet/a}\n") == [])
    #expect(
      warnings("broker: {url: mqtt://localhost}\nmetrics_file: /var/lib/prometheus/node-exporter/limpet.prom\n") == [])
  }
}
