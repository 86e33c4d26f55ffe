import LimpetInstants
import MQTTCore
import Measuring
import Outbox
import Plan
import Presence
import Readings
import Records

/// What a modelled device is configured to do: the constants of a script, and what an operator has changed since.
struct DeviceModel: Sendable {
  static let client = "limpet-d1"
  static let name = "d1"

  let sensors: Int
  let interval: Duration
  let lines: Int
  let qos: QoS
  /// Seconds; -1: never; 0: always.
  let sync: Int64
  let keepAlive: UInt16
  let lease: Duration
  let willDelay: Duration
  let version: ProtocolVersion?
  let isVersion5Spoken: Bool
  let window: Int
  let drainRate: Int
  let brokers: Int
  let limit: Int
  let keepsLatest: Bool
  let hasFallback: Bool
  /// Its brokers share sessions.
  let isCluster: Bool
  /// It returns to the first of several brokers.
  let prefersFirst: Bool
  /// How long the first broker has to be reachable before the device returns to it.
  static let patience = Duration.seconds(10)
  /// What the id is made from.
  let identity: StoredIdentity.Source
  let sessionExpiry: UInt32
  let watchdog: Bool
  let automation: Automation
  /// Of the core: numbers that are reserved at once, readings of one write.
  let block: UInt64
  let batch: Int
  let mutation: Mutation?

  /// What reloads change.
  var broker = 0
  var topic = 0
  var names = 0
  var outputs: OutputSettings
  /// The version of the agent.
  var release = 1

  init(_ script: Script) {
    func value(_ name: String, _ usual: Int64) -> Int64 { script.setting(name) ?? usual }
    sensors = Int(value("sensors", 10))
    interval = .milliseconds(value("interval", 10_000))
    lines = Int(value("lines", 0))
    qos = QoS(rawValue: UInt8(clamping: value("qos", 1))) ?? .atLeastOnce
    sync = value("sync", 1)
    keepAlive = UInt16(clamping: value("keepalive", 30))
    outputs = OutputSettings(script, keepAlive: keepAlive)
    lease = .seconds(value("lease", 300))
    willDelay = .seconds(value("will-delay", 0))
    isVersion5Spoken = value("broker", 0) < 4
    version =
      switch value("version", 0) {
      // Where 5 is not spoken nobody asks for it alone.
      case 5 where isVersion5Spoken: .v5
      case 4: .v311
      default: nil
      }
    window = Int(value("window", 100))
    drainRate = Int(value("drain-rate", 500))
    brokers = Int(min(max(value("brokers", 1), 1), 3))
    limit = Int(value("buffer", 10_000_000))
    keepsLatest = value("keeps-latest", 0) != 0
    isCluster = value("cluster", 0) != 0
    prefersFirst = value("prefers-first", 0) != 0
    identity = [.deviceTree, .machineID, .random][Int(value("identity", 0)) % 3]
    hasFallback = value("fallback", 0) != 0
    sessionExpiry = UInt32(clamping: value("session-expiry", 86_400))
    watchdog = value("watchdog", 0) != 0
    automation = Automation(script)
    block = UInt64(max(2, value("block", 1000)))
    batch = Int(max(1, value("batch", 4096)))
    mutation = script.mutation
  }

  /// By an old rule.
  var forgetsSession: Bool { automation.cleanStart && mutation == .cleanStartStoresNothing }

  static func address(_ broker: Int) -> ServerAddress {
    ServerAddress(transport: .tcp, host: "broker\(broker)", port: 1883)
  }

  static func address(of server: ServerAddress) -> Int { Int(server.host.dropFirst(6)) ?? 0 }

  func index(of server: ServerAddress) -> Int { isCluster ? 0 : Self.address(of: server) }

  /// The nodes of a cluster are one broker under several addresses.
  var brokerCount: Int { isCluster ? 1 : brokers }

  var servers: [Int] { hasFallback || isCluster ? (0..<brokers).map { (broker + $0) % brokers } : [broker % brokers] }

  /// In every variant one sensor of the first one is missing, and another is there instead.
  var sensorNames: [String] {
    (0..<sensors).map { names > 0 && $0 == names % max(1, sensors) ? "x\(names)" : "s\($0)" }
  }

  static func isSensor(_ name: Substring) -> Bool { name.first == "s" || name.first == "x" }

  static func statusTopic(_ variant: Int) -> TopicName {
    topicName(variant == 0 ? "limpet/\(name)/status" : "limpet/\(name)/status\(variant)")
  }

  static let presenceTopic = topicName("limpet/\(name)/presence")

  static func isPresence(_ topic: TopicName) -> Bool {
    topic == presenceTopic || (0..<3).contains { statusTopic($0) == topic }
  }

  static func topicName(_ text: String) -> TopicName {
    do { return try TopicName(text) } catch { preconditionFailure("\(text) is a topic") }
  }

  static func filter(_ text: String) -> TopicFilter {
    do { return try TopicFilter(text) } catch { preconditionFailure("\(text) is a filter") }
  }

  func stream(_ name: String, isRetained: Bool) -> Stream {
    Stream(
      name: name, topic: Self.topicName("limpet/\(Self.name)/r/\(name)"), qos: qos, isRetained: isRetained,
      format: .json)
  }

  func plan(instance: String) -> DevicePlan {
    var link = Link.Settings(servers: servers.map(Self.address))
    link.version = version
    link.mutation = mutation
    link.inFlightLimit = window
    link.isStored = sync >= 0
    link.sharesSessions = isCluster
    if prefersFirst, servers.count > 1 { (link.prefersFirst, link.leavesByHand) = (Self.patience, true) }
    link.storeDelay = .seconds(max(0, sync))
    var connect = Connect(clientIdentifier: Self.client, cleanStart: automation.cleanStart, keepAlive: keepAlive)
    connect.properties.sessionExpiryInterval = automation.cleanStart ? 0 : sessionExpiry
    let presence = PresenceMessages(
      status: Self.statusTopic(topic), presence: Self.presenceTopic, online: "online",
      offline: "offline", qos: .atLeastOnce, willDelay: willDelay, lease: lease, instance: instance,
      version: "\(release)")
    let names = sensorNames
    var streams = names.enumerated().map { stream($1, isRetained: $0 % 2 == 0) }
    let sensors = names.enumerated().map { index, name in
      SensorPlan(id: SensorID(name), name: name, stream: StreamID(index), interval: interval, timeout: .seconds(10))
    }
    var inputs: [LinePlan] = []
    for line in 0..<lines {
      let name = "line\(line)"
      let request = GPIOInput(
        chip: nil, line: .offset(UInt32(line)), bias: .asIs, isActiveLow: false, debounce: .zero,
        mode: [.event, .counter, .state][line % 3], isForced: false, maxRate: 100)
      let measure =
        line % 3 == 1 ? LinePlan.Measure(.total, interval: .seconds(60), scale: 1, unit: nil) : nil
      inputs.append(LinePlan(name: name, stream: StreamID(streams.count), request: request, measure: measure))
      streams.append(stream(name, isRetained: line % 3 == 2))
    }
    var outputs = self.outputs.plans
    for index in outputs.indices {
      outputs[index].stream = StreamID(streams.count)
      streams.append(stream(outputs[index].name, isRetained: true))
    }
    let writing: Outbox.Writing =
      sync < 0 ? .never : sync == 0 ? .always : .after(.seconds(sync), outage: .seconds(max(10, sync)))
    var rules = Outbox.Rules(
      limit: limit, memoryLimit: limit, writing: writing, drainRate: drainRate,
      keepsLatest: streams.map { _ in keepsLatest })
    rules.batchLimit = batch
    return DevicePlan(
      link: link, connect: connect, cleanStart: automation.cleanStart, presence: presence, streams: streams,
      sensors: sensors, inputs: inputs, outputs: outputs, commands: self.outputs.commands,
      homeAssistant: homeAssistant(streams.map(\.name)), homie: homie(streams.map(\.name), link),
      countCheckpoint: sync < 0 ? nil : .seconds(60), health: health, outbox: rules, qos: qos,
      shutdownTimeout: .seconds(5), device: Self.name,
      identity: StoredIdentity(id: Self.name, source: identity, serial: "1"))
  }
}
