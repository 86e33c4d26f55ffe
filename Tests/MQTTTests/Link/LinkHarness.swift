import LimpetInstants
import NIOCore

@testable import MQTTCore

/// A link whose transports, server and store do what the test says, one turn for each call. Each call returns what the
/// link wants done.
struct LinkHarness {
  static let base = BootClock.Instant(nanoseconds: 1_000_000_000_000)
  static let servers = ["a", "b"].map { ServerAddress(transport: .tcp, host: $0, port: 1883) }

  var link: Link
  var now = base

  init(_ settings: Link.Settings = settings(), state: SessionState = SessionState(), seed: UInt64 = 1) {
    link = Link(settings, state: state, seed: seed)
  }

  static func settings(
    servers: Int = 1, version: ProtocolVersion? = nil, _ change: (inout Link.Settings) -> Void = { _ in }
  ) -> Link.Settings {
    var settings = Link.Settings(servers: Array(Self.servers.prefix(servers)))
    settings.version = version
    change(&settings)
    return settings
  }

  var number: UInt64 { link.attemptNumber }

  // MARK: Turns

  @discardableResult
  mutating func handle(_ events: Link.Event...) -> Link.Effects {
    let now = now
    return turn { link, effects in for event in events { link.handle(event, at: now, into: &effects) } }
  }

  mutating func turn(
    _ body: (inout Link, inout Link.Effects) throws -> Void
  ) rethrows -> Link.Effects {
    var effects = Link.Effects()
    try body(&link, &effects)
    link.drain(at: now, into: &effects)
    return effects
  }

  /// Time passes, with a tick at each deadline on the way.
  @discardableResult
  mutating func pass(_ duration: Duration) -> Link.Effects {
    let end = now + duration
    var effects = Link.Effects()
    while let deadline = link.deadline, deadline <= end {
      now = max(now, deadline)
      effects.append(handle(.tick))
    }
    now = end
    return effects
  }

  // MARK: A connection's life

  static func connect(_ change: (inout Connect) -> Void = { _ in }) -> Connect {
    var connect = Connect(clientIdentifier: "c", cleanStart: false, keepAlive: 0)
    connect.will = Message(topic: "will", payload: ByteBuffer(string: "offline"))
    change(&connect)
    return connect
  }

  /// The attempt under way gets a transport, up to MQTT.
  @discardableResult
  mutating func open() -> Link.Effects { handle(.opened(number, from: "10.0.0.2"), .ready(number)) }

  /// And sends CONNECT.
  @discardableResult
  mutating func ask(_ connect: Connect = connect()) -> Link.Effects {
    _ = open()
    return handle(.connectPacket(number, connect))
  }

  @discardableResult
  mutating func receive(_ packet: Packet) -> Link.Effects { handle(.received(number, packet)) }

  @discardableResult
  mutating func connack(
    sessionPresent: Bool = false, _ code: ReasonCode = .success, _ properties: Properties = Properties()
  ) -> Link.Effects {
    receive(.connack(ConnAck(sessionPresent: sessionPresent, reasonCode: code, properties: properties)))
  }

  /// From an attempt that is under way to CONNACK.
  @discardableResult
  mutating func agree(
    sessionPresent: Bool = false, _ properties: Properties = Properties(), _ connect: Connect = connect()
  ) -> Link.Effects {
    _ = ask(connect)
    return connack(sessionPresent: sessionPresent, .success, properties)
  }

  @discardableResult
  mutating func closed(received: Bool = true) -> Link.Effects { handle(.closed(number, received: received)) }

  /// The connection is lost, and the next attempt begins.
  @discardableResult
  mutating func lose(received: Bool = true) -> Link.Effects {
    closed(received: received).joined(with: handle(.retryNow))
  }

  static func connected(
    _ settings: Link.Settings = settings(), state: SessionState = SessionState(),
    _ properties: Properties = Properties()
  ) -> LinkHarness {
    var harness = LinkHarness(settings, state: state)
    harness.handle(.start)
    harness.agree(properties)
    return harness
  }

  mutating func publish(_ number: UInt64, _ qos: QoS, transient: Bool = false) throws -> Link.Effects {
    let now = now
    return try turn {
      try $0.publish(.numbered(number, qos), token: number, transient: transient, at: now, into: &$1)
    }
  }
}

extension Link.Effects {
  mutating func append(_ later: Link.Effects) {
    actions += later.actions
    orders += later.orders
  }

  func joined(with later: Link.Effects) -> Link.Effects {
    var both = self
    both.append(later)
    return both
  }

  var sent: [Packet] { actions.sent }
  var settled: [Session.Token: Session.Outcome] { actions.settled }
  var delivered: [Session.Delivery] { actions.delivered }
  var opened: [ServerAddress] { orders.compactMap { if case .open(_, let server, _) = $0 { server } else { nil } } }
  var probed: [ServerAddress] { orders.compactMap { if case .probe(_, let server) = $0 { server } else { nil } } }
  var versions: [ProtocolVersion] {
    orders.compactMap { if case .open(_, _, let version) = $0 { version } else { nil } }
  }
  var closings: [Link.Closing] { orders.compactMap { if case .close(_, let closing) = $0 { closing } else { nil } } }
  var notices: [Link.Notice] { orders.compactMap { if case .report(let notice) = $0 { notice } else { nil } } }
  var flushes: [Bool] { orders.compactMap { if case .flushed(let isDone) = $0 { isDone } else { nil } } }
  var isAsking: Bool { orders.contains { if case .askConnect = $0 { true } else { false } } }

  var writes: [(number: UInt64, changes: [SessionChange])] {
    orders.compactMap { if case .write(let number, let changes) = $0 { (number, changes) } else { nil } }
  }

  var losses: [(loss: ConnectionLoss, retryAfter: Duration?)] {
    notices.compactMap { if case .lost(let loss, let delay) = $0 { (loss, delay) } else { nil } }
  }

  var storing: [Link.StoreCondition] {
    notices.compactMap { if case .storing(let condition) = $0 { condition } else { nil } }
  }

  var stored: [[Session.Token]] {
    notices.compactMap { if case .stored(let tokens) = $0 { tokens } else { nil } }
  }

  var connect: Connect? {
    for case .connect(let connect) in sent { return connect }
    return nil
  }

  var isConnected: Bool { notices.contains { if case .connected = $0 { true } else { false } } }
}
