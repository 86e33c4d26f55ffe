import Configuration
import LimpetText
import MQTTCore

/// Which topics are watched, and which device each of them is about.
public struct WatchedTopics: Sendable {
  /// What a topic says about its device.
  package enum Kind { case status, presence }

  /// A filter that was split into its levels once.
  private struct Pattern {
    let kind: Kind
    let levels: [Substring]
  }

  public static let standardStatus = PresenceKeys.topic.standard.expanded(device: "+")
  static let standardPresence = TopicTemplate.description.expanded(device: "+")

  /// Devices that were named; empty: every device that is heard of.
  package let devices: [String]
  /// One for each topic or filter to subscribe to; those of the status come first.
  package let filters: [TopicFilter]
  private let patterns: [Pattern]

  /// - Parameters:
  ///   - status: with `+` where the device is; without one, the topic of one device.
  ///   - hasPresence: `limpet/+/presence` describes the same devices.
  ///   - devices: each stands for the `+`; empty: the filter itself is subscribed to.
  public init(status: String, hasPresence: Bool, devices: [String] = []) throws(ArgumentError) {
    let kinds = [(Kind.status, status)] + (hasPresence ? [(.presence, Self.standardPresence)] : [])
    var filters: [TopicFilter] = []
    for (_, text) in kinds {
      guard devices.isEmpty else {
        for device in devices { filters.append(try Self.filter(text, of: device)) }
        continue
      }
      filters.append(try Self.filter(text))
    }
    self.devices = devices
    self.filters = filters
    patterns = kinds.map { Pattern(kind: $0, levels: $1.split(separator: "/", omittingEmptySubsequences: false)) }
  }

  private static func filter(_ text: String) throws(ArgumentError) -> TopicFilter {
    let shown = "\"\(printable(text, limit: 80))\""
    let filter: TopicFilter
    do { filter = try TopicFilter(text) } catch { throw ArgumentError(description: "\(shown): \(error)") }
    guard !filter.isShared, !text.contains("#") else {
      throw ArgumentError(description: "\(shown): write + where the device is, without # or $share")
    }
    return filter
  }

  private static func filter(_ text: String, of device: String) throws(ArgumentError) -> TopicFilter {
    var levels = try filter(text).description.split(separator: "/", omittingEmptySubsequences: false)
    let places = levels.indices.filter { levels[$0] == "+" }
    guard let place = places.first, places.count == 1 else {
      throw ArgumentError(
        description: "\"\(printable(text, limit: 80))\" must have exactly one + where the device's name stands")
    }
    guard !device.isEmpty, !device.contains(where: { "+#/".contains($0) }) else {
      throw ArgumentError(
        description: "\"\(printable(device))\" is not a device's name: that is never empty, and has no + # /")
    }
    levels[place] = Substring(device)
    return try filter(levels.joined(separator: "/"))
  }

  /// The device that a topic is about: what stands for the `+`, joined by `/` where there are several; the topic itself
  /// where there is none. nil: the topic is none of the watched.
  package func device(of topic: String) -> (kind: Kind, name: String)? {
    let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
    for pattern in patterns where pattern.levels.count == levels.count {
      guard zip(pattern.levels, levels).allSatisfy({ $0 == "+" || $0.utf8.elementsEqual($1.utf8) }) else { continue }
      let name = zip(pattern.levels, levels).filter { $0.0 == "+" }.map(\.1).joined(separator: "/")
      return (pattern.kind, name.isEmpty ? topic : name)
    }
    return nil
  }
}
