import LimpetInstants
import NIOCore

@testable import MQTTCore

/// What a walk chooses by: numbers from a seed, or bytes that a fuzzer has thought of.
struct WalkGenerator: RandomNumberGenerator {
  private var bytes: ByteBuffer?
  private var seeded: SeededGenerator

  init(seed: UInt64) { seeded = SeededGenerator(seed: seed) }

  init(bytes: ByteBuffer) {
    self.bytes = bytes
    seeded = SeededGenerator(seed: 0)
  }

  var isOver: Bool { bytes?.readableBytes == 0 }

  mutating func next() -> UInt64 {
    // The highest bits are what a choice in a range goes by.
    if let byte = bytes?.readInteger(as: UInt8.self) { return UInt64(byte) << 56 | 0xFF_FFFF }
    return seeded.next()
  }
}

/// A session, a server, and the two rows of packets between them.
struct SessionWalk {
  private var harness: SessionHarness
  private var server = ModelServer()
  private var generator: WalkGenerator
  private var toServer: [Packet] = []
  private var toClient: [Packet] = []
  private var number: UInt64 = 0

  private(set) var connections = 0
  /// What went wrong, in words.
  private(set) var faults: Set<String> = []

  // What the application has seen and done.
  private(set) var sentToServer: [UInt64: QoS] = [:]
  private(set) var sentToClient: [UInt64: QoS] = [:]
  private var outcomes: [Session.Token: Session.Outcome] = [:]
  private var transient: Set<Session.Token> = []
  private var received: [UInt64: Int] = [:]
  /// Messages under way when the server lost its session: their number of deliveries says nothing.
  private var excused: Set<UInt64> = []

  // What went over the wire.
  private var publishedInSession: Set<Packet> = []
  /// Messages that the server has not answered to the end, and whether they might have waited.
  private var unanswered: [PacketIdentifier: Bool] = [:]
  /// What the server takes at once.
  private var granted = 0
  private let inFlightLimit: Int

  // What is on the disk, and on its way there. The process dies now and then where there is one.
  private var disk: SessionState?
  private var queue: StoreQueue?
  private var writing: [SessionChange]?
  /// Messages that a process which died had taken and not sent: nobody knows of them any more.
  private var forgotten: Set<UInt64> = []
  /// Stored messages that are to be published again, and those of which nobody knows whether they were sent.
  private var leftOver: [StoredMessage] = []
  private var uncertain: Set<UInt64> = []

  init(seed: UInt64) {
    self.init(WalkGenerator(seed: seed), seed % 2 == 0 ? .v5 : .v311, isStored: seed % 4 >= 2)
  }

  init(_ generator: WalkGenerator, _ version: ProtocolVersion, isStored: Bool) {
    self.generator = generator
    inFlightLimit = .random(in: 1...20, using: &self.generator)
    if isStored {
      disk = SessionState()
      queue = StoreQueue(delay: .milliseconds(50), state: SessionState())
      harness = SessionHarness(version, restoring: SessionState(), inFlightLimit: inFlightLimit)
    } else {
      harness = SessionHarness(version, inFlightLimit: inFlightLimit)
    }
    connect()
  }

  /// Nothing is left to choose by.
  var isOver: Bool { generator.isOver }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

  private mutating func check(_ condition: Bool, _ fault: String) {
    if !condition { faults.insert(fault) }
  }

  // MARK: Steps

  mutating func step() {
    switch Int.random(in: 0..<100, using: &generator) {
    case 0..<20: publish()
    case 20..<35: publishFromServer()
    case 35..<65: deliverToServer()
    case 65..<97: deliverToClient()
    case 65..<75 where disk != nil: write()
    case 99 where disk != nil && chance(50):
      die(keepingSession: chance(75))
      connect()
    case 97: harness.session.nextIdentifier = PacketIdentifier(integerLiteral: chance(50) ? 65_533 : 1)
    default:
      drop(keepingSession: chance(75))
      connect()
    }
  }

  /// No more losses: everything that is under way comes to its end.
  mutating func finish() {
    for _ in 0..<10_000
    where !(toServer.isEmpty && toClient.isEmpty && leftOver.isEmpty && queue?.isIdle ?? true) {
      publishLeftOver()
      write()
      deliverToServer()
      deliverToClient()
    }
    check(harness.session.outgoing.count == 0, "messages are left: \(harness.session.outgoing.count)")
    for (number, qos) in sentToServer
    where outcomes[number] != .abandoned && qos != .atMostOnce && !forgotten.contains(number) {
      check(outcomes[number] == .delivered, "\(qos) was not settled as delivered")
      let count = server.received[number] ?? 0
      check(count >= 1, "\(qos) was lost on its way to the server")
      check(qos == .atLeastOnce || count == 1 || excused.contains(number), "\(qos) came to the server again")
    }
    for (number, qos) in sentToClient where !excused.contains(number) {
      check(received[number, default: 0] >= 1, "\(qos) was lost on its way to the client")
    }
    for (number, count) in received where sentToClient[number] == .exactlyOnce {
      check(count <= 1, "QoS 2 came to the client again")
    }
    check(server.isInOrder, "the server saw a message before an older one")
    faults.formUnion(server.faults)
  }

  private mutating func publish() {
    guard leftOver.isEmpty else { return publishLeftOver() }
    let qos = QoS.allCases.randomElement(using: &generator) ?? .atMostOnce
    let isTransient = chance(15)
    number += 1
    var message = Message.numbered(number, qos)
    // What may not wait may overtake, so it has topics of its own: messages are in order by topic (§4.6).
    if isTransient { message.topic = qos == .exactlyOnce ? "presence/2" : "presence" }
    guard let actions = try? harness.publish(message, token: number, transient: isTransient) else {
      let full =
        isTransient
        ? max(unanswered.count, harness.session.outgoing.count) >= min(granted, 2 * inFlightLimit)
          || qos == .exactlyOnce && harness.session.outgoing.exactlyOnceCount >= Session.exactlyOnceLimit
        : harness.session.room(for: qos) == 0
      return check(full, "no room though there is")
    }
    sentToServer[number] = qos
    if isTransient { transient.insert(number) }
    perform(actions)
  }

  private mutating func publishLeftOver() {
    guard let stored = leftOver.first, let actions = try? harness.publish(stored.message, token: stored.token) else {
      return
    }
    leftOver.removeFirst()
    perform(actions)
  }

  // MARK: The disk

  /// A write begins, or the one that is under way ends.
  private mutating func write() {
    harness.now += .milliseconds(5)
    guard let changes = writing else {
      writing = queue?.take(at: harness.now)
      return
    }
    writing = nil
    for change in changes { disk?.apply(change) }
    guard let ticket = queue?.finished(true, at: harness.now) else { return }
    perform(harness.stored(through: ticket))
  }

  /// The process dies, and another one goes on with what is on the disk.
  private mutating func die(keepingSession: Bool) {
    drop(keepingSession: keepingSession)
    if let writing, chance(50) { for change in writing { disk?.apply(change) } }
    writing = nil
    guard let disk else { return }
    let kept = Set(disk.messages.map(\.token))
    for (number, qos) in sentToServer where outcomes[number] == nil && !kept.contains(number) {
      let wasSent = publishedInSession.contains { packet in
        if case .publish(let publish) = packet { publish.message.number == number } else { false }
      }
      check(qos != .exactlyOnce || !wasSent || transient.contains(number), "QoS 2 was sent before it was stored")
      forgotten.insert(number)
    }
    for stored in disk.messages where outcomes.removeValue(forKey: stored.token) != nil {
      // It was settled, and the disk does not know yet.
      let isReleased = if case .released = stored.state { true } else { false }
      check(sentToServer[stored.token] == .atLeastOnce || isReleased, "QoS 2 ended before PUBREC was stored")
    }
    // An application that keeps what it gets together with the receipt.
    for (identifier, number) in server.unanswered where !disk.received.contains(identifier) { received[number] = 0 }
    uncertain.formUnion(kept)
    leftOver = Array(disk.waiting)
    queue = StoreQueue(delay: .milliseconds(50), state: disk)
    harness = SessionHarness(harness.version, restoring: disk, inFlightLimit: inFlightLimit)
  }

  private mutating func publishFromServer() {
    number += 1
    let qos: QoS = chance(50) ? .atLeastOnce : .exactlyOnce
    guard let packet = server.publish(number, qos) else { return }
    sentToClient[number] = qos
    toClient.append(packet)
  }

  private mutating func deliverToServer() {
    guard !toServer.isEmpty else { return }
    toClient += server.receive(toServer.removeFirst())
  }

  private mutating func deliverToClient() {
    guard !toClient.isEmpty else { return }
    let packet = toClient.removeFirst()
    switch packet {
    case .puback(let answer), .pubcomp(let answer): unanswered[answer.packetIdentifier] = nil
    case .pubrec(let answer) where answer.reasonCode.isError: unanswered[answer.packetIdentifier] = nil
    default: break
    }
    perform(harness.receive(packet))
  }

  private mutating func connect() {
    connections += 1
    let receiveMaximum = UInt16.random(in: 1...25, using: &generator)
    let ours = UInt16.random(in: 1...5, using: &generator)
    granted = harness.version == .v5 ? Int(receiveMaximum) : .max
    server.receiveMaximum = harness.version == .v5 ? Int(ours) : .max
    let actions = harness.connect(
      sessionPresent: server.hasSession, asking: Properties { $0.receiveMaximum = ours },
      granted: Properties { if harness.version == .v5 { $0.receiveMaximum = receiveMaximum } })
    check(actions.limits != nil, "not connected")
    toClient = server.connect()
    perform(actions)
  }

  private mutating func drop(keepingSession: Bool) {
    // Some of what was sent still arrives, the rest is lost; nothing comes back.
    for _ in 0..<Int.random(in: 0...toServer.count, using: &generator) { _ = server.receive(toServer.removeFirst()) }
    toServer = []
    toClient = []
    unanswered = [:]
    if !keepingSession {
      excused.formUnion(sentToServer.keys.filter { outcomes[$0] == nil })
      excused.formUnion(server.loseSession())
      publishedInSession = []
    }
    perform(harness.drop())
  }

  private mutating func perform(_ actions: [Session.Action]) {
    for action in actions {
      switch action {
      case .send(let packet): send(packet)
      case .connected: break
      case .deliver(let delivery):
        if let number = delivery.message.number { received[number, default: 0] += 1 }
        if chance(95) { perform(harness.accept(delivery)) } else { perform(acceptLate(delivery)) }
      case .settled(let token, let outcome):
        check(outcomes.updateValue(outcome, forKey: token) == nil, "settled twice")
        check(outcome == .delivered || (outcome == .abandoned && transient.contains(token)), "settled as \(outcome)")
      case .store(let change, let ticket): queue?.add(change, ticket: ticket, at: harness.now)
      case .answered, .remarked, .challenge, .authenticated: check(false, "answered what was not asked")
      case .close(let ending): check(false, "closed: \(ending)")
      }
    }
  }

  /// The application takes its time; meanwhile another packet comes.
  private mutating func acceptLate(_ delivery: Session.Delivery) -> [Session.Action] {
    deliverToClient()
    return harness.accept(delivery)
  }

  private mutating func send(_ packet: Packet) {
    toServer.append(packet)
    guard case .publish(let publish) = packet, let identifier = publish.packetIdentifier else { return }
    check(unanswered[identifier] == nil, "an identifier that is in use")
    unanswered[identifier] = publish.message.number.map(transient.contains) != true
    check(unanswered.count <= min(granted, 2 * inFlightLimit), "more under way than the server takes")
    check(unanswered.values.count { $0 } <= inFlightLimit, "more under way than the session takes")
    var first = publish
    first.duplicate = false
    let isNew = publishedInSession.insert(.publish(first)).inserted
    check(
      publish.duplicate != isNew || publish.message.number.map(uncertain.contains) == true,
      "DUP is \(publish.duplicate) on a message that is \(isNew ? "new" : "not new")")
    if let number = publish.message.number {
      check(outcomes[number] == nil, "sent again after its end: \(outcomes[number].map { "\($0)" } ?? "")")
    }
  }
}
