/// Which topics are sent as numbers on one connection (MQTT 5.0 §3.3.2.3.4): as many as the server allows, and the
/// busiest where there are more. A number can be given to another topic at any time, by sending both.
struct OutboundAliases: Sendable {
  private struct Entry {
    let alias: UInt16
    var uses: UInt64
  }

  /// More would cost memory and searching for little: the busiest topics come first.
  static let mostKept: UInt16 = 128
  /// A shorter topic takes no more bytes than the property that would stand for it.
  static let shortestTopic = 4

  private let maximum: UInt16
  private var entries: [TopicName: Entry] = [:]
  /// How often topics without a number were used since the list was last begun anew.
  private var candidates: [TopicName: UInt64] = [:]

  /// - Parameter maximum: the server's Topic Alias Maximum.
  init(maximum: UInt16) { self.maximum = min(maximum, Self.mostKept) }

  /// The topic is about to be sent: its number, and whether the server knows it already; nil: the topic itself.
  mutating func use(_ topic: TopicName) -> (alias: UInt16, isKnown: Bool)? {
    guard maximum > 0, topic.bytes.readableBytes >= Self.shortestTopic else { return nil }
    if let index = entries.index(forKey: topic) {
      entries.values[index].uses += 1
      return (entries.values[index].alias, true)
    }
    if entries.count < Int(maximum) {
      let alias = UInt16(entries.count) + 1
      entries[topic] = Entry(alias: alias, uses: 1)
      return (alias, false)
    }
    return replaceIdlest(with: topic)
  }

  private mutating func replaceIdlest(with topic: TopicName) -> (alias: UInt16, isKnown: Bool)? {
    if candidates.count >= Int(maximum) * 4 { candidates.removeAll() }
    let uses = candidates[topic, default: 0] + 1
    candidates[topic] = uses
    // By their numbers where several are as idle: the order of a dictionary follows from nothing.
    let idlest = entries.min { ($0.value.uses, $0.value.alias) < ($1.value.uses, $1.value.alias) }
    guard let idlest, uses > idlest.value.uses else { return nil }
    entries[idlest.key] = nil
    candidates[topic] = nil
    entries[topic] = Entry(alias: idlest.value.alias, uses: uses)
    return (idlest.value.alias, false)
  }
}
