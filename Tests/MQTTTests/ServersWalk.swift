import LimpetInstants
import NIOCore

@testable import MQTTCore

/// A link between several servers, which may share their sessions and each of which takes what it likes from one
/// connection to the next, and a store that is slow or fails, over processes that die: with messages that expire, that
/// wait in the store for a connection, and that no packet can carry.
///
/// What must hold: nothing beyond what a server takes is sent; what is settled as delivered has reached a server, in order,
/// and QoS 2 once where no session was lost; every message has one end; and at the end nothing is left.
struct ServersWalk {
  /// What is the same for all of a walk.
  struct Rules {
    let version: ProtocolVersion
    let servers: Int
    let sharesSessions: Bool
    let isStored: Bool
    /// Writes fail or come late, and the file is begun anew: what a process that dies then loses is nobody's fault.
    let isStoreBad: Bool
    /// What a server takes changes from one connection to the next.
    let isChanging: Bool
    /// Servers refuse some messages.
    let isRefusing: Bool
  }

  /// What whoever uses the link has seen and done, by the numbers of messages.
  struct Application {
    var number: UInt64 = 0
    var sent: [UInt64: QoS] = [:]
    var transient: Set<UInt64> = []
    var expiries: [UInt64: BootClock.Instant] = [:]
    var outcomes: [UInt64: Session.Outcome] = [:]
    /// In the store, or beside it, until there is a connection.
    var waiting: [(number: UInt64, message: Message)] = []
    /// A process died with them.
    var forgotten: Set<UInt64> = []
    /// Under way when a session was lost, or sent at another QoS: how often they arrive says nothing.
    var excused: Set<UInt64> = []
    /// Sent at QoS 0, which may be lost.
    var lowered: Set<UInt64> = []
    /// PUBLISH went out at QoS 2.
    var onTheWay: Set<UInt64> = []
    var fromServers: [UInt64: QoS] = [:]
    var received: [UInt64: Int] = [:]
    /// A rejected message has come back with a new process.
    var isReordered = false

    /// Those that have no end yet.
    var open: Set<UInt64> { Set(sent.keys).subtracting(outcomes.keys) }
  }

  let rules: Rules
  var link: Link
  var now = LinkHarness.base
  var generator: WalkGenerator
  /// One for all where they share their sessions.
  var servers: [ModelServer]
  var wire = Wire()
  var application = Application()
  /// What went wrong, in words.
  var faults: Set<String> = []

  private var effects = Link.Effects()
  private var disk = SessionState()
  private var writing: (number: UInt64, changes: [SessionChange])?
  private var attempts = 0
  private var losses = 0
  private(set) var connections = 0
  private(set) var deaths = 0
  /// Servers that were connected to.
  private(set) var used: Set<Int> = []

  init(_ generator: WalkGenerator) {
    var generator = generator
    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
    let isStored = chance(75)
    rules = Rules(
      version: chance(80) ? .v5 : .v311, servers: 1 + (chance(75) ? 1 : 0) + (chance(25) ? 1 : 0),
      sharesSessions: chance(50), isStored: isStored, isStoreBad: isStored && chance(25), isChanging: chance(60),
      isRefusing: chance(25))
    servers = Array(repeating: ModelServer(), count: rules.sharesSessions ? 1 : rules.servers)
    var settings = Link.Settings(
      servers: (0..<rules.servers).map { ServerAddress(transport: .tcp, host: "\($0)", port: 1883) })
    settings.version = rules.version
    settings.sharesSessions = rules.sharesSessions
    settings.prefersFirst = chance(50) ? .seconds(8) : nil
    settings.reconnect.minimum = .milliseconds(100)
    settings.reconnect.maximum = .seconds(1)
    settings.isStored = isStored
    settings.storeDelay = .milliseconds(50)
    settings.inFlightLimit = .random(in: 1...20, using: &generator)
    link = Link(settings, seed: 1)
    self.generator = generator
    turn { $0.handle(.start, at: $1, into: &$2) }
  }

  /// Nothing is left to choose by.
  var isOver: Bool { generator.isOver }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

  mutating func check(_ condition: Bool, _ fault: String) {
    if !condition { faults.insert(fault) }
  }

  // MARK: Steps

  mutating func step() {
    switch Int.random(in: 0..<100, using: &generator) {
    case 0..<20: publish()
    case 20..<28: publishFromServer()
    case 28..<74 where wire.state != .open: advance()
    case 28..<50: deliverToServer()
    case 50..<74: deliverToClient()
    case 74..<79: pass(.milliseconds(Int.random(in: 0...400, using: &generator)))
    case 79..<84: answerStore(isDone: !rules.isStoreBad || chance(70))
    case 84..<94: advance()
    case 94: pass(.seconds(Int.random(in: 0...20, using: &generator)))
    case 95: lose()
    case 96: disturb()
    case 97: if chance(30) { die() }
    default: answerProbe(isReachable: chance(80))
    }
  }

  private mutating func disturb() {
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: turn { $0.handle(.networkChanged(addresses: nil, jitter: .milliseconds(300)), at: $1, into: &$2) }
    case 1: turn { $0.handle(.retryNow, at: $1, into: &$2) }
    case 2: turn { $0.handle(.distrust, at: $1, into: &$2) }
    case 3 where rules.isStoreBad:
      disk = SessionState()
      answerStore(isDone: false)
      turn { $0.handle(.storeBeginsAnew, at: $1, into: &$2) }
    default: lose()
    }
  }

  // MARK: The end

  /// Servers that take everything, and a store that works: whatever is left comes to its end.
  mutating func finish() {
    wire.isGenerous = true
    // A connection on which less was granted is left.
    lose()
    for _ in 0..<5_000 where !isSettled {
      answerStore(isDone: true)
      wire.isGenerous = true
      advance()
      while !wire.toServer.isEmpty || !wire.toClient.isEmpty {
        deliverToServer()
        deliverToClient()
      }
      publishWaiting()
      pass(.milliseconds(500))
    }
    check(
      isSettled, "left: \(link.session.outgoing.count) under way, \(application.waiting.count) waiting, \(wire.state)")
    guard faults.isEmpty else { return }
    checkMessages()
    turn { $0.handle(.abort, at: $1, into: &$2) }
    advance()
    check(link.isStopped && wire.state == .none, "not stopped")
    check(losses == attempts, "\(attempts) attempts, \(losses) losses")
  }

  private var isSettled: Bool {
    link.isConnected && wire.toServer.isEmpty && wire.toClient.isEmpty && link.session.outgoing.count == 0
      && application.waiting.isEmpty && writing == nil && (!rules.isStored || link.storeQueue.isIdle)
  }

  private mutating func checkMessages() {
    check(disk.messages.isEmpty || rules.isStoreBad, "the store has messages that have ended")
    check(application.open.subtracting(application.forgotten).isEmpty, "a message has no end")
    // What such a store did not have the next process did not know.
    if rules.isStoreBad && deaths > 0 { return }
    for (number, outcome) in application.outcomes where outcome == .delivered {
      guard let qos = application.sent[number], qos != .atMostOnce else { continue }
      let count = servers.reduce(0) { $0 + ($1.received[number] ?? 0) }
      check(count > 0 || application.lowered.contains(number), "\(qos) was lost on its way to the server")
      check(
        qos == .atLeastOnce || count <= 1 || application.excused.contains(number), "\(qos) came to the server again")
    }
    // What another server has, or had, for this client is lost with its session.
    for index in servers.indices where index != wire.server && !rules.sharesSessions {
      application.excused.formUnion(servers[index].loseSession())
    }
    for (number, qos) in application.fromServers where !application.excused.contains(number) {
      let count = application.received[number, default: 0]
      check(count > 0, "\(qos) was lost on its way to the client")
      check(qos == .atLeastOnce || count == 1, "\(qos) came to the client again")
    }
    for server in servers {
      check(
        server.isInOrder || rules.isRefusing || application.isReordered, "a server saw a message too early")
      faults.formUnion(server.faults)
    }
  }

  // MARK: Turns

  mutating func turn(_ body: (inout Link, BootClock.Instant, inout Link.Effects) -> Void) {
    body(&link, now, &effects)
    perform()
    link.drain(at: now, into: &effects)
    perform()
    if let deadline = link.deadline { check(deadline > now, "a deadline that is past") }
  }

  private mutating func perform() {
    while true {
      if let action = effects.nextAction() {
        perform(action)
      } else if let order = effects.nextOrder() {
        perform(order)
      } else {
        break
      }
    }
    effects.removeAll()
  }

  private mutating func perform(_ order: Link.Order) {
    switch order {
    case .open(let number, let server, _):
      check(wire.state == .none, "two attempts at once")
      wire = Wire(number: number, server: Int(server.host) ?? 0)
    case .askConnect: wire.state = .asked
    case .close(let number, let closing):
      check(number == wire.number && wire.state != .none, "closed what is not there")
      wire.state = wire.state == .opening ? .none : closing == .atOnce ? .cut : .closing
    case .write(let number, let changes):
      check(writing == nil, "two writes at once")
      writing = (number, changes)
    case .probe(let number, let server):
      check(server.host == "0" && wire.server != 0, "probed what it is connected to")
      wire.probe = number
    case .report(.connecting): attempts += 1
    case .report(.connected):
      connections += 1
      used.insert(wire.server)
    case .report(.lost): losses += 1
    case .report, .flushed: break
    }
  }

  // MARK: Time, the store, and the process

  /// Time passes, with a turn at each deadline on the way. A good store answers before it counts as late.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    if !rules.isStoreBad { answerStore(isDone: true) }
    while let deadline = link.deadline, deadline <= end {
      now = max(now, deadline)
      turn { $0.handle(.tick, at: $1, into: &$2) }
      if !rules.isStoreBad { answerStore(isDone: true) }
    }
    now = end
  }

  private mutating func answerStore(isDone: Bool) {
    guard let (number, changes) = writing else { return }
    writing = nil
    if isDone { for change in changes { disk.apply(change) } }
    turn { $0.handle(.stored(number, isDone: isDone), at: $1, into: &$2) }
  }

  /// The process dies, and another one goes on with what is on the disk.
  private mutating func die() {
    deaths += 1
    leaveWire()
    if let (_, changes) = writing, chance(50) { for change in changes { disk.apply(change) } }
    writing = nil
    let kept = Set(disk.messages.map(\.token))
    let isSafe = rules.isStored && !rules.isStoreBad
    for number in application.open.subtracting(kept) {
      let isBound = isSafe && application.sent[number] == .exactlyOnce && !application.transient.contains(number)
      check(!isBound || !application.onTheWay.contains(number), "QoS 2 was sent before it was stored")
      application.forgotten.insert(number)
    }
    for stored in disk.messages {
      check(stored.message.flaw == nil, "a message that no packet carries is in the store")
      // Where it was settled the disk does not know yet; one that was rejected comes again, behind later ones.
      if case .rejected? = application.outcomes[stored.token] { application.isReordered = true }
      application.outcomes[stored.token] = nil
    }
    // An application that keeps what it gets together with the receipt.
    for (identifier, number) in servers.flatMap(\.unanswered) where !disk.received.contains(identifier) {
      application.received[number] = 0
    }
    application.waiting = disk.waiting.map { ($0.token, $0.message) }
    link = Link(link.settings, state: disk, seed: 1)
    losses = attempts
    turn { $0.handle(.start, at: $1, into: &$2) }
  }
}
