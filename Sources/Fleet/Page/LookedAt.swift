import Configuration
import JSON
import LimpetInstants
import MQTTCore
import NIOCore

/// The newest readings of devices that somebody looks at: of so many devices, and only while somebody does.
///
/// Who looks at a device begins its subscription, and the last to go ends it, with all that was kept of it.
struct LookedAt {
  /// Devices that are looked at, at one time.
  static let limit = 16
  /// Topics of one device that are kept, and bytes of each payload.
  static let (topics, bytes) = (200, 1024)

  enum Beginning: Equatable {
    /// To be subscribed to.
    case subscribe([TopicFilter])
    /// Somebody looks at it already.
    case shared
    /// There are `limit` others.
    case full
    /// It has a name that a topic cannot have, or that is a wildcard.
    case impossible
  }

  private struct Look {
    let filters: [TopicFilter]
    /// What a topic has around the reading's name.
    let around: (before: String, after: String)
    let presence: String
    var lookers = 1
    var readings: [String: (change: UInt64, json: ByteBuffer)] = [:]
    /// What it says of itself.
    var description: (change: UInt64, json: ByteBuffer)?
    /// Why there is no subscription, and since which change.
    var refusal: (change: UInt64, reason: String)?
    /// The last of its changes: who looks at another device goes through none of this.
    var last: UInt64 = 0
  }

  private let template: TopicTemplate
  /// Of the agent's own topics, those that are no readings.
  private let others: Set<String>
  private let presence: TopicTemplate
  private var looks: [String: Look] = [:]
  private var last: UInt64 = 0

  /// - Parameters:
  ///   - template: where readings are published, with `{device}` and `{name}`.
  ///   - others: topics below it that are none, with `{device}`.
  ///   - presence: where a device describes itself, with `{device}`.
  init(_ template: TopicTemplate, besides others: [TopicTemplate], presence: TopicTemplate) {
    self.template = template
    self.presence = presence
    self.others = Set(others.map(\.description))
  }

  /// What a new connection has to subscribe to.
  var filters: [TopicFilter] { looks.values.flatMap(\.filters) }

  mutating func begin(_ device: String) -> Beginning {
    if looks[device] != nil {
      looks[device]?.lookers += 1
      return .shared
    }
    guard looks.count < Self.limit else { return .full }
    let parts = template.expanded(device: device).split(
      separator: "{name}", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !device.contains(where: { "+#/{}".contains($0) }),
      let filter = try? TopicFilter(template.expanded(device: device, name: "+")), !filter.isShared,
      let own = try? TopicFilter(presence.expanded(device: device))
    else { return .impossible }
    looks[device] = Look(
      filters: [filter, own], around: (String(parts[0]), String(parts[1])), presence: "\(own)")
    return .subscribe([filter, own])
  }

  /// - Returns: what to unsubscribe from, since nobody looks at it any more.
  mutating func end(_ device: String) -> [TopicFilter]? {
    guard let look = looks[device] else { return nil }
    looks[device]?.lookers -= 1
    guard look.lookers == 1 else { return nil }
    looks[device] = nil
    return look.filters
  }

  /// - Returns: whether somebody sees something new.
  mutating func take(_ topic: String, _ payload: ByteBuffer, isRetained: Bool) -> Bool {
    var isNews = false
    for (device, look) in looks {
      if topic == look.presence {
        last += 1
        let json = Self.json("presence", payload, isRetained: isRetained)
        looks[device]?.description = (last, json)
        looks[device]?.last = last
        isNews = true
        continue
      }
      guard topic.hasPrefix(look.around.before), topic.hasSuffix(look.around.after) else { continue }
      let name = topic.dropFirst(look.around.before.count).dropLast(look.around.after.count)
      guard !name.isEmpty, !name.contains("/"), !others.contains(template.expanded(device: nil, name: String(name)))
      else { continue }
      guard look.readings[topic] != nil || look.readings.count < Self.topics else { continue }
      last += 1
      let json = Self.json(String(name), payload, isRetained: isRetained)
      looks[device]?.readings[topic] = (last, json)
      looks[device]?.last = last
      isNews = true
    }
    return isNews
  }

  private static func json(_ name: String, _ payload: ByteBuffer, isRetained: Bool) -> ByteBuffer {
    var object = JSONObject()
    object.add("name", name)
    object.add("payload", String(decoding: payload.readableBytesView.prefix(bytes), as: UTF8.self))
    object.add("retained", isRetained)
    return object.finish()
  }

  mutating func refused(_ filter: TopicFilter, _ reason: String) {
    for (device, look) in looks where look.filters.contains(filter) {
      last += 1
      looks[device]?.refusal = (last, reason)
      looks[device]?.last = last
    }
  }

  /// Server-sent events of what came for a device after a change, and the change they go up to; nil: nothing came.
  func events(of device: String, after change: UInt64) -> (events: ByteBuffer, last: UInt64)? {
    guard let look = looks[device], look.last > change else { return nil }
    var buffer = ByteBuffer()
    if let refusal = look.refusal, refusal.change > change {
      var object = JSONObject()
      object.add("reason", refusal.reason)
      buffer.writeEvent("refused", object.finish())
    }
    if let description = look.description, description.change > change {
      buffer.writeEvent("presence", description.json)
    }
    for reading in look.readings.values.sorted(by: { $0.change < $1.change }) where reading.change > change {
      buffer.writeEvent("reading", reading.json)
    }
    return buffer.readableBytes > 0 ? (buffer, look.last) : nil
  }
}

extension ByteBuffer {
  fileprivate mutating func writeEvent(_ name: StaticString, _ data: ByteBuffer) {
    writeString("event: \(name)\ndata: ")
    writeImmutableBuffer(data)
    writeString("\n\n")
  }
}
