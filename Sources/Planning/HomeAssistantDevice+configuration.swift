import Configuration
import Discovery
import JSON
import MQTTCore
import Text

extension HomeAssistantDevice {
  /// - Parameters:
  ///   - configuration: with Home Assistant enabled.
  ///   - model: the board's.
  package init(_ configuration: Configuration, device: String, model: String?) throws(TopicError) {
    let topic = try TopicName(configuration.homeAssistant.topic(device: device))
    var births: [TopicName] = []
    for birth in configuration.homeAssistant.birthTopics { births.append(try TopicName(birth)) }
    // At the root of the description it has no effect.
    let components = HomeAssistantComponents(configuration: configuration, device: device).all.map {
      $0.adding("qos", configuration.qos)
    }
    let version = JSONValue.text(limpetVersion)
    var dev: [(name: String, value: JSONValue)] = [
      ("ids", .texts(["limpet_\(device)"])), ("name", .text(configuration.device.name ?? device)), ("sw", version),
    ]
    if let model { dev.append(("mdl", .text(model))) }
    let head: [(name: String, value: JSONValue)] = [
      ("dev", .object(dev)), ("o", .object([("name", .text("limpet")), ("sw", version)])),
    ]
    let presence = configuration.presence
    let shared: [(name: String, value: JSONValue)] = [
      ("avty_t", .text(presence.topic.expanded(device: device))), ("pl_avail", .text(presence.online)),
      ("pl_not_avail", .text(presence.offline)),
    ]
    self.init(topic: topic, births: births, head: head, shared: shared, components: components)
  }
}
