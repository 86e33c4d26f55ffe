import LimpetInstants
import NIOCore
import Testing

@testable import MQTTCore

/// Links that live through whatever comes, in any order: what always holds.
@Suite struct LinkWalkTests {
  @Test(
    "each turn ends with a deadline that is later, one write and one connection at a time, and a loss for each attempt",
    arguments: 0..<200 as Range<UInt64>)
  func walk(seed: UInt64) {
    var walk = LinkWalk(seed: seed)
    for _ in 0..<400 { walk.step() }
    walk.end()
    #expect(walk.faults.isEmpty, "\(walk.faults.sorted())")
  }

  @Test("the walks get somewhere")
  func comesFar() {
    var (connections, writes) = (0, 0)
    for seed in 0..<20 as Range<UInt64> {
      var walk = LinkWalk(seed: seed)
      for _ in 0..<400 { walk.step() }
      connections += walk.connections
      writes += walk.writes
    }
    #expect(connections > 50 && writes > 50, "\(connections) connections, \(writes) writes")
  }

  @Test("the same seed is the same life, also where its values lie elsewhere")
  func isDetermined() {
    func trace() -> [String] {
      var walk = LinkWalk(seed: 7)
      for _ in 0..<300 { walk.step() }
      return walk.trace
    }
    #expect(trace() == trace())
  }
}

/// A link with a transport, a server and a store that do anything they may.
private struct LinkWalk {
  private var link: Link
  private var effects = Link.Effects()
  private var generator: SplitMix64
  private var now = LinkHarness.base
  private var token: UInt64 = 0

  /// Attempts that have no transport yet, and those that have one: at most one each.
  private var opening: UInt64?
  private var open: UInt64?
  private var isAsked = false
  private var isClosing = false
  private var version = ProtocolVersion.v5
  private var isConnectSent = false
  private var writing: UInt64?
  private var attempts = 0
  private var losses = 0
  private var isOver = false
  private(set) var connections = 0
  private(set) var writes = 0
  private(set) var faults: Set<String> = []
  private(set) var trace: [String] = []

  init(seed: UInt64) {
    generator = SplitMix64(seed: seed)
    link = Link(
      LinkHarness.settings(servers: 2) {
        $0.isStored = seed % 2 == 0
        $0.followsServerReferences = true
        $0.believesAnySession = seed % 3 == 0
      }, seed: seed)
    turn { $0.handle(.start, at: $1, into: &$2) }
  }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

  private mutating func check(_ condition: Bool, _ fault: String) {
    if !condition { faults.insert(fault) }
  }

  private mutating func turn(_ body: (inout Link, BootClock.Instant, inout Link.Effects) -> Void) {
    body(&link, now, &effects)
    perform()
    link.drain(at: now, into: &effects)
    perform()
    if let deadline = link.deadline { check(deadline > now, "a deadline that is past") }
    check(!link.isStopped || open == nil, "stopped with an open transport")
  }

  private mutating func perform() {
    while true {
      if let action = effects.nextAction() {
        trace.append("\(action)")
        if case .send(let packet) = action {
          check(open != nil, "sent without a transport")
          if case .connect = packet { isConnectSent = true }
        }
      } else if let order = effects.nextOrder() {
        trace.append("\(order)")
        perform(order)
      } else {
        break
      }
    }
    effects.removeAll()
  }

  private mutating func perform(_ order: Link.Order) {
    switch order {
    case .open(let number, _, let version):
      check(opening == nil && open == nil, "two attempts at once")
      opening = number
      self.version = version
      (isAsked, isConnectSent, isClosing) = (false, false, false)
    case .askConnect: isAsked = true
    case .close(let number, _):
      check(opening == number || open == number, "closed what is not there")
      if opening == number { opening = nil } else { isClosing = true }
    case .write(let number, _):
      check(writing == nil, "two writes at once")
      writing = number
      writes += 1
    case .flushed, .probe: break
    case .report(.connecting): attempts += 1
    case .report(.connected): connections += 1
    case .report(.lost(_, let delay)):
      losses += 1
      if delay == nil { isOver = true }
    case .report: break
    }
  }

  private mutating func handle(_ event: Link.Event) { turn { $0.handle(event, at: $1, into: &$2) } }

  /// Time passes up to a deadline, if there is one soon.
  private mutating func pass(_ duration: Duration) {
    now += duration
    while let deadline = link.deadline, deadline <= now { handle(.tick) }
  }

  mutating func step() {
    switch Int.random(in: 0..<40, using: &generator) {
    case 6, 7: publish()
    case 8, 9: receive()
    case 10: if let writing { answer(writing, chance(80)) }
    case 11: if let open, chance(40) { close(open) }
    case 0..<6: pass(.milliseconds(Int.random(in: 0...3_000, using: &generator)))
    case 12, 13: if open == nil || chance(10) { pass(.seconds(Int.random(in: 0...200, using: &generator))) }
    case 14: if let number = open ?? opening, chance(30) { fail(number) }
    case 15: handle(.networkChanged(addresses: chance(20) ? [] : ["10.0.0.2"], jitter: .milliseconds(300)))
    case 16: handle(chance(50) ? .retryNow : .wait(.seconds(30)))
    case 17: if chance(20) { reconfigure(reconnecting: chance(50)) }
    case 18: handle(chance(50) ? .distrust : .clockChanged(jitter: .zero))
    case 19: if let open { handle(.writable(open, chance(60))) }
    case 20: if chance(30) { handle(chance(50) ? .storeBeginsAnew : .flushStore) }
    default: advance()
    }
  }

  /// The next step on the way to a connection.
  private mutating func advance() {
    if let open, isClosing {
      close(open)
    } else if let number = opening {
      opening = nil
      open = number
      handle(.opened(number, from: "10.0.0.2"))
      handle(.ready(number))
    } else if let number = open, isAsked {
      isAsked = false
      handle(.connectPacket(number, LinkHarness.connect { $0.keepAlive = 20 }))
    } else if let number = open, isConnectSent, !link.isConnected {
      let code: ReasonCode = chance(70) ? .success : chance(50) ? .notAuthorized : .useAnotherServer
      handle(.received(number, .connack(ConnAck(sessionPresent: code == .success && chance(50), reasonCode: code))))
    }
  }

  private mutating func publish() {
    token += 1
    let (number, qos) = (token, QoS.allCases.randomElement(using: &generator) ?? .atMostOnce)
    turn { try? $0.publish(.numbered(number, qos), token: number, at: $1, into: &$2) }
  }

  private mutating func receive() {
    guard let open, link.isConnected else { return }
    let identifier = PacketIdentifier(rawValue: UInt16.random(in: 1...30, using: &generator)) ?? .first
    let packets: [Packet] = [
      .puback(Acknowledgement(identifier)), .pubrec(Acknowledgement(identifier)), .pubrel(Acknowledgement(identifier)),
      .pubcomp(Acknowledgement(identifier)), .numbered(0, .exactlyOnce, identifier), .pingresp,
    ]
    handle(.received(open, packets.randomElement(using: &generator) ?? .pingresp))
  }

  private mutating func answer(_ number: UInt64, _ isDone: Bool) {
    writing = nil
    handle(.stored(number, isDone: isDone))
  }

  private mutating func close(_ number: UInt64) {
    open = nil
    handle(.closed(number, received: chance(70)))
  }

  private mutating func reconfigure(reconnecting: Bool) {
    // An attempt without a transport is replaced, and not lost.
    if opening != nil && reconnecting { losses += 1 }
    handle(.reconfigure(LinkHarness.settings(servers: 1), reconnecting: reconnecting))
  }

  private mutating func fail(_ number: UInt64) {
    handle(.failed(number, .unreachable(LinkHarness.servers[0], "no route")))
  }

  /// Nothing is left in the end: the link is stopped, each attempt has its loss.
  mutating func end() {
    handle(.abort)
    if let open { close(open) }
    check(link.isStopped && isOver, "not stopped")
    check(losses == attempts || losses == attempts + 1, "\(attempts) attempts, \(losses) losses")
    for _ in 0..<10 {
      if let writing { answer(writing, true) }
      pass(.seconds(20))
    }
    check(writing == nil && link.deadline == nil, "something is still to be done")
  }
}
