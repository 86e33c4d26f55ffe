import LimpetText
import Readings

/// The top of the configuration file.
package enum ConfigurationKeys {
  static let include = Key(
    optionalList: "include", .path,
    help: "More configuration files, relative to this file's folder; * and ? may stand in the last part. Their keys "
      + "are added to these.",
    example: "conf.d/*.yaml")
  static let topic = Key(
    "topic", .topic(.device, .name), default: "limpet/{device}/{name}",
    help: "Where readings go; {device} and {name} are filled in.")
  static let format = Key(
    "format", ValueKind<PayloadFormat>.choice, default: "json",
    help: "json adds time, unit, quality and a sequence number; plain is the value alone.")
  static let qos = Key("qos", .integer(0...2), default: "1", help: "The quality of service of readings.")
  static let expiry = Key(
    optional: "expiry", .duration(.seconds(1)...(.days(365))),
    help: "How long a reading is useful; then limpet or the broker drops it. Without it: for ever.",
    example: "1d")
  static let commands = Key(
    "commands", ValueKind<OnOff>.choice.withAdvice(Synonyms.commands), default: "on",
    help: "off: limpet subscribes to nothing, and outputs accept commands over the control socket only.")
  package static let control = Key(
    optional: "control", .socketPath,
    help: "The control socket; $RUNTIME_DIRECTORY/limpet.sock, else limpet.sock in storage.path.",
    example: "/run/limpet/limpet.sock")

  package static let metricsFile = Key(
    optional: "metrics_file", .absolutePath,
    help: "The numbers of metrics as a file that node_exporter's textfile collector reads; written every "
      + "health.interval, or every \(WrittenDuration.text(HealthKeys.metricsInterval)).",
    example: "/var/lib/prometheus/node-exporter/limpet.prom")

  static let all: [Declaration] = [
    include.declaration,
    .section("device", DeviceKeys.all, help: "The names of the device."),
    .section("broker", BrokerKeys.all, help: "Where to connect, and how."),
    .section("presence", PresenceKeys.all, help: "How the device reports that it is online."),
    .section("storage", StorageKeys.all, help: "Where readings wait until they are sent."),
    topic.declaration, format.declaration, qos.declaration, expiry.declaration,
    .section(
      "homeassistant", HomeAssistantKeys.all, help: "A description of this device for Home Assistant."),
    .section("homie", HomieKeys.all, help: "A device of the Homie convention 5, over a connection of its own."),
    Declaration(
      name: "inputs", help: "GPIO lines; `limpet scan` lists them.", need: .optional,
      content: .entries(common: InputKeys.all, selector: nil, variants: []), examples: InputKeys.examples),
    Declaration(
      name: "sensors", help: "Values of sysfs and of the system; `limpet scan --yaml` prints those of this board.",
      need: .optional,
      content: .entries(common: SensorKeys.common, selector: SensorKeys.type.name, variants: SensorKeys.variants),
      examples: SensorKeys.examples, samples: SensorKeys.samples),
    Declaration(
      name: "outputs", help: "Relays, lamps, motors, fans; `limpet scan` lists lines.",
      need: .optional, content: .entries(common: OutputKeys.all, selector: nil, variants: []),
      examples: OutputKeys.examples),
    commands.declaration,
    .section("health", HealthKeys.all, help: "The agent's own health report."),
    metricsFile.declaration,
    .section("metrics", MetricsKeys.all, help: "Numbers for Prometheus, served over HTTP."),
    control.declaration,
  ]
}

package enum HealthKeys {
  static let interval = Key(
    "interval", .duration(.seconds(1)...(.days(7)), orZero: true), default: "0s",
    help:
      "How often uptime, lost connections, buffered and dropped readings go to \(TopicTemplate.health); 0s: never.",
    example: "1m")

  /// How often metrics_file is written if `interval` is zero.
  package static let metricsInterval = Duration.seconds(60)

  static let all = [interval.declaration]
}

package enum MetricsKeys {
  package static let listen = Key(
    optional: "listen", ValueKind<ListenAddress>.listenAddress,
    help: "ADDRESS:PORT where http://ADDRESS:PORT/metrics has the agent's numbers and the last value of every reading; "
      + "whoever can connect can read them. localhost is 127.0.0.1.",
    example: "127.0.0.1:9480")

  static let all = [listen.declaration]
}

package enum DeviceKeys {
  package static let id = Key(
    "id", ValueKind<String>.name.map { .given($0) }.or("auto", Configuration.Identifier.automatic), default: "auto",
    help: "The {device} of topics; auto makes 22 letters and digits from the board's serial number.")
  static let displayName = Key(
    optional: "name", .text(bytes: 1...256), help: "The device's name for people; without it, the host's name.",
    example: "Greenhouse 3")

  static let all = [id.declaration, displayName.declaration]
}

package enum StorageKeys {
  package static let path = Key("path", .absolutePath, default: "/var/lib/limpet", help: "The folder of session.db.")
  package static let maxSize = Key(
    "max_size", .size(1_000_000...ByteSize.largest), default: "64MB",
    help: "How much disk waiting readings may take; beyond it limpet drops the oldest, and counts them.")
  static let sync = Key(
    "sync",
    ValueKind<Duration>.duration(.milliseconds(10)...(.hours(1)), words: ["always", "never"])
      .map { .within($0) }.or("always", Configuration.Sync.always).or("never", .never),
    default: "1s", help: "always, never, or how long an unsent reading may be in memory only.")
  static let syncOutage = Key(
    "sync_outage", .duration(.milliseconds(10)...(.hours(1))), default: "30s",
    help: "sync once an outage has lasted a minute, for fewer and larger writes; never shorter than sync.")
  static let drainRate = Key(
    "drain_rate", .integer(1...100_000), default: "500",
    help: "The most readings a second that limpet sends from a backlog, besides new ones.")

  static let all = [
    path.declaration, maxSize.declaration, sync.declaration, syncOutage.declaration, drainRate.declaration,
  ]
}

extension Configuration {
  /// Every key there is, as a tree.
  public static var declarations: [Declaration] { ConfigurationKeys.all }

  /// The path of a key for people, such as `broker.client_id`, of one whose name no other section has.
  package static func path<Value>(of key: Key<Value>) -> String { home(of: key.name) ?? key.name }

  /// Whether a section of that path, such as `broker.tls`, has that key.
  static func hasKey(_ name: String, in path: String) -> Bool {
    var declarations = ConfigurationKeys.all
    for section in path.split(separator: ".") {
      guard case .section(let inner)? = declarations.first(where: { $0.name == section })?.content else { return false }
      declarations = inner
    }
    return declarations.contains { $0.name == name }
  }

  /// The path of a key that exists in one section, such as `broker.keepalive`; nil if it is in none or several.
  static func home(of name: String) -> String? {
    var homes: [String] = []
    func search(_ declarations: [Declaration], _ prefix: String) {
      for declaration in declarations {
        if declaration.name == name { homes.append(prefix + name) }
        if case .section(let inner) = declaration.content { search(inner, "\(prefix)\(declaration.name).") }
      }
    }
    search(ConfigurationKeys.all, "")
    return homes.count == 1 ? homes.first : nil
  }
}
