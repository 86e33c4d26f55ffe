/// A retained part of this device's description for home automation, under one topic.
public struct StoredAnnouncement: Equatable, Sendable {
  /// Which home automation reads it.
  public enum Kind: String, Sendable {
    case homeAssistant = "homeassistant"
    /// An entity that has left while Home Assistant may have been down.
    case departed
    /// Which topics of other programs Home Assistant has handed over.
    case migrated
    case homie
  }

  public var kind: Kind
  /// Its topic, or the beginning of all of its topics.
  public var topic: String
  /// Its owner's own text.
  public var content: String

  /// An announcement to store.
  public init(kind: Kind, topic: String, content: String) {
    self.kind = kind
    self.topic = topic
    self.content = content
  }
}
