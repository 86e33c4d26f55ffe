import LimpetInstants
import NIOCore

@testable import MQTTCore

/// A session whose server changes its mind about what it takes from one connection to the next, and messages that expire,
/// are too large for some servers, or that no packet can carry.
struct LimitsWalk {
  private var harness: SessionHarness
  private var generator: WalkGenerator
  private var limits: ServerLimits?
  private var hasSession = false
  private var number: UInt64 = 0
  /// What the server has not been told of or not answered.
  private var toServer: [Packet] = []
  private var unanswered: Set<PacketIdentifier> = []
  private var expiries: [Session.Token: BootClock.Instant] = [:]

  private(set) var connections = 0
  private(set) var taken: Set<Session.Token> = []
  private(set) var outcomes: [Session.Token: Session.Outcome] = [:]
  /// What went wrong, in words.
  private(set) var faults: Set<String> = []

  init(_ generator: WalkGenerator) {
    self.generator = generator
    harness = SessionHarness(.v5, inFlightLimit: .random(in: 1...20, using: &self.generator))
    connect(isGenerous: false)
  }

  /// Nothing is left to choose by.
  var isOver: Bool { generator.isOver }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

  private mutating func check(_ condition: Bool, _ fault: String) {
    if !condition { faults.insert(fault) }
  }

  mutating func step() {
    switch Int.random(in: 0..<100, using: &generator) {
    case 0..<40: publish()
    case 40..<85: answer()
    case 85..<93: harness.now += .milliseconds(Int.random(in: 0...3000, using: &generator))
    default:
      drop()
      connect(isGenerous: chance(25))
    }
  }

  /// A server that takes everything: whatever is left comes to its end.
  mutating func finish() {
    drop()
    connect(isGenerous: true)
    for _ in 0..<10_000 where !toServer.isEmpty { answer() }
    check(harness.session.outgoing.count == 0, "messages are left: \(harness.session.outgoing.count)")
    check(taken == Set(outcomes.keys), "a message has no end")
  }

  private mutating func publish() {
    number += 1
    let qos = QoS.allCases.randomElement(using: &generator) ?? .atMostOnce
    var message = Message.numbered(number, qos)
    message.retain = chance(30)
    if chance(30) { message.payload = ByteBuffer(repeating: 0x78, count: .random(in: 0...600, using: &generator)) }
    if chance(30) { message.properties.messageExpiryInterval = .random(in: 0...5, using: &generator) }
    let isFlawed = chance(10)
    if isFlawed {
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: message.properties.responseTopic = "a/#"
      case 1: message.properties.addUserProperty("a", String(repeating: "x", count: 65_536))
      default: message.properties.topicAlias = 0
      }
    }
    let expiry = message.properties.messageExpiryInterval.map { harness.now + .seconds(Int64($0)) }
    do throws(Session.Rejection) {
      let actions = try harness.publish(message, token: number)
      check(!isFlawed, "a message that no packet carries was taken")
      taken.insert(number)
      expiries[number] = expiry
      perform(actions)
    } catch {
      let expected: [MQTTSession.Rejection] = [.notEncodable, .noRoom, .featureNotSupported(.topicAliasInvalid)]
      if isFlawed { check(expected.contains(error), "a flaw is told as \(error)") }
    }
  }

  private mutating func answer() {
    guard !toServer.isEmpty else { return }
    switch toServer.removeFirst() {
    case .publish(let publish):
      guard let identifier = publish.packetIdentifier else { return }
      if publish.message.qos == .atLeastOnce {
        unanswered.remove(identifier)
        perform(harness.receive(.puback(Acknowledgement(identifier))))
      } else {
        perform(harness.receive(.pubrec(Acknowledgement(identifier))))
      }
    case .pubrel(let release):
      unanswered.remove(release.packetIdentifier)
      perform(harness.receive(.pubcomp(Acknowledgement(release.packetIdentifier))))
    default: break
    }
  }

  private mutating func connect(isGenerous: Bool) {
    connections += 1
    var granted = Properties()
    if !isGenerous {
      if chance(40) { granted.maximumQoS = chance(50) ? .atMostOnce : .atLeastOnce }
      if chance(40) { granted.retainAvailable = false }
      if chance(40) { granted.maximumPacketSize = .random(in: 40...400, using: &generator) }
      if chance(60) { granted.receiveMaximum = .random(in: 1...20, using: &generator) }
      if chance(40) { granted.topicAliasMaximum = .random(in: 1...3, using: &generator) }
    }
    let actions = harness.connect(sessionPresent: hasSession, granted: granted)
    hasSession = true
    limits = actions.limits
    check(limits != nil, "not connected")
    perform(actions)
  }

  private mutating func drop() {
    toServer = []
    unanswered = []
    if chance(30) { hasSession = false }
    perform(harness.drop())
  }

  private mutating func perform(_ actions: [Session.Action]) {
    for action in actions {
      switch action {
      case .send(let packet): send(packet)
      case .settled(let token, let outcome):
        check(outcomes.updateValue(outcome, forKey: token) == nil, "settled twice")
        if outcome == .rejected(.expired) {
          check(expiries[token].map { $0 <= harness.now } ?? false, "expired before its time")
        }
      case .close(let ending): check(false, "closed: \(ending)")
      default: break
      }
    }
  }

  private mutating func send(_ packet: Packet) {
    toServer.append(packet)
    guard let limits, case .publish(let publish) = packet else { return }
    var bytes = ByteBuffer()
    packet.encode(into: &bytes, .v5)
    check(publish.message.qos.rawValue <= limits.maximumQoS.rawValue, "a QoS that the server does not take")
    check(limits.retainAvailable || !publish.message.retain, "retain on a server that keeps nothing")
    check(bytes.readableBytes <= Int(limits.maximumPacketSize ?? .max), "a packet that is too large")
    check(publish.message.properties.topicAlias ?? 0 <= limits.topicAliasMaximum, "an alias that is too large")
    guard let identifier = publish.packetIdentifier else { return }
    check(unanswered.insert(identifier).inserted, "an identifier that is in use")
    check(unanswered.count <= Int(limits.receiveMaximum), "more under way than the server takes")
  }
}
