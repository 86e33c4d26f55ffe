import JSON
import LimpetText
import MQTTCore
import NIOCore

/// The description of this device for Home Assistant: one retained message with all of its entities (home-assistant.io,
/// "MQTT", "Device discovery payload"). It is a class because it never changes, and an optional of it is small.
package final class HomeAssistantDevice: Sendable {
  package let topic: TopicName
  /// The topic on which Home Assistant publishes that it has started.
  package let births: [TopicName]
  package let message: ByteBuffer
  package let components: [HomeAssistantComponent]
  /// Entities of other programs that this device carries on.
  package let handovers: [Predecessor]
  /// What ids of entities begin with.
  private let device: String
  /// `dev` and `o`, which every message has.
  private let head: [(name: String, value: JSONValue)]

  package static let online = ByteBuffer(string: "online")

  /// What another program described alone.
  package struct Predecessor: Equatable, Sendable {
    /// Where it did.
    package let topic: TopicName
    /// Of the reading or output that carries it on.
    package let name: String

    package init(topic: TopicName, name: String) {
      self.topic = topic
      self.name = name
    }
  }

  /// - Parameters:
  ///   - head: `dev` and `o`, which every message has.
  ///   - shared: what holds for all components; those follow as `cmps`.
  package init(
    topic: TopicName, births: [TopicName], head: [(name: String, value: JSONValue)],
    shared: [(name: String, value: JSONValue)], components: [HomeAssistantComponent], device: String = "",
    handovers: [Predecessor] = []
  ) {
    self.handovers = handovers
    self.device = device
    self.topic = topic
    self.births = births
    self.head = head
    self.components = components
    let all = head + shared + [("cmps", .object(components.map { ($0.id, $0.content) }))]
    message = ByteBuffer(string: JSONValue.object(all).compact)
  }

  /// Removes entities: a component with nothing but its platform.
  package func removal(of entries: [Announcement.Entry]) -> ByteBuffer {
    let components = entries.map { (name: $0.name, value: JSONValue.object([("p", .text($0.kind))])) }
    return ByteBuffer(string: JSONValue.object(head + [("cmps", .object(components))]).compact)
  }

  /// Brings entities back that Home Assistant knows by their ids, with only the required fields.
  package func revival(of entries: [Announcement.Entry]) -> ByteBuffer {
    let components = entries.map { entry in
      var fields: [(name: String, value: JSONValue)] = [
        ("p", .text(entry.kind)), ("uniq_id", .text(entry.uniqueID ?? "\(device)/\(entry.name)")),
        ("stat_t", .text("\(topic)/none")),
      ]
      if entry.kind == "event" { fields.append(("evt_typ", .texts(["none"]))) }
      if Self.actingKinds.contains(entry.kind) { fields.append(("cmd_t", .text("\(topic)/none"))) }
      return (name: entry.name, value: JSONValue.object(fields))
    }
    return ByteBuffer(string: JSONValue.object(head + [("cmps", .object(components))]).compact)
  }

  /// They are taken with a topic for commands only.
  private static let actingKinds: Set = ["switch", "number", "button", "light", "fan", "valve"]

  package var announcement: Announcement {
    let digest = SHA256.hash(Array(message.readableBytesView)).prefix(8)
      .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    return Announcement(
      topic: "\(topic)", digest: digest,
      entries: Set(
        components.map { component in
          let id = component.fields.text("uniq_id")
          return Announcement.Entry(
            kind: component.platform, name: component.id, uniqueID: id == "\(device)/\(component.id)" ? nil : id)
        }))
  }
}
