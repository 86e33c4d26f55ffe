import Configuration
import Discovery
import JSON
import LimpetText
import MQTTCore

extension HomeAssistantDevice {
  /// - Parameters:
  ///   - configuration: with Home Assistant enabled.
  ///   - board: what the board says of itself.
  package convenience init(_ configuration: Configuration, device: String, board: BoardFacts) throws(TopicError) {
    let configuration = configuration.described(by: board)
    let topic = try TopicName(configuration.homeAssistant.topic(device: device))
    var births: [TopicName] = []
    for birth in configuration.homeAssistant.birthTopics { births.append(try TopicName(birth)) }
    let version = JSONValue.text(limpetVersion)
    var dev: [(name: String, value: JSONValue)] = [
      ("ids", .texts(["limpet_\(device)"])), ("name", .text(configuration.device.name ?? device)), ("sw", version),
    ]
    if let maker = board.maker { dev.append(("mf", .text(maker))) }
    if let model = board.model { dev.append(("mdl", .text(model))) }
    if let serial = board.serial { dev.append(("sn", .text(serial))) }
    if let mac = board.mac { dev.append(("cns", .list([.texts(["mac", mac])]))) }
    if let area = configuration.homeAssistant.area { dev.append(("sa", .text(area))) }
    var origin: [(name: String, value: JSONValue)] = [("name", .text("limpet")), ("sw", version)]
    if let page = configuration.homeAssistant.supportURL { origin.append(("url", .text(page))) }
    let head: [(name: String, value: JSONValue)] = [("dev", .object(dev)), ("o", .object(origin))]
    let presence = configuration.presence
    let shared: [(name: String, value: JSONValue)] = [
      ("avty_t", .text(presence.topic.expanded(device: device))), ("pl_avail", .text(presence.online)),
      ("pl_not_avail", .text(presence.offline)),
    ]
    // At the root of the description it has no effect.
    var components = HomeAssistantComponents(configuration: configuration, device: device).all.map {
      $0.adding([("qos", .integer(configuration.qos))])
    }
    // Home Assistant copies to each component what stands at the root, and takes none that has both of the two ways to say
    // when it is available (`SHARED_OPTIONS` and `MQTT_AVAILABILITY_SCHEMA` of its schemas.py).
    let isShared = !components.contains { $0.fields.has("avty") }
    if !isShared {
      components = components.map { component in
        // Automations are no entities.
        let isOwn = component.fields.has("avty") || component.kind == "device_automation"
        return isOwn ? component : component.adding(shared)
      }
    }
    var handovers: [Predecessor] = []
    for (topic, name) in configuration.migratedTopics {
      handovers.append(Predecessor(topic: try TopicName(topic), name: name))
    }
    self.init(
      topic: topic, births: births, head: head, shared: isShared ? shared : [], components: components, device: device,
      handovers: handovers)
  }
}

extension Configuration {
  /// Where other programs described entities that this device carries on, each once, and which entry does so.
  package var migratedTopics: [(topic: String, name: String)] {
    let entries =
      inputs.map { ($0.presentation, $0.name) } + sensors.map { ($0.presentation, $0.name) }
      + outputs.map { ($0.presentation, $0.name) }
    let names = Dictionary(entries.compactMap { one in one.0.migrateFrom.map { ($0, one.1) } }) { first, _ in first }
    return names.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
