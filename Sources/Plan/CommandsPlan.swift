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
  /// Topics of the device itself, where no answer goes: those that begin with one of these. A whole topic is one of them
  /// where nothing else begins so.
  package let ownPrefixes: [String]

  package init(
    filters: [TopicFilter], heartbeats: [TopicFilter] = [], fence: TopicName, names: [TopicName: String],
    ownPrefixes: [String]
  ) {
    self.filters = filters
    self.heartbeats = heartbeats
    self.fence = fence
    self.names = names
    self.ownPrefixes = ownPrefixes
  }

  package static func == (left: CommandsPlan, right: CommandsPlan) -> Bool {
    left === right
      || left.filters == right.filters && left.heartbeats == right.heartbeats && left.fence == right.fence
        && left.names == right.names && left.ownPrefixes == right.ownPrefixes
  }

  /// The name that a topic of commands has, of an output or not; nil: it is no such topic.
  package func name(in topic: TopicName) -> String? {
    guard filters.contains(where: { $0.matches(topic) }) else { return nil }
    // The filter has one + in the place of the name.
    let levels = topic.description.split(separator: "/", omittingEmptySubsequences: false)
    let filter = filters.first.map { $0.description.split(separator: "/", omittingEmptySubsequences: false) } ?? []
    return filter.firstIndex(of: "+").flatMap { $0 < levels.count ? String(levels[$0]) : nil }
  }

  /// Not into the device's own topics, where it would be another command or a state, nor to the broker's.
  package func mayAnswer(on topic: String) -> Bool {
    !ownPrefixes.contains { topic.hasPrefix($0) } && !topic.hasSuffix("/set") && !topic.hasPrefix("$")
  }

  /// Commands come in by the same subscription, whatever outputs there are.
  package func isHeard(as other: CommandsPlan) -> Bool { filters == other.filters && fence == other.fence }
}
