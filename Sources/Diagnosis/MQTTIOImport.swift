import LimpetText
import YAML

/// A configuration of mqtt-io (github.com/flyte/mqtt-io, 2.x) as one of limpet's.
///
/// It takes over what both programs have, with the same topics and payloads; everything else becomes a comment with the
/// reason.
public struct MQTTIOImport {
  /// Why the file cannot be imported.
  public struct Flaw: Error, CustomStringConvertible {
    public let description: String

    package init(description: String) {
      self.description = description
    }
  }

  public let text: String
  /// Comments about keys without a counterpart.
  public let remarks: Int

  private static let reasons = [
    "ha_discovery": "is not imported, as mqtt-io described nothing: see homeassistant in limpet.yaml(5)",
    "unit_of_measurement": "is not needed: limpet knows the unit of the source",
    "state_class": "is not needed: limpet knows it", "expire_after": "is not needed: it follows from the interval",
    "poll_interval": "is not needed: the kernel reports each edge",
    "poll_when_interrupt_for": "is not needed: the kernel reports each edge",
    "interrupt_for": "has no counterpart: limpet reads the lines of other chips by the kernel's drivers",
    "cleanup": "is not needed: the kernel frees lines",
    "client_module": "concerns mqtt-io only", "ciphers": "has no counterpart",
    "tls_version": "is not needed: TLS 1.2 or later",
    "logging": "is not imported: see --log-level",
    "stream_modules": "has no counterpart: limpet reads no serial lines",
  ]

  /// - Parameter name: of the file, as it is printed.
  public init(_ bytes: [UInt8], name: String) throws(Flaw) {
    let document = Document.parse(bytes)
    if let problem = document.problems.first {
      throw Flaw(description: "\(name):\(problem.position.line):\(problem.position.column): \(problem.message)")
    }
    var root = ForeignMapping(document.root)
    guard var mqtt = root.mapping("mqtt"), let host = mqtt.text("host") else {
      throw Flaw(description: "\(name): mqtt.host is missing; this is not a configuration of mqtt-io")
    }
    var file = WrittenConfiguration()
    file.line("# From \(name.split(separator: "/").last.map(String.init) ?? name) of mqtt-io; `limpet check` reads it.")
    let gpio = Self.modules(root.list("gpio_modules"))
    let sensing = Self.modules(root.list("sensor_modules"))
    let inputs = root.list("digital_inputs")
    let outputs = root.list("digital_outputs")
    let sensors = root.list("sensor_inputs")
    file.comment(restOf: root, reasons: Self.reasons)
    let entities = MQTTIOEntities(&mqtt)
    entities?.write(to: &file)
    MQTTIOBroker(host: host, hasInputs: !inputs.isEmpty, hasOutputs: !outputs.isEmpty, hasSensors: !sensors.isEmpty)
      .write(&mqtt, to: &file, reasons: Self.reasons)
    var readings = MQTTIOReadings(reasons: Self.reasons, entities: entities)
    readings.write(inputs: inputs, gpio, to: &file)
    readings.write(outputs: outputs, gpio, to: &file)
    readings.write(sensors: sensors, sensing, to: &file)
    text = file.text
    remarks = file.remarks
  }

  private static func modules(_ list: [ForeignMapping]) -> [String: ForeignMapping] {
    var modules: [String: ForeignMapping] = [:]
    for var module in list {
      if let name = module.text("name") { modules[name] = module }
    }
    return modules
  }
}

/// Reads `mqtt`, writes `broker`, `presence`, `topic` and `format`.
private struct MQTTIOBroker {
  let host: String
  let hasInputs: Bool
  let hasOutputs: Bool
  let hasSensors: Bool

  func write(_ mqtt: inout ForeignMapping, to file: inout WrittenConfiguration, reasons: [String: String]) {
    var tls = mqtt.mapping("tls")
    let usesTLS = tls?.flag("enabled") ?? false
    let port = mqtt.integer("port") ?? 1883
    file.line("broker:")
    let address = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    file.line("  url: \(yamlScalar("\(usesTLS ? "mqtts" : "mqtt")://\(address):\(port)"))")
    let user = mqtt.text("user")
    if let user { file.line("  username: \(literal(user))") }
    let hasPassword = mqtt.text("password") != nil
    if hasPassword {
      file.comment(
        "mqtt.password is not copied: write it into a file that only limpet may read, and name that here:",
        indentation: "  ")
      file.line("  # password_file: /etc/limpet/password")
    }
    if let id = mqtt.text("client_id") { file.line("  client_id: \(literal(id))") }
    if let clean = mqtt.flag("clean_session") { file.line("  clean_start: \(clean)") }
    if let seconds = mqtt.integer("keepalive") { file.line("  keepalive: \(seconds)s") }
    switch mqtt.text("protocol") {
    case nil: break
    case "3.1.1": file.line("  version: \"3.1.1\"")
    case let version?:
      file.comment("mqtt.protocol \(quoted(version)) has no counterpart: limpet tries 5 and 3.1.1", indentation: "  ")
    }
    if let delay = mqtt.integer("reconnect_delay"), (1...86400).contains(delay) {
      file.line("  reconnect: {min: \(delay)s, max: \(max(120, delay))s}")
    }
    if let count = mqtt.integer("reconnect_count"), count >= 0 {
      file.comment("mqtt.reconnect_count has no counterpart: limpet never gives up", indentation: "  ")
    }
    if usesTLS, var settings = tls {
      write(tls: &settings, to: &file)
      tls = settings
      file.comment(restOf: settings, indentation: "  ", reasons: reasons)
    }
    let prefix = mqtt.text("topic_prefix").map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 } ?? ""
    let parts = Topics(prefix: prefix, status: mqtt.text("status_topic") ?? "status")
    let (online, stopped, dead) = (
      mqtt.text("status_payload_running") ?? "running", mqtt.text("status_payload_stopped") ?? "stopped",
      mqtt.text("status_payload_dead") ?? "dead"
    )
    file.comment(restOf: mqtt, indentation: "  ", reasons: reasons)
    file.line("presence:")
    file.line("  topic: \(literal(parts.status))")
    file.line("  online: \(literal(online))")
    if stopped != dead {
      file.comment(
        "\(quoted(stopped)) of a clean stop is \(quoted(dead)) too: limpet has one word for both", indentation: "  ")
    }
    file.line("  offline: \(literal(dead))")
    let places = [(hasInputs, "inputs", "input"), (hasOutputs, "outputs", "output"), (hasSensors, "sensors", "sensor")]
      .filter(\.0)
    if places.count > 1 {
      let list = places.map { "\($0.1) below \($0.2)/" }
      let text = list.dropLast().joined(separator: ", ") + " and " + (list.last ?? "")
      file.comment("mqtt-io had \(text); limpet has one topic for all:")
    }
    file.line("topic: \(literal(parts.readings(below: places.map(\.2))))")
    file.line("format: plain")
  }

  private func write(tls: inout ForeignMapping, to file: inout WrittenConfiguration) {
    var pairs: [String] = []
    if let ca = tls.text("ca_certs") { pairs.append("ca: \(literal(ca))") }
    switch (tls.text("certfile"), tls.text("keyfile")) {
    case (let certificate?, let key?): pairs += ["certificate: \(literal(certificate))", "key: \(literal(key))"]
    case (nil, nil): break
    default: file.comment("mqtt.tls has only one of certfile and keyfile; limpet needs both", indentation: "  ")
    }
    let requirement = tls.text("cert_reqs")
    let ignoresName = tls.flag("insecure") ?? false
    if requirement == "CERT_NONE" || requirement == "CERT_OPTIONAL" { pairs.append("insecure: true") }
    if ignoresName, requirement != "CERT_NONE" {
      file.comment(
        "mqtt.tls.insecure is not imported, as it would switch off more here; see server_name and insecure",
        indentation: "  ")
    }
    if !pairs.isEmpty { file.line("  tls: {\(pairs.joined(separator: ", "))}") }
  }

  private struct Topics {
    let prefix: String
    let status: String

    init(prefix: String, status: String) {
      self.prefix = prefix.isEmpty ? "" : prefix + "/"
      self.status = self.prefix + status
    }

    func readings(below places: [String]) -> String {
      if places.count > 1 { return prefix + (prefix.isEmpty ? "mqtt_io/{name}" : "{name}") }
      return prefix + (places.first ?? "input") + "/{name}"
    }
  }
}

/// Text that means itself: in YAML, and to what looks for `${NAME}`.
package func literal(_ text: String) -> String {
  var escaped = ""
  var rest = Substring(text)
  while let dollar = rest.firstIndex(of: "$") {
    escaped += rest[..<dollar]
    escaped += rest[dollar...].hasPrefix("${") ? "$$" : "$"
    rest = rest[rest.index(after: dollar)...]
  }
  return yamlScalar(escaped + rest)
}
