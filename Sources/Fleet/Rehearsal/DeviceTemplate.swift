import Configuration
import MQTTCore
import Measuring
import Outbox
import Plan
import Planning
import Presence
import Readings

/// What every simulated device is: a configuration, made into one plan that all of them share but for their names.
///
/// Of the configuration its connection, presence, sensors (what they are called and how often they are read) and health
/// are taken. Its id, storage, GPIO, outputs and discovery are not, and its topics are others: a broker on this machine
/// may forward messages to another one.
struct DeviceTemplate: Sendable {
  /// What all topics begin with.
  static let root = "limpet-sim"
  /// Sessions that a rehearsal leaves behind end by themselves.
  private static let longestSession: UInt32 = 600

  private let plan: DevicePlan

  /// - Parameter readings: of each sensor, in place of its own interval; nil: as it is configured, or one in 10 s of one
  ///   sensor where there is no configuration.
  init(_ configuration: Configuration, readings: Rate?) throws(PlanError) {
    var configuration = configuration
    configuration.inputs = []
    configuration.outputs = []
    configuration.homeAssistant.isEnabled = false
    configuration.homie.isEnabled = false
    configuration.metricsFile = nil
    configuration.storage.sync = .never
    var plan = try configuration.devicePlan(
      device: Self.id(of: 0), instance: "0", board: BoardFacts(), memoryShare: nil)
    if plan.sensors.isEmpty {
      plan.streams = [
        Stream(
          name: "reading", topic: plan.health.topic, qos: plan.qos, isRetained: false, format: configuration.format)
      ]
      plan.sensors = [
        SensorPlan(id: SensorID("reading"), name: "reading", stream: 0, interval: .seconds(10), unit: "°C")
      ]
      plan.outbox.keepsLatest = [false]
    }
    // No sensor is read: each reading is a number.
    plan.sensors = plan.sensors.map { sensor in
      SensorPlan(
        id: sensor.id, name: sensor.name, stream: sensor.stream, interval: readings?.interval ?? sensor.interval,
        change: sensor.change, maxAge: sensor.maxAge, unit: sensor.unit ?? "°C", average: sensor.average,
        decimals: sensor.decimals)
    }
    if let readings, readings.interval == nil { plan.sensors = [] }
    if let expiry = plan.connect.properties.sessionExpiryInterval {
      plan.connect.properties.sessionExpiryInterval = min(expiry, Self.longestSession)
    }
    self.plan = plan
    // That each device has a plan is known from here on, but for its number.
    _ = try device(0, instance: "0")
  }

  static func id(of index: Int) -> String {
    let digits = String(index + 1)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  /// The number of the device that has this id; nil: none has.
  static func index(ofID id: some StringProtocol) -> Int? { Int(id).flatMap { $0 > 0 ? $0 - 1 : nil } }

  /// Names that have readings, by their index.
  var names: [String] { plan.streams.map(\.name) }
  var format: PayloadFormat { plan.streams.first?.format ?? .json }
  var retainedNames: [String] { plan.streams.filter(\.isRetained).map(\.name) }
  var hasHealth: Bool { plan.health.interval > .zero }
  var servers: [ServerAddress] { plan.link.servers }
  var presence: PresenceMessages { plan.presence }
  var shutdownTimeout: Duration { plan.shutdownTimeout }

  static func topic(_ id: String, _ name: String) -> String { "\(root)/\(id)/\(name)" }

  /// The plan of a device. With several servers the devices begin with each in turn, like a fleet that is spread over
  /// them, and go on in the written order.
  func device(_ index: Int, instance: String) throws(PlanError) -> DevicePlan {
    let id = Self.id(of: index)
    func topic(_ name: String) throws(PlanError) -> TopicName { try Configuration.topicName(Self.topic(id, name)) }
    var plan = plan
    plan.device = id
    plan.connect.clientIdentifier = "sim-\(id)"
    let first = index % servers.count
    plan.link.servers = Array(servers[first...] + servers[..<first])
    plan.presence = PresenceMessages(
      self.plan.presence, status: try topic("status"), presence: try topic("presence"), instance: instance)
    for stream in plan.streams.indices {
      let old = plan.streams[stream]
      plan.streams[stream] = Stream(
        name: old.name, topic: try topic(old.name), qos: old.qos, isRetained: old.isRetained, format: old.format,
        levels: old.levels, timePrecision: old.timePrecision)
    }
    plan.health = HealthPlan(
      topic: hasHealth ? try topic("health") : self.plan.health.topic, interval: plan.health.interval,
      metricsFile: nil, metricsInterval: plan.health.metricsInterval, device: id)
    return plan
  }
}

extension PresenceMessages {
  /// The same of another device, or of another process of it.
  init(_ other: PresenceMessages, status: TopicName, presence: TopicName, instance: String) {
    self.init(
      status: status, presence: presence, online: other.online, offline: other.offline, qos: other.qos,
      willDelay: other.willDelay, lease: other.lease, instance: instance, version: other.version)
  }
}
