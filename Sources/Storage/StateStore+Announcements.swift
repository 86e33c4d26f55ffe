/// What a broker keeps of this device's description for home automation, under one topic.
public struct StoredAnnouncement: Equatable, Sendable {
  /// Who reads it.
  public enum Kind: String, Sendable {
    case homeAssistant = "homeassistant"
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

extension StateStore {
  /// Stores what a broker keeps in place of what it kept under that topic before.
  public func setAnnouncement(_ announcement: StoredAnnouncement) throws(StorageError) {
    try write("store what home automation was told") { database throws(StorageError) in
      try Self.write(announcement, to: database)
    }
  }

  static func write(_ announcement: StoredAnnouncement, to database: Database) throws(StorageError) {
    try database.run(
      "INSERT OR REPLACE INTO announcement (kind, topic, content) VALUES (?, ?, ?)",
      .text(announcement.kind.rawValue), .text(announcement.topic), .text(announcement.content))
  }

  /// The broker keeps nothing of it any more.
  public func removeAnnouncement(_ kind: StoredAnnouncement.Kind, topic: String) throws(StorageError) {
    try write("forget what home automation was told") { database throws(StorageError) in
      try database.run(
        "DELETE FROM announcement WHERE kind = ? AND topic = ?", .text(kind.rawValue), .text(topic))
    }
  }

  /// By kind and topic.
  static func readAnnouncements(_ database: Database) throws(StorageError) -> [StoredAnnouncement] {
    try database.query("SELECT kind, topic, content FROM announcement ORDER BY kind, topic") { row in
      StoredAnnouncement.Kind(rawValue: row.text(0)).map {
        StoredAnnouncement(kind: $0, topic: row.text(1), content: row.text(2))
      }
    }.compactMap { $0 }
  }
}
