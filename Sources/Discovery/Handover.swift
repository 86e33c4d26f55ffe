import MQTTCore
import NIOCore
import Records

/// Takes entities over from a program that described each of them alone (home-assistant.io, "MQTT", "Migration from
/// single component to device based discovery").
///
/// Each topic is asked to let its entity go, which keeps the entity's settings and history; then comes the description
/// of the device, whose entity has the same unique id; then the topic is cleared. An entity that was not asked first
/// would be lost with its topic, so each part follows only where the one before it was acknowledged.
struct Handover: Equatable {
  enum Part: Equatable {
    case asks, clears
  }

  /// Retained, in the place of the old description: who starts now does not read that again.
  static let request = ByteBuffer(string: #"{"migrate_discovery": true}"#)

  /// The topics that were handed over, of those that the configuration has named.
  private(set) var done: Set<String>

  init(_ stored: Announcement?) { done = Set(stored?.entries.map(\.name) ?? []) }

  /// What is still to be asked for.
  func open(of device: HomeAssistantDevice) -> [TopicName] {
    device.handovers.map(\.topic).filter { !done.contains("\($0)") && $0 != device.topic }
  }

  /// The topic is cleared; what the store is to keep.
  mutating func finish(_ topic: TopicName, of device: HomeAssistantDevice) -> StoredAnnouncement {
    done = done.intersection(device.handovers.map { "\($0.topic)" }).union(["\(topic)"])
    let entries = Set(done.map { Announcement.Entry(kind: "topic", name: $0) })
    return Announcement(topic: device.topic.description, digest: "", entries: entries).stored(.migrated)
  }
}
