@testable import MQTTCore

/// A server as the specification has it, for one client: it keeps a session, and answers at once (method B of §4.3.3).
struct ModelServer {
  /// A message on its way to the client.
  private struct Outgoing {
    let number: UInt64
    let qos: QoS
    var isReleased = false
  }

  private(set) var hasSession = false
  /// What the client allows.
  var receiveMaximum = 0

  /// QoS 2 messages that have not been released.
  private var unreleased: [PacketIdentifier: UInt64] = [:]
  private var outgoing: [(identifier: PacketIdentifier, message: Outgoing)] = []
  private var nextIdentifier = PacketIdentifier.first
  private var underWay: Set<PacketIdentifier> = []
  private var waiting: [PacketIdentifier] = []

  /// How often each message has reached the application behind the server.
  private(set) var received: [UInt64: Int] = [:]
  private(set) var isInOrder = true
  private(set) var faults: Set<String> = []
  private var last: [TopicName: UInt64] = [:]

  /// A connection; the messages that are sent again on it.
  mutating func connect() -> [Packet] {
    hasSession = true
    underWay = []
    waiting = outgoing.map(\.identifier)
    return sendWaiting()
  }

  /// The numbers of the messages that were on their way to the client.
  mutating func loseSession() -> [UInt64] {
    defer {
      hasSession = false
      unreleased = [:]
      outgoing = []
      waiting = []
    }
    return outgoing.map(\.message.number)
  }

  /// QoS 2 messages that the client has not answered.
  var unanswered: [(identifier: PacketIdentifier, number: UInt64)] {
    outgoing.filter { $0.message.qos == .exactlyOnce && !$0.message.isReleased }.map {
      ($0.identifier, $0.message.number)
    }
  }

  mutating func publish(_ number: UInt64, _ qos: QoS) -> Packet? {
    guard waiting.isEmpty, underWay.count < receiveMaximum, outgoing.count < 50 else { return nil }
    while outgoing.contains(where: { $0.identifier == nextIdentifier }) { nextIdentifier = nextIdentifier.next }
    let identifier = nextIdentifier
    // Few identifiers, so that they are used again soon.
    nextIdentifier = identifier.rawValue > 60 ? .first : identifier.next
    outgoing.append((identifier, Outgoing(number: number, qos: qos)))
    underWay.insert(identifier)
    return .numbered(number, qos, identifier)
  }

  mutating func receive(_ packet: Packet) -> [Packet] {
    switch packet {
    case .publish(let publish): receive(publish)
    case .pubrel(let release):
      [
        .pubcomp(
          Acknowledgement(
            release.packetIdentifier,
            reasonCode: unreleased.removeValue(forKey: release.packetIdentifier) == nil
              ? .packetIdentifierNotFound : .success))
      ]
    case .puback(let answer): end(answer.packetIdentifier, .atLeastOnce)
    case .pubcomp(let answer): end(answer.packetIdentifier, .exactlyOnce)
    case .pubrec(let answer): release(answer.packetIdentifier)
    default: fault("\(packet.type) from the client")
    }
  }

  private mutating func receive(_ publish: Publish) -> [Packet] {
    guard let number = publish.message.number else { return fault("a message without its number") }
    guard let identifier = publish.packetIdentifier else {
      received[number, default: 0] += 1
      return []
    }
    if publish.message.qos == .exactlyOnce, let known = unreleased[identifier] {
      // To a server it is the message that it has.
      if known != number { faults.insert("identifier \(identifier) belongs to another message") }
      return [.pubrec(Acknowledgement(identifier))]
    }
    if received.updateValue(received[number, default: 0] + 1, forKey: number) == nil {
      let older = last.updateValue(number, forKey: publish.message.topic) ?? 0
      if number < older { isInOrder = false }
    }
    guard publish.message.qos == .exactlyOnce else { return [.puback(Acknowledgement(identifier))] }
    unreleased[identifier] = number
    return [.pubrec(Acknowledgement(identifier))]
  }

  private mutating func release(_ identifier: PacketIdentifier) -> [Packet] {
    guard let index = outgoing.firstIndex(where: { $0.identifier == identifier }) else {
      return fault("PUBREC for nothing")
    }
    outgoing[index].message.isReleased = true
    return [.pubrel(Acknowledgement(identifier))]
  }

  private mutating func end(_ identifier: PacketIdentifier, _ qos: QoS) -> [Packet] {
    guard let index = outgoing.firstIndex(where: { $0.identifier == identifier }) else {
      return fault("\(qos) ended that was not under way")
    }
    if outgoing[index].message.qos != qos { return fault("\(qos) ended with the wrong answer") }
    outgoing.remove(at: index)
    underWay.remove(identifier)
    return sendWaiting()
  }

  private mutating func sendWaiting() -> [Packet] {
    var packets: [Packet] = []
    while underWay.count < receiveMaximum, let identifier = waiting.first {
      waiting.removeFirst()
      underWay.insert(identifier)
      for (candidate, message) in outgoing where candidate == identifier {
        packets.append(
          message.isReleased
            ? .pubrel(Acknowledgement(identifier)) : .numbered(message.number, message.qos, identifier, duplicate: true)
        )
      }
    }
    return packets
  }

  private mutating func fault(_ text: String) -> [Packet] {
    faults.insert(text)
    return []
  }
}
