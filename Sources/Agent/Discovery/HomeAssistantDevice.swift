import MQTT
import NIOCore

/// Home Assistant's picture of this device: one retained message that describes all of its entities (home-assistant.io,
/// "MQTT", "Device discovery payload").
struct HomeAssistantDevice: Sendable {
  let topic: TopicName
  /// Where Home Assistant says that it has started.
  let birth: TopicName
  let message: ByteBuffer
  let components: [HomeAssistantComponent]
  /// `dev` and `o`, which every message has.
  private let head: [(name: String, value: JSONValue)]

  static let online = ByteBuffer(string: "online")

  /// - Parameters:
  ///   - configuration: with Home Assistant enabled.
  ///   - model: the board's.
  init(_ configuration: Configuration, device: String, model: String?) throws(TopicError) {
    topic = try TopicName(configuration.homeAssistant.topic(device: device))
    birth = try TopicName(configuration.homeAssistant.birthTopic)
    components = HomeAssistantComponents(configuration: configuration, device: device).all
    let version = JSONValue.text(limpetVersion)
    var dev: [(name: String, value: JSONValue)] = [
      ("ids", .texts(["limpet_\(device)"])), ("name", .text(configuration.device.name ?? device)), ("sw", version),
    ]
    if let model { dev.append(("mdl", .text(model))) }
    head = [("dev", .object(dev)), ("o", .object([("name", .text("limpet")), ("sw", version)]))]
    let presence = configuration.presence
    let shared: [(name: String, value: JSONValue)] = [
      ("avty_t", .text(presence.topic.expanded(device: device))), ("pl_avail", .text(presence.online)),
      ("pl_not_avail", .text(presence.offline)), ("qos", .integer(configuration.qos)),
      ("cmps", .object(components.map { ($0.id, $0.content) })),
    ]
    message = ByteBuffer(string: JSONValue.object(head + shared).compact)
  }

  /// What takes entities away: their platform alone.
  func removal(of entries: [Announcement.Entry]) -> ByteBuffer {
    let components = entries.map { (name: $0.name, value: JSONValue.object([("p", .text($0.kind))])) }
    return ByteBuffer(string: JSONValue.object(head + [("cmps", .object(components))]).compact)
  }

  var announcement: Announcement {
    let digest = SHA256.hash(Array(message.readableBytesView)).prefix(8)
      .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    return Announcement(
      topic: "\(topic)", digest: digest,
      entries: Set(components.map { Announcement.Entry(kind: $0.platform, name: $0.id) }))
  }
}
