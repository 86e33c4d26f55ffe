import DequeModule
import MQTTCore

/// Retained readings whose names have left the configuration: limpet clears them at the broker, by a message without
/// content (MQTT 5.0 §3.3.1.3).
///
/// They are stored, so that a restart forgets none, and sent on each connection until the broker has answered. One goes
/// out at a time, under a token of its own: it is no reading, and counted by itself.
package struct Clearings {
  /// Changes for the store: what to add, and what to remove.
  package struct Changes: Equatable {
    package var added: [String] = []
    package var removed: [String] = []

    package init(added: [String] = [], removed: [String] = []) {
      self.added = added
      self.removed = removed
    }

    package var isEmpty: Bool { added.isEmpty && removed.isEmpty }
  }

  /// The outcome of one, for the log.
  package enum Outcome: Equatable {
    case cleared(TopicName)
    case refused(TopicName, Session.Outcome)
    /// The connection ended before the broker had answered; it is sent again on the next.
    case waits
    /// The connection ended each time that it was under way.
    case givenUp(TopicName)
  }

  /// More than these stay at the broker.
  package static let limit = 1000
  /// Connections that may end with the same one under way.
  package static let attempts = 3

  package private(set) var waiting: Deque<TopicName> = []
  package private(set) var underWay: TopicName?
  /// Connections that ended with the first of `waiting` under way.
  private var losses = 0
  /// By topic: it is to be stored, or to be removed from the store.
  private var unstored: [String: Bool] = [:]
  package private(set) var cleared: UInt64 = 0
  /// Refused by the broker, given up, or too many at once.
  package private(set) var failed: UInt64 = 0

  package init() {}

  package var hasNext: Bool { underWay == nil && !waiting.isEmpty }
  package var count: Int { waiting.count + (underWay == nil ? 0 : 1) }

  /// - Returns: how many stay at the broker, since too many wait.
  package mutating func add(_ topics: [TopicName]) -> Int {
    var dropped = 0
    for topic in topics where topic != underWay && !waiting.contains(topic) {
      guard count < Self.limit else {
        dropped += 1
        continue
      }
      waiting.append(topic)
      unstored["\(topic)"] = true
    }
    failed += UInt64(dropped)
    return dropped
  }

  /// Those of an earlier process, or all over again for a store that begins anew.
  package mutating func found(_ stored: [String]) {
    let known = Set((waiting + (underWay.map { [$0] } ?? [])).map { "\($0)" })
    for topic in known where !stored.contains(topic) { unstored[topic] = true }
    for text in stored where !known.contains(text) {
      if let topic = try? TopicName(text), count < Self.limit { waiting.append(topic) } else { unstored[text] = false }
    }
  }

  /// The next to be sent.
  ///
  /// - Parameter isClaimed: a name has come back, and its next reading replaces what is retained.
  package mutating func next(_ isClaimed: (TopicName) -> Bool) -> TopicName? {
    guard underWay == nil else { return nil }
    while let topic = waiting.popFirst() {
      guard isClaimed(topic) else {
        underWay = topic
        return topic
      }
      forget(topic)
    }
    return nil
  }

  /// It could not be sent now.
  package mutating func giveBack() {
    guard let topic = underWay else { return }
    underWay = nil
    waiting.prepend(topic)
  }

  /// The course of the one under way is over.
  package mutating func settled(_ outcome: Session.Outcome) -> Outcome {
    guard let topic = underWay else { return .waits }
    underWay = nil
    switch outcome {
    case .delivered:
      forget(topic)
      cleared += 1
      return .cleared(topic)
    case .refused, .rejected:
      forget(topic)
      failed += 1
      return .refused(topic, outcome)
    case .abandoned:
      losses += 1
      guard losses >= Self.attempts else {
        waiting.prepend(topic)
        return .waits
      }
      forget(topic)
      failed += 1
      return .givenUp(topic)
    }
  }

  private mutating func forget(_ topic: TopicName) {
    losses = 0
    unstored["\(topic)"] = false
  }

  // MARK: The store

  /// Something is to be written.
  package var hasChanges: Bool { !unstored.isEmpty }

  /// Takes the changes to write now; `storingFailed` follows if the write failed.
  package mutating func takeChanges() -> Changes {
    defer { unstored = [:] }
    return Changes(
      added: unstored.filter(\.value).keys.sorted(), removed: unstored.filter { !$0.value }.keys.sorted())
  }

  /// The write failed: these changes are written with the next ones, unless those replace them.
  package mutating func storingFailed(_ changes: Changes) {
    for topic in changes.added where unstored[topic] == nil { unstored[topic] = true }
    for topic in changes.removed where unstored[topic] == nil { unstored[topic] = false }
  }
}
