import LimpetInstants
import NIOCore

@testable import MQTTCore

/// Drives a session with whatever the input says: requests, packets of a server that may break every rule, time, lost
/// connections. What must hold all the same: nothing crashes, what is sent can be read, nothing is sent after the end of
/// a connection, every request is settled at most once, and no table grows beyond its limit.
struct SessionFuzz {
  private var input: ByteBuffer
  private var session: Session
  private let limit: Int
  private var version = ProtocolVersion.v5
  private var now = Session.Instant.now
  private var isOpen = false
  private var nextToken: Session.Token = 0
  private var settled: Set<Session.Token> = []
  private var deliveries: [Session.Delivery] = []
  private let isStored: Bool
  private var lastTicket: Session.StoreTicket = 0
  private var storedTicket: Session.StoreTicket = 0
  /// Identifiers of QoS 2 by the ticket that their PUBLISH waits for.
  private var awaited: [PacketIdentifier: Session.StoreTicket] = [:]

  static func run(_ bytes: UnsafeRawBufferPointer) {
    var input = ByteBuffer(bytes: bytes)
    guard let first = input.readInteger(as: UInt8.self) else { return }
    var fuzz = SessionFuzz(
      input: input, limit: 1 + Int(first % 16), isResumable: first & 0x80 != 0, isStored: first & 0x40 != 0)
    while fuzz.step() {}
  }

  private init(input: ByteBuffer, limit: Int, isResumable: Bool, isStored: Bool) {
    self.input = input
    self.limit = limit
    session = Session(inFlightLimit: limit, isResumable: isResumable, isStored: isStored)
    self.isStored = isStored
  }

  private mutating func byte() -> UInt8 { input.readInteger(as: UInt8.self) ?? 0 }

  private mutating func step() -> Bool {
    guard let operation = input.readInteger(as: UInt8.self) else { return false }
    var actions: [Session.Action] = []
    switch operation % 13 {
    case 0: connect(&actions)
    case 1: agree(&actions)
    case 2, 3: publish(&actions)
    case 4: request(&actions)
    case 5, 6: acknowledge(&actions)
    case 7: receivePublish(&actions)
    case 8:
      if let delivery = deliveries.popLast() {
        if byte() % 4 == 0 {
          session.leave(delivery, at: now, into: &actions)
        } else {
          session.accept(delivery, at: now, into: &actions)
        }
      }
    case 9:
      now += .milliseconds(Int(byte()) * 100)
      session.tick(at: now, into: &actions)
    case 10: receiveAnything(&actions)
    case 11:
      storedTicket = min(lastTicket, storedTicket + UInt64(byte() % 4))
      session.stored(through: storedTicket, at: now, into: &actions)
    default: drop(&actions)
    }
    check(actions)
    return true
  }

  // MARK: Operations

  private mutating func connect(_ actions: inout [Session.Action]) {
    guard !isOpen else { return }
    isOpen = true
    let bits = byte()
    version = bits & 1 == 0 ? .v5 : .v311
    var properties = Properties()
    if version == .v5 {
      properties.receiveMaximum = 1 + UInt16(bits >> 4)
      properties.topicAliasMaximum = UInt16(bits & 2)
      if bits & 4 != 0 { properties.authenticationMethod = "M" }
    }
    let connect = Connect(
      clientIdentifier: "c", cleanStart: bits & 8 != 0, keepAlive: UInt16(bits & 3), properties: properties)
    session.connect(connect, version: version, into: &actions)
  }

  private mutating func agree(_ actions: inout [Session.Action]) {
    let bits = byte()
    var properties = Properties()
    if version == .v5 {
      if bits & 1 != 0 { properties.receiveMaximum = 1 + UInt16(bits & 7) }
      if bits & 2 != 0 { properties.topicAliasMaximum = 2 }
      if bits & 4 != 0 { properties.maximumPacketSize = 30 }
      if bits & 8 != 0 { properties.maximumQoS = .atLeastOnce }
    }
    let connack = ConnAck(sessionPresent: bits & 0x80 != 0, reasonCode: .success, properties: properties)
    session.receive(.connack(connack), at: now, into: &actions)
  }

  private mutating func publish(_ actions: inout [Session.Action]) {
    let bits = byte()
    guard let qos = QoS(rawValue: bits % 3) else { return }
    nextToken += 1
    let message = Message(
      topic: TopicName(validated: ByteBuffer(string: "topic/\(bits >> 5)")), payload: ByteBuffer(integer: nextToken),
      qos: qos)
    try? session.publish(message, token: nextToken, transient: bits & 16 != 0, at: now, into: &actions)
  }

  private mutating func request(_ actions: inout [Session.Action]) {
    let filter: TopicFilter = "a/+"
    nextToken += 1
    if byte() & 1 == 0 {
      try? session.subscribe([Subscription(filter)], token: nextToken, at: now, into: &actions)
    } else {
      try? session.unsubscribe([filter], token: nextToken, at: now, into: &actions)
    }
  }

  private mutating func acknowledge(_ actions: inout [Session.Action]) {
    let bits = byte()
    guard let identifier = PacketIdentifier(rawValue: 1 + UInt16(bits & 15)) else { return }
    let codes: [ReasonCode] = [.success, .quotaExceeded, .notAuthorized, .success]
    let answer = Acknowledgement(identifier, reasonCode: version == .v5 ? codes[Int(byte() % 4)] : .success)
    let packet: Packet =
      switch bits >> 4 {
      case 0..<5: .puback(answer)
      case 5..<9: .pubrec(answer)
      case 9..<13: .pubcomp(Acknowledgement(identifier))
      case 13: .pubrel(Acknowledgement(identifier))
      default: .suback(SubscriptionAcknowledgement(identifier, reasonCodes: [.success]))
      }
    session.receive(packet, at: now, into: &actions)
  }

  private mutating func receivePublish(_ actions: inout [Session.Action]) {
    let bits = byte()
    guard let qos = QoS(rawValue: bits % 3) else { return }
    let identifier = qos == .atMostOnce ? nil : PacketIdentifier(rawValue: 1 + UInt16(bits >> 5))
    let message = Message(topic: TopicName(validated: ByteBuffer(string: "in")), payload: ByteBuffer(), qos: qos)
    session.receive(
      .publish(Publish(message, packetIdentifier: identifier, duplicate: qos != .atMostOnce && bits & 16 != 0)),
      at: now, into: &actions)
  }

  private mutating func receiveAnything(_ actions: inout [Session.Action]) {
    var bytes = input.readSlice(length: min(Int(byte() % 64), input.readableBytes)) ?? ByteBuffer()
    var decoder = PacketDecoder(version: version, maximumPacketSize: 1024)
    do throws(PacketError) {
      while let packet = try decoder.next(from: &bytes) { session.receive(packet, at: now, into: &actions) }
    } catch {
      session.received(error, into: &actions)
    }
  }

  private mutating func drop(_ actions: inout [Session.Action]) {
    session.transportClosed(into: &actions)
    isOpen = false
    deliveries = []
  }

  // MARK: What must hold

  private mutating func check(_ actions: [Session.Action]) {
    var hasClosed = false
    for action in actions {
      switch action {
      case .send(let packet):
        precondition(isOpen && !hasClosed, "sent after the end")
        checkReadable(packet)
        if case .publish(let publish) = packet, let identifier = publish.packetIdentifier,
          publish.message.qos == .exactlyOnce
        {
          precondition(awaited[identifier].map { $0 <= storedTicket } ?? !isStored, "sent before it was stored")
        }
      case .settled(let token, _): precondition(settled.insert(token).inserted, "settled twice: \(token)")
      case .answered(let token, _): precondition(settled.insert(token).inserted, "answered twice: \(token)")
      case .deliver(let delivery): deliveries.append(delivery)
      case .close: hasClosed = true
      case .store(let change, let ticket):
        if let ticket {
          precondition(ticket == lastTicket + 1, "tickets are one after the other")
          lastTicket = ticket
        }
        switch change {
        case .message(let message, _):
          if message.message.qos == .exactlyOnce, case .published(let identifier) = message.state {
            awaited[identifier] = ticket
          }
        case .held(let identifier, true): awaited[identifier] = ticket
        default: break
        }
      case .connected, .remarked, .challenge, .authenticated: break
      }
    }
    // Each request is settled once, perhaps all of them at the end of a connection.
    precondition(actions.count <= 4 * limit + 256 + Int(nextToken), "\(actions.count) actions at once")
    precondition(session.room <= limit, "more room than the limit")
  }

  private func checkReadable(_ packet: Packet) {
    var bytes = ByteBuffer()
    packet.encode(into: &bytes, version)
    var rest = bytes
    var decoder = PacketDecoder(version: version, maximumPacketSize: .max)
    // Bytes, since 3.1.1 has no place for a reason code that the packet may have.
    var again = ByteBuffer()
    if let read = try? decoder.next(from: &rest) { read.encode(into: &again, version) }
    precondition(again == bytes && rest.readableBytes == 0, "what was sent cannot be read: \(packet)")
  }
}
