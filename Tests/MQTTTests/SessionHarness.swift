import LimpetInstants
import LimpetPlatform
import NIOCore

@testable import MQTTCore

/// A session with a server that says what the test lets it say. Each call returns what the session wants done for it.
struct SessionHarness {
  static let base = BootClock.now

  var session: Session
  let version: ProtocolVersion
  /// Added to an instant that means nothing.
  var now = base

  init(_ version: ProtocolVersion = .v5, inFlightLimit: Int = 100, isResumable: Bool = false) {
    self.version = version
    session = Session(inFlightLimit: inFlightLimit, isResumable: isResumable)
  }

  /// One that goes on from what an earlier process has stored.
  init(_ version: ProtocolVersion = .v5, restoring state: SessionState, inFlightLimit: Int = 100) {
    self.version = version
    session = Session(restoring: state, inFlightLimit: inFlightLimit, isResumable: true)
    session.start(at: now)
  }

  /// A session that is connected.
  static func connected(
    _ version: ProtocolVersion = .v5, inFlightLimit: Int = 100, keepAlive: UInt16 = 0,
    asking: Properties = Properties(), granted: Properties = Properties()
  ) -> SessionHarness {
    var harness = SessionHarness(version, inFlightLimit: inFlightLimit)
    _ = harness.connect(keepAlive: keepAlive, asking: asking, granted: granted)
    return harness
  }

  mutating func perform(_ body: (inout Session, inout [Session.Action]) -> Void) -> [Session.Action] {
    var actions: [Session.Action] = []
    body(&session, &actions)
    return actions
  }

  // MARK: A connection's life

  mutating func begin(
    cleanStart: Bool = false, keepAlive: UInt16 = 0, asking: Properties = Properties()
  ) -> [Session.Action] {
    let connect = Connect(
      clientIdentifier: "c", cleanStart: cleanStart, keepAlive: keepAlive, properties: asking)
    let version = version
    return perform { $0.connect(connect, version: version, into: &$1) }
  }

  /// CONNECT, and the CONNACK that agrees; what came after CONNECT.
  mutating func connect(
    sessionPresent: Bool = false, cleanStart: Bool = false, keepAlive: UInt16 = 0, asking: Properties = Properties(),
    granted: Properties = Properties()
  ) -> [Session.Action] {
    _ = begin(cleanStart: cleanStart, keepAlive: keepAlive, asking: asking)
    return receive(
      .connack(ConnAck(sessionPresent: sessionPresent, reasonCode: .success, properties: granted)))
  }

  mutating func drop() -> [Session.Action] { perform { $0.transportClosed(into: &$1) } }

  /// The connection is lost and made again.
  mutating func reconnect(sessionPresent: Bool, granted: Properties = Properties()) -> [Session.Action] {
    _ = drop()
    return connect(sessionPresent: sessionPresent, granted: granted)
  }

  mutating func receive(_ packet: Packet) -> [Session.Action] {
    let now = now
    return perform { $0.receive(packet, at: now, into: &$1) }
  }

  /// Time passes.
  mutating func tick(after duration: Duration) -> [Session.Action] {
    now += duration
    let now = now
    return perform { $0.tick(at: now, into: &$1) }
  }

  // MARK: Requests

  mutating func publish(
    _ message: Message, token: Session.Token = 0, transient: Bool = false
  ) throws(Session.Rejection) -> [Session.Action] {
    var actions: [Session.Action] = []
    try session.publish(message, token: token, transient: transient, at: now, into: &actions)
    return actions
  }

  /// A message whose payload and token are the number.
  mutating func publish(
    _ number: UInt64, _ qos: QoS, transient: Bool = false
  ) throws(Session.Rejection) -> [Session.Action] {
    try publish(.numbered(number, qos), token: number, transient: transient)
  }

  mutating func subscribe(
    _ subscriptions: [Subscription], properties: Properties = Properties(), token: Session.Token = 0
  ) throws(Session.Rejection) -> [Session.Action] {
    var actions: [Session.Action] = []
    try session.subscribe(subscriptions, properties: properties, token: token, at: now, into: &actions)
    return actions
  }

  mutating func unsubscribe(
    _ filters: [TopicFilter], token: Session.Token = 0
  ) throws(Session.Rejection) -> [Session.Action] {
    var actions: [Session.Action] = []
    try session.unsubscribe(filters, token: token, at: now, into: &actions)
    return actions
  }

  mutating func stored(through ticket: Session.StoreTicket) -> [Session.Action] {
    let now = now
    return perform { $0.stored(through: ticket, at: now, into: &$1) }
  }

  mutating func accept(_ delivery: Session.Delivery) -> [Session.Action] {
    let now = now
    return perform { $0.accept(delivery, at: now, into: &$1) }
  }
}

extension Message {
  static func numbered(_ number: UInt64, _ qos: QoS) -> Message {
    Message(topic: "t", payload: ByteBuffer("\(number)"), qos: qos)
  }

  var number: UInt64? { UInt64(String(buffer: payload)) }
}

extension Packet {
  /// A PUBLISH as the harness publishes them.
  static func numbered(_ number: UInt64, _ qos: QoS, _ identifier: PacketIdentifier?, duplicate: Bool = false) -> Packet
  {
    .publish(Publish(.numbered(number, qos), packetIdentifier: identifier, duplicate: duplicate))
  }
}

extension [Session.Action] {
  var sent: [Packet] { compactMap { if case .send(let packet) = $0 { packet } else { nil } } }

  var delivered: [Session.Delivery] { compactMap { if case .deliver(let delivery) = $0 { delivery } else { nil } } }

  var settled: [Session.Token: Session.Outcome] {
    reduce(into: [:]) { if case .settled(let token, let outcome) = $1 { $0[token] = outcome } }
  }

  var ending: Session.Ending? {
    for case .close(let ending) in self { return ending }
    return nil
  }

  /// What is to be kept, with the tickets.
  var stored: [(change: SessionChange, ticket: Session.StoreTicket?)] {
    compactMap { if case .store(let change, let ticket) = $0 { (change, ticket) } else { nil } }
  }

  /// What the server is blamed for.
  var violation: ReasonCode? { if case .violation(let error)? = ending { error.reasonCode } else { nil } }

  /// The limits of the connection that was agreed to.
  var limits: ServerLimits? {
    for case .connected(let connected) in self { return connected.limits }
    return nil
  }
}
