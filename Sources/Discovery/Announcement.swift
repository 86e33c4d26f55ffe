import Records

/// A retained description of this device under one topic: stored, so that limpet can clear at the broker what leaves
/// the configuration.
package struct Announcement: Equatable, Sendable {
  package struct Entry: Hashable, Sendable {
    /// The platform of an entity.
    package var kind: String
    package var name: String
    /// Its unique id, where that is not made of the device and the name.
    package var uniqueID: String?

    package init(kind: String, name: String, uniqueID: String? = nil) {
      self.kind = kind
      self.name = name
      self.uniqueID = uniqueID
    }

    /// Of one component of the device, whatever its unique id.
    func isPlace(of other: Entry) -> Bool { kind == other.kind && name == other.name }
  }

  package let topic: String
  /// Of the message that the broker has acknowledged; empty: it may be any.
  var digest: String
  package var entries: Set<Entry>

  /// With the entities of an earlier one that may still be there.
  package func joined(with other: Announcement?) -> Announcement {
    guard let other, other.entries.subtracting(entries).isEmpty, other.digest == digest else {
      return Announcement(topic: topic, digest: "", entries: entries.union(other?.entries ?? []))
    }
    return self
  }

  /// Names that an earlier one has and this one lacks.
  package func missing(of earlier: Announcement?) -> [String] {
    (earlier?.entries ?? []).subtracting(entries).map(\.name).sorted()
  }

  // MARK: Its stored form

  /// A line with the digest, then one for each entry: neither kinds nor names have spaces, and unique ids are one line.
  package var text: String {
    let lines = entries.map { entry in "\(entry.kind) \(entry.name)" + (entry.uniqueID.map { " \($0)" } ?? "") }
    return ([digest] + lines.sorted()).joined(separator: "\n")
  }

  package init(topic: String, digest: String, entries: Set<Entry>) {
    self.topic = topic
    self.digest = digest
    self.entries = entries
  }

  package init(_ stored: StoredAnnouncement) {
    let lines = stored.content.split(separator: "\n", omittingEmptySubsequences: false)
    let entries = lines.dropFirst().compactMap { line -> Entry? in
      let words = line.split(separator: " ", maxSplits: 2).map(String.init)
      guard words.count >= 2 else { return nil }
      return Entry(kind: words[0], name: words[1], uniqueID: words.count == 3 ? words[2] : nil)
    }
    self.init(topic: stored.topic, digest: lines.first.map(String.init) ?? "", entries: Set(entries))
  }

  package func stored(_ kind: StoredAnnouncement.Kind) -> StoredAnnouncement {
    StoredAnnouncement(kind: kind, topic: topic, content: text)
  }
}
