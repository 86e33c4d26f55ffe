/// What a broker keeps of this device's description for home automation, under one topic.
public struct StoredAnnouncement: Equatable, Sendable {
  /// Who reads it.
  public enum Kind: String, Sendable {
    case homeAssistant = "homeassistant"
    /// What has left, and Home Assistant may not have seen leave.
    case departed
    case homie
  }

  public var kind: Kind
  /// Where it is, or what is before all topics of it.
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
