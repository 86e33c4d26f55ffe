import Discovery
import MQTTCore
import Measuring
import Outbox
import Plan
import Presence
import Readings

extension DevicePlan {
  static let status: TopicName = "status"
  static let presence: TopicName = "presence"

  /// Lines whose readings go to the topic of their name, and nothing else.
  static func bench(
    _ lines: [String] = ["a", "b"], retained: Set<String> = [], sensors: [String] = [], lease: Duration = .zero,
    willDelay: Duration = .zero, status: TopicName = status, _ change: (inout DevicePlan) -> Void = { _ in }
  ) -> DevicePlan {
    var link = Link.Settings(servers: [server("a")])
    link.version = .v5
    link.isStored = true
    let names = lines + sensors
    let streams = names.compactMap { name in
      (try? TopicName(name)).map {
        Stream(name: name, topic: $0, qos: .atLeastOnce, isRetained: retained.contains(name), format: .json)
      }
    }
    var plan = DevicePlan(
      link: link,
      connect: Connect(clientIdentifier: "board", cleanStart: false, keepAlive: 30), cleanStart: false,
      presence: PresenceMessages(
        status: status, presence: presence, online: "online", offline: "offline", qos: .atLeastOnce,
        willDelay: willDelay, lease: lease, instance: "this", version: "1"),
      streams: streams,
      sensors: sensors.enumerated().map {
        SensorPlan(id: SensorID($1), name: $1, stream: StreamID(lines.count + $0), interval: .seconds(3600))
      },
      inputs: lines.enumerated().map { LinePlan(name: $1, stream: StreamID($0), request: .bench($1)) },
      countCheckpoint: nil,
      health: HealthPlan(
        topic: "health", interval: .zero, metricsFile: nil, metricsInterval: .seconds(15), device: "board"),
      outbox: Outbox.Rules(
        limit: 10_000_000, writing: .after(.seconds(1), outage: .seconds(10)), drainRate: 500,
        keepsLatest: names.map { _ in false }),
      qos: .atLeastOnce, shutdownTimeout: .seconds(5), device: "board")
    plan.connect.properties.sessionExpiryInterval = 604_800
    change(&plan)
    return plan
  }

  static func server(_ host: String) -> ServerAddress { ServerAddress(transport: .tcp, host: host, port: 1883) }

  /// Home Assistant's picture of it, with an entity for each of these.
  static func homeAssistant(_ entities: String...) -> HomeAssistantDevice {
    HomeAssistantDevice(
      topic: "homeassistant/device/board/config", births: ["homeassistant/status"], head: [], shared: [],
      components: entities.map { HomeAssistantComponent($0, "sensor", HomeAssistantFields()) })
  }

  /// A Homie device with a property for each of these names.
  static func homie(_ names: String..., base: String = "homie/5/board", client: String = "board-homie") -> HomiePlan {
    var link = Link.Settings(servers: [server("a")])
    link.version = .v5
    let nodes = names.map {
      HomieDevice.Node(
        name: $0, id: $0, title: $0,
        properties: [HomieDevice.Property(id: "value", title: "value", datatype: .boolean)])
    }
    return HomiePlan(
      device: HomieDevice(base: base, name: "board", nodes: nodes), link: link,
      connect: Connect(clientIdentifier: client, cleanStart: true, keepAlive: 30))
  }
}

extension GPIOInput {
  static func bench(_ line: String, mode: Mode = .state) -> GPIOInput {
    GPIOInput(
      chip: nil, line: .name(line), bias: .asIs, isActiveLow: false, debounce: .zero, mode: mode, isForced: false,
      maxRate: 1000)
  }
}
