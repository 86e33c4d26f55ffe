import MQTTCore

/// Where commands come in.
package final class CommandsPlan: Sendable, Equatable {
  /// The filters to subscribe to: the topics of all outputs, and `fence`.
  package let filters: [TopicFilter]
  /// Topics on which controllers publish that they are there (`lost.heartbeat`): subscribed to besides the others.
  package let heartbeats: [TopicFilter]
  /// Where the agent sends itself a nonce, which separates commands sent before it from new ones.
  package let fence: TopicName
  /// The output of each topic, by its name.
  package let names: [TopicName: String]
  /// Topics of the device itself, where no answer goes: those that begin with one of these.
  package let ownPrefixes: [String]
  /// Such topics that are whole.
  package let ownTopics: [String]
  /// No other device has commands under these filters: the topics of readings have the device's id in them.
  package let areFiltersOwn: Bool

  package init(
    filters: [TopicFilter], heartbeats: [TopicFilter] = [], fence: TopicName, names: [TopicName: String],
    ownPrefixes: [String], ownTopics: [String] = [], areFiltersOwn: Bool = true
  ) {
    self.filters = filters
    self.heartbeats = heartbeats
    self.fence = fence
    self.names = names
    self.ownPrefixes = ownPrefixes
    self.ownTopics = ownTopics
    self.areFiltersOwn = areFiltersOwn
  }

  package static func == (left: CommandsPlan, right: CommandsPlan) -> Bool {
    left === right
      || left.filters == right.filters && left.heartbeats == right.heartbeats && left.fence == right.fence
        && left.names == right.names && left.ownPrefixes == right.ownPrefixes && left.ownTopics == right.ownTopics
        && left.areFiltersOwn == right.areFiltersOwn
  }

  /// The name that a topic of commands has, of an output or not; nil: it is no such topic, or may be another device's.
  package func name(in topic: TopicName) -> String? {
    guard areFiltersOwn, filters.contains(where: { $0.matches(topic) }) else { return nil }
    // The filter has one + in the place of the name.
    let levels = topic.description.split(separator: "/", omittingEmptySubsequences: false)
    let filter = filters.first.map { $0.description.split(separator: "/", omittingEmptySubsequences: false) } ?? []
    return filter.firstIndex(of: "+").flatMap { $0 < levels.count ? String(levels[$0]) : nil }
  }

  /// Not into the device's own topics, where it would be another command or a state, nor to the broker's.
  package func mayAnswer(on topic: String) -> Bool {
    !ownPrefixes.contains { topic.hasPrefix($0) } && !ownTopics.contains(topic) && !topic.hasSuffix("/set")
      && !topic.hasPrefix("$")
  }

  /// Commands come in by the same subscription, whatever outputs there are.
  package func isHeard(as other: CommandsPlan) -> Bool { filters == other.filters && fence == other.fence }
}
