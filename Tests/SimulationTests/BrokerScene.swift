import LimpetInstants
import MQTTCore
import NIOCore
import Simulation
import Testing

/// A step of a course of events that a modelled broker and a real one are taken through.
enum Step {
  /// A connection of that name is opened, and CONNECT sent on it.
  case open(String, ProtocolVersion, Connect)
  case send(String, Packet)
  /// The oldest packet on that connection that waits for an answer gets it: PUBACK, PUBREC or PUBCOMP.
  case answer(String)
  /// The connection ends without DISCONNECT.
  case cut(String)
  /// From now on nothing is sent on it by itself.
  case silence(String)
  case wait(Duration)
  case restart
  case kill
}

/// A course of events, and what the broker is told beforehand.
struct Course: CustomTestStringConvertible {
  let name: String
  /// Of mosquitto's configuration, and the model's part.
  var lines: [String] = []
  /// The same for a listener of the course's own.
  var listenerLines: [String] = []
  var acl: String?
  var isPersistent = true
  var prepare: @Sendable (inout SimulatedBroker) throws -> Void = { _ in }
  let steps: @Sendable () throws -> [Step]
  /// Steps, from 0, at which the two differ, what the real broker does there, and why that is so.
  var differences: [Int: (real: [String], reason: String)] = [:]

  var testDescription: String { name }
}

func connect(
  _ client: String, clean: Bool = true, expiry: UInt32? = nil, keepAlive: UInt16 = 60, receiveMaximum: UInt16? = nil,
  will: Message? = nil
) -> Connect {
  var connect = Connect(clientIdentifier: client, cleanStart: clean, keepAlive: keepAlive, will: will)
  connect.properties.sessionExpiryInterval = expiry
  connect.properties.receiveMaximum = receiveMaximum
  return connect
}

func message(
  _ topic: String, _ payload: String, _ qos: QoS = .atLeastOnce, retain: Bool = false, expiry: UInt32? = nil,
  delay: UInt32? = nil
) throws -> Message {
  var message = Message(topic: try TopicName(topic), payload: ByteBuffer(string: payload), qos: qos, retain: retain)
  message.properties.messageExpiryInterval = expiry
  message.properties.willDelayInterval = delay
  return message
}

func identifier(_ number: UInt16) -> PacketIdentifier { PacketIdentifier(rawValue: number) ?? .first }

func publish(_ message: Message, _ number: UInt16 = 1, duplicate: Bool = false) -> Packet {
  let isAnswered = message.qos != .atMostOnce
  return .publish(
    Publish(message, packetIdentifier: isAnswered ? identifier(number) : nil, duplicate: isAnswered && duplicate))
}

func subscribe(
  _ filter: String, _ qos: QoS = .exactlyOnce, noLocal: Bool = false, asPublished: Bool = false,
  handling: Subscription.RetainHandling = .send
) throws -> Packet {
  .subscribe(
    Subscribe(
      identifier(9),
      subscriptions: [
        Subscription(
          try TopicFilter(filter), qos: qos, noLocal: noLocal, retainAsPublished: asPublished, retainHandling: handling)
      ]))
}

/// What is seen on one connection: lines to compare, and packets that wait for an answer. Identifiers that the broker
/// chooses are no part of it.
struct Seen {
  private(set) var lines: [String] = []
  private var unanswered: [Packet] = []

  mutating func see(_ packet: Packet, on name: String) {
    lines.append("\(name): \(Self.text(packet))")
    switch packet {
    case .publish(let publish):
      guard let identifier = publish.packetIdentifier else { return }
      let answer = Acknowledgement(identifier)
      unanswered.append(publish.message.qos == .exactlyOnce ? .pubrec(answer) : .puback(answer))
    case .pubrel(let release): unanswered.append(.pubcomp(Acknowledgement(release.packetIdentifier)))
    default: break
    }
  }

  mutating func seeEnd(of name: String) { lines.append("\(name): closed") }

  mutating func takeLines() -> [String] {
    defer { lines = [] }
    return lines
  }

  mutating func takeAnswer() -> Packet? { unanswered.isEmpty ? nil : unanswered.removeFirst() }

  private static func text(_ packet: Packet) -> String {
    switch packet {
    case .connack(let answer):
      var text = "CONNACK \(answer.reasonCode)"
      if answer.sessionPresent { text += ", session present" }
      if let most = answer.properties.receiveMaximum { text += ", receive maximum \(most)" }
      if let most = answer.properties.maximumQoS { text += ", maximum QoS \(most.rawValue)" }
      if let available = answer.properties.retainAvailable { text += ", retain \(available)" }
      if let seconds = answer.properties.serverKeepAlive { text += ", keepalive \(seconds)" }
      return text
    case .publish(let publish):
      let message = publish.message
      var text = "PUBLISH \(message.topic) \(String(buffer: message.payload)) QoS \(message.qos.rawValue)"
      if message.retain { text += " retain" }
      if publish.duplicate { text += " DUP" }
      if message.properties.messageExpiryInterval != nil { text += " expires" }
      return text
    case .puback(let answer), .pubrec(let answer), .pubcomp(let answer):
      return "\(packet.type) \(answer.packetIdentifier) \(answer.reasonCode)"
    case .pubrel: return "PUBREL"
    default: return packet.summary
    }
  }
}

/// Takes the model through a course, in its own time.
struct ModelPlayer {
  private(set) var broker: SimulatedBroker
  private var now = WorldTime(nanoseconds: 0)
  private var names: [(name: String, id: ConnectionID, isSilent: Bool)] = []
  private var seen: [String: Seen] = [:]
  private var next: UInt32 = 1

  init(_ broker: SimulatedBroker) { self.broker = broker }

  /// What is seen on all connections, by their names.
  mutating func play(_ step: Step) -> [String] {
    var effects: [BrokerEffect] = []
    switch step {
    case .open(let name, let version, let connect):
      let id = ConnectionID(next)
      next += 1
      names.removeAll { $0.name == name }
      names.append((name, id, false))
      seen[name] = Seen()
      broker.handle(.opened(id, version), at: now, into: &effects)
      broker.handle(.packet(id, .connect(connect)), at: now, into: &effects)
    case .send(let name, let packet): send(packet, on: name, &effects)
    case .answer(let name): if let packet = seen[name]?.takeAnswer() { send(packet, on: name, &effects) }
    case .cut(let name):
      for entry in names where entry.name == name { broker.handle(.closed(entry.id, .cut), at: now, into: &effects) }
      names.removeAll { $0.name == name }
    case .silence(let name): for index in names.indices where names[index].name == name { names[index].isSilent = true }
    case .wait(let duration): wait(duration, &effects)
    case .restart, .kill:
      var isOrderly = false
      if case .restart = step { isOrderly = true }
      broker.stop(isOrderly: isOrderly, at: now, into: &effects)
      now += .milliseconds(100)
      broker.start(at: now)
    }
    take(effects)
    return seen.keys.sorted().flatMap { seen[$0]?.takeLines() ?? [] }
  }

  private mutating func send(_ packet: Packet, on name: String, _ effects: inout [BrokerEffect]) {
    for entry in names where entry.name == name {
      broker.handle(.packet(entry.id, packet), at: now, into: &effects)
    }
  }

  private mutating func wait(_ duration: Duration, _ effects: inout [BrokerEffect]) {
    let end = now + duration
    var ping = now
    while now < end {
      // All but the silent ones show that they are there.
      for entry in names where !entry.isSilent {
        var answers: [BrokerEffect] = []
        broker.handle(.packet(entry.id, .pingreq), at: now, into: &answers)
        effects += answers.filter { if case .send(_, .pingresp) = $0 { false } else { true } }
      }
      ping = min(end, ping + .milliseconds(200))
      while let deadline = broker.deadline, deadline <= ping {
        now = max(now, deadline)
        broker.handle(.tick, at: now, into: &effects)
      }
      now = ping
    }
  }

  private mutating func take(_ effects: [BrokerEffect]) {
    for effect in effects {
      switch effect {
      case .send(let id, let packet):
        for entry in names where entry.id == id { seen[entry.name, default: Seen()].see(packet, on: entry.name) }
      case .close(let id):
        for entry in names where entry.id == id {
          seen[entry.name, default: Seen()].seeEnd(of: entry.name)
        }
        names.removeAll { $0.id == id }
      }
    }
  }
}
