import MQTTCore
import NIOCore
import Plan

@testable import Core

/// A server that answers packets as it is told to; unless told otherwise it agrees to everything at once.
struct ScriptedServer {
  /// Transports open; else they fail at once.
  var isReachable = true
  /// Where the last transport of each link goes, and where one of its transports fails while others open.
  var dialled: [LinkID: ServerAddress] = [:]
  var unreachable: [LinkID: ServerAddress] = [:]
  /// Servers that refuse a retained will.
  var keepsNothing: Set<ServerAddress> = []
  /// Servers that close on a CONNECT of version 5 without a byte.
  var only311: Set<ServerAddress> = []
  /// They neither open nor fail.
  var hangs = false
  /// nil: CONNECT is not answered.
  var connack: ReasonCode? = .success
  var sessionPresent = false
  var properties = Properties()
  /// PUBLISH is acknowledged; else it waits in `unacknowledged`.
  var acknowledges = true
  /// PUBLISH to these is refused.
  var refuses: [TopicName: ReasonCode] = [:]
  /// PUBLISH to these is not acknowledged.
  var ignores: Set<TopicName> = []
  var subscribes: ReasonCode? = .grantedQoS1
  /// SUBSCRIBE to these is refused.
  var deniedFilters: Set<String> = []
  /// What is published on a topic that is subscribed to comes back.
  var echoes = true
  /// It closes its side when it has read everything.
  var closesWhenAsked = true

  var versions: [LinkID: ProtocolVersion] = [:]
  var unacknowledged: [(link: LinkID, identifier: PacketIdentifier)] = []
  var subscribed: Set<String> = []

  mutating func answers(_ packet: Packet, on link: LinkID) -> [Packet] {
    switch packet {
    case .connect(let connect):
      let hasSession = sessionPresent && !connect.cleanStart
      unacknowledged.removeAll { $0.link == link }
      if let server = dialled[link], keepsNothing.contains(server), connect.will?.retain == true {
        return [.connack(ConnAck(sessionPresent: false, reasonCode: .retainNotSupported))]
      }
      return connack.map {
        [.connack(ConnAck(sessionPresent: hasSession && $0 == .success, reasonCode: $0, properties: properties))]
      } ?? []
    case .publish(let publish): return answers(publish, on: link)
    case .pubrel(let release): return [.pubcomp(Acknowledgement(release.packetIdentifier))]
    case .subscribe(let subscribe):
      for subscription in subscribe.subscriptions { subscribed.insert("\(subscription.filter)") }
      return subscribes.map { code in
        [
          .suback(
            SubscriptionAcknowledgement(
              subscribe.packetIdentifier,
              reasonCodes: subscribe.subscriptions.map {
                deniedFilters.contains("\($0.filter)") ? .notAuthorized : code
              }))
        ]
      } ?? []
    case .unsubscribe(let unsubscribe):
      return [.unsuback(SubscriptionAcknowledgement(unsubscribe.packetIdentifier, reasonCodes: [.success]))]
    case .pingreq: return [.pingresp]
    default: return []
    }
  }

  /// It closes on this packet, and says nothing.
  func closesSilently(on packet: Packet, on link: LinkID) -> Bool {
    guard case .connect = packet, let server = dialled[link] else { return false }
    return only311.contains(server) && versions[link] == .v5
  }

  private mutating func answers(_ publish: Publish, on link: LinkID) -> [Packet] {
    let message = publish.message
    var answers: [Packet] = []
    let code = refuses[message.topic] ?? .success
    if let identifier = publish.packetIdentifier {
      if !acknowledges || ignores.contains(message.topic) {
        unacknowledged.append((link, identifier))
      } else if message.qos == .exactlyOnce {
        answers.append(.pubrec(Acknowledgement(identifier, reasonCode: code)))
      } else {
        answers.append(.puback(Acknowledgement(identifier, reasonCode: code)))
      }
    }
    if echoes, !code.isError, link == .agent, subscribed.contains("\(message.topic)") {
      var echo = message
      (echo.qos, echo.retain) = (.atMostOnce, false)
      answers.append(.publish(Publish(echo)))
    }
    return answers
  }
}

extension Packet {
  var message: Message? { if case .publish(let publish) = self { publish.message } else { nil } }

  /// For tests to compare: `status online`, `presence birth`, `a#7` for a reading, `x -` for a message without content.
  /// nil: not worth a word.
  var line: String? {
    switch self {
    case .publish(let publish): (publish.duplicate ? "again " : "") + publish.message.line
    case .subscribe(let subscribe):
      "SUBSCRIBE " + subscribe.subscriptions.map { "\($0.filter)" }.joined(separator: " ")
    case .unsubscribe(let unsubscribe): "UNSUBSCRIBE " + unsubscribe.filters.map { "\($0)" }.joined(separator: " ")
    case .connect: "CONNECT"
    case .disconnect: "DISCONNECT"
    default: nil
    }
  }
}

extension Message {
  var line: String {
    let text = String(buffer: payload)
    if topic == DevicePlan.presence { return "presence " + (field("event", in: text) ?? text) }
    guard !text.isEmpty else { return "\(topic) -" }
    return field("seq", in: text).map { "\(topic)#\($0)" } ?? "\(topic) \(text.prefix(40))"
  }

  private func field(_ name: String, in text: String) -> String? {
    guard let start = text.range(of: "\"\(name)\":") else { return nil }
    let rest = text[start...].drop { $0 == "\"" }
    return String(rest.prefix { $0 != "," && $0 != "}" && $0 != "\"" })
  }
}

extension String {
  /// What follows a text; nil: it is not there.
  fileprivate func range(of text: String) -> Index? {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(text) { return self.index(index, offsetBy: text.count) }
      index = self.index(after: index)
    }
    return nil
  }

  /// What a name of a JSON text has for a value, as it stands there.
  func value(of name: String) -> String? {
    guard let start = range(of: "\"\(name)\":") else { return nil }
    return String(self[start...].drop { $0 == "\"" }.prefix { $0 != "," && $0 != "}" && $0 != "\"" })
  }
}
