import Discovery
import LimpetInstants
import MQTTCore
import Measuring
import Plan

/// What of a modelled device is said beside its readings: to Home Assistant, to Homie, about its own health.
extension DeviceModel {
  struct Automation: Sendable {
    let hasHomeAssistant: Bool
    let hasHomie: Bool
    /// Zero: never.
    let health: Duration
    let cleanStart: Bool
    /// Of its crystal, in parts in a million.
    let drift: Int64

    init(_ script: Script) {
      hasHomeAssistant = script.setting("home-assistant") == 1
      hasHomie = script.setting("homie") == 1
      health = .seconds(script.setting("health") ?? 0)
      cleanStart = script.setting("clean-start") == 1
      drift = script.setting("drift") ?? 0
    }
  }

  static let homieClient = "limpet-d1-homie"
  static let homieBase = "homie/5/d1"
  static let homieState = topicName("\(homieBase)/$state")
  static let homieDescription = topicName("\(homieBase)/$description")
  static let homeAssistantBirths = topicName("homeassistant/status")
  static let homeAssistantTopic = topicName("homeassistant/device/d1/config")
  static let healthTopic = topicName("limpet/\(name)/health")

  /// An entity for each reading.
  func homeAssistant(_ names: [String]) -> HomeAssistantDevice? {
    guard automation.hasHomeAssistant else { return nil }
    return HomeAssistantDevice(
      topic: Self.homeAssistantTopic, births: [Self.homeAssistantBirths], head: [], shared: [],
      components: names.map { HomeAssistantComponent($0, "sensor", HomeAssistantFields()) }, device: Self.name)
  }

  /// A node for each reading, over a connection of its own to the same brokers.
  func homie(_ names: [String], _ link: Link.Settings) -> HomiePlan? {
    guard automation.hasHomie else { return nil }
    let nodes = names.map { name in
      let property = HomieDevice.Property(id: "value", title: name, datatype: .float)
      return HomieDevice.Node(name: name, id: name, title: name, properties: [property])
    }
    var connect = Connect(clientIdentifier: Self.homieClient, cleanStart: true, keepAlive: keepAlive)
    connect.properties.sessionExpiryInterval = 0
    return HomiePlan(
      device: HomieDevice(base: Self.homieBase, name: Self.name, nodes: nodes), link: link, connect: connect)
  }

  var health: HealthPlan {
    HealthPlan(
      topic: Self.healthTopic, interval: automation.health, metricsFile: nil, metricsInterval: .seconds(60),
      device: Self.name)
  }
}
