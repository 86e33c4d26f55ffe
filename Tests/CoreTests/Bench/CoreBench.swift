import MQTTCore
import Measuring
import NIOCore
import Outbox
import Plan
import Readings
import Records
import Testing

@testable import Core
@testable import LimpetInstants

/// A core in the hands of a test: a server and a store that answer as they are told to, and time that passes when the
/// test says so. Every answer is a turn of its own; after each turn the rules that always hold are looked at.
struct CoreBench {
  static let start = BootClock.Instant(nanoseconds: 1_000_000_000_000)

  var core: Core
  var now = start
  /// How long the machine was suspended.
  var slept = Duration.zero
  /// Seconds since 1970 at `start`.
  var wallSeconds = 1_700_000_000
  var server = ScriptedServer()
  var store: ScriptedStore
  /// Lines are found, and let go of, at once.
  var answersLines = true
  /// Outputs are driven at once.
  var drivesOutputs = true
  /// Reads of sensors are answered at once, with these; who is not here is not answered.
  var values: [String: Int64] = [:]
  /// What counters have seen.
  var pulses: [LineID: PulseCount] = [:]

  // What has come out, since it was taken.
  var said: [String] = []
  var packets: [(link: LinkID, packet: Packet)] = []
  var closings: [(link: LinkID, attempt: Link.AttemptNumber, closing: Link.Closing)] = []
  var orders: [Order] = []
  var notes: [Note] = []
  /// Servers that were asked whether they can be reached, and what they answer.
  var probed: [ServerAddress] = []
  var isFirstReachable = false

  /// The attempts that were begun last.
  var attempts: [LinkID: Link.AttemptNumber] = [:]
  /// Transports that are open.
  var open: [LinkID: Link.AttemptNumber] = [:]
  var connects: [Connect] = []
  var exit: Bool?
  private var pending: [Step] = []
  private var turnsNow = 0
  /// A rule was broken; once is enough to say so.
  private(set) var hasFailed = false

  enum Step {
    case event(Event)
    case packet(Packet, LinkID, Link.AttemptNumber)
  }

  init(
    seed: UInt64 = 1, plan: DevicePlan = .bench(), numbers: [String: StoredSequence] = [:],
    _ change: (inout Beginning) -> Void = { _ in }
  ) {
    let names = plan.streams.map(\.name)
    var allocator = SequenceAllocator(stored: numbers)
    allocator.register(names)
    var beginning = Beginning(plan: plan, isStored: true, numbers: allocator)
    beginning.state.epoch = 4
    beginning.state.instances = ["earlier"]
    var outbox = StoredOutbox()
    outbox.streams = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($0 + 1, $1) })
    (outbox.boot, outbox.boots) = (1, [1: 0])
    beginning.outbox = outbox
    beginning.boot = "boot"
    change(&beginning)
    store = ScriptedStore(beginning.outbox?.streams ?? [:])
    let at = Moment(
      boot: Self.start, wall: WallClock(instant: Self.start, sinceEpoch: .seconds(wallSeconds), isSynchronized: true),
      awake: .seconds(1000))
    core = Core(beginning, seed: seed, at: at)
  }

  var moment: Moment {
    let passed = Self.start.duration(to: now)
    return Moment(
      boot: now, wall: WallClock(instant: now, sinceEpoch: .seconds(wallSeconds) + passed, isSynchronized: true),
      awake: .seconds(1000) + passed - slept)
  }

  // MARK: Turns

  /// What happens in one turn, and all that follows from it at once.
  mutating func handle(_ events: Event...) {
    turn { core, moment in for event in events { core.handle(event, at: moment) } }
    settle()
  }

  mutating func receive(_ packet: Packet, on link: LinkID = .agent) {
    guard let attempt = open[link] else { return }
    let moment = moment
    turn { core, _ in core.receive(packet, on: link, attempt, at: moment) }
    settle()
  }

  @discardableResult
  mutating func turn<R>(_ body: (inout Core, Moment) -> R) -> R {
    let moment = moment
    let result = body(&core, moment)
    core.drain(at: moment)
    takeEffects()
    turnsNow += 1
    if turnsNow == 2000 { Issue.record("2000 turns at one moment: a busy loop") }
    if let deadline = core.deadline, deadline <= now, !hasFailed {
      hasFailed = true
      Issue.record("the deadline is \(deadline.duration(to: now)) in the past after a drain")
    }
    #expect(core.effects.isEmpty)
    return result
  }

  private mutating func settle() {
    while !pending.isEmpty, turnsNow < 2000 {
      let step = pending.removeFirst()
      turn { core, moment in
        switch step {
        case .event(let event): core.handle(event, at: moment)
        case .packet(let packet, let link, let attempt): core.receive(packet, on: link, attempt, at: moment)
        }
      }
    }
    pending = []
  }

  mutating func answer(_ step: Step) { pending.append(step) }

  /// Time passes, with a tick at each deadline on the way.
  mutating func advance(by duration: Duration, sourceLocation: SourceLocation = #_sourceLocation) {
    let end = now + duration
    var ticks = 0
    while let deadline = core.deadline, deadline <= end {
      if deadline > now { turnsNow = 0 }
      now = max(now, deadline)
      ticks += 1
      guard ticks < 20_000, turnsNow < 2000 else {
        return fail("it is called again and again", sourceLocation: sourceLocation)
      }
      handle(.tick)
    }
    if end > now { turnsNow = 0 }
    now = end
  }

  // MARK: What comes out

  private mutating func takeEffects() {
    while let wire = core.effects.nextWire() { take(wire) }
    if let (ticket, request) = core.effects.takeStore() {
      store.asked.append(request)
      if store.pending != nil { Issue.record("a second request while one is under way: \(request)") }
      store.pending = ticket
      if let result = store.result(of: request) { answerStore(result) } else { store.heldRequest = request }
    }
    notes += core.effects.takeNotes()
    for order in core.effects.takeOrders() { take(order) }
  }

  /// The store answers what it was asked; nil: as it answers when all is well.
  private mutating func answerStore(_ result: Result<StoreAnswer, StorageError>) {
    guard let ticket = store.pending else { return }
    store.pending = nil
    store.heldRequest = nil
    answer(.event(.stored(ticket, result)))
  }

  /// The request that is held is answered.
  mutating func answerStore(failing error: StorageError? = nil) {
    guard let request = store.heldRequest else { return fail("nothing is held") }
    answerStore(error.map { .failure($0) } ?? .success(store.answer(request)))
    settle()
  }

  private mutating func take(_ wire: Wire) {
    switch wire {
    case .open(let link, let attempt, let address, let version):
      attempts[link] = attempt
      server.dialled[link] = address
      server.versions[link] = version
      guard !server.hangs else { return }
      guard server.isReachable, server.unreachable[link] != address else {
        let loss = ConnectionLoss.unreachable(DevicePlan.server("a"), "no route")
        return answer(.event(.link(link, .failed(attempt, loss))))
      }
      open[link] = attempt
      answer(.event(.link(link, .opened(attempt, from: "10.0.0.2"))))
      answer(.event(.link(link, .ready(attempt))))
    case .send(let link, let packet):
      if case .connect(let connect) = packet { connects.append(connect) }
      packets.append((link, packet))
      if let line = packet.line { said.append((link == .homie ? "homie " : "") + line) }
      guard let attempt = open[link] else { return fail("a packet without a transport: \(packet)") }
      guard !server.closesSilently(on: packet, on: link) else {
        open[link] = nil
        return answer(.event(.link(link, .closed(attempt, received: false))))
      }
      for answer in server.answers(packet, on: link) { self.answer(.packet(answer, link, attempt)) }
    case .close(let link, let attempt, let closing):
      closings.append((link, attempt, closing))
      guard open[link] == attempt else { return }
      if case .atOnce = closing { said.append((link == .homie ? "homie " : "") + "cut") }
      if closing == .atOnce || server.closesWhenAsked { close(link) }
    case .agreed: break
    case .probe(let link, let attempt, let server):
      probed.append(server)
      answer(.event(.link(link, .probed(attempt, isReachable: isFirstReachable))))
    }
  }

  /// The transport ends.
  private mutating func close(_ link: LinkID) {
    guard let attempt = open.removeValue(forKey: link) else { return }
    answer(.event(.link(link, .closed(attempt, received: true))))
  }

  private mutating func take(_ order: Order) {
    orders.append(order)
    switch order {
    case .read(let sensors):
      let samples = sensors.compactMap { sensor in
        values[sensor.text].map { Sample.bench(sensor.text, $0, at: now) }
      }
      if !samples.isEmpty { answer(.event(.samples(samples))) }
    case .watch(let lines) where answersLines:
      let reports = lines.indices.map {
        LineReport(line: LineID(place: $0), content: .found("line \($0)", pulses: 0), time: now)
      }
      answer(.event(.lines(reports, isFinished: false)))
    case .count(let lines):
      answer(.event(.counted(pulses.filter { lines.contains($0.key) })))
    case .hold(let output, _, let level, _):
      drive(output, .held(level, description: "line"))
    case .drive(let output, let level, let number) where number > 0 && drivesOutputs:
      drive(output, .driven(number: number, readBack: level))
    case .release(let output, _): drive(output, .released)
    case .stopWatching where answersLines: answer(.event(.lines([], isFinished: true)))
    case .exit(let isClean):
      if exit != nil { Issue.record("it ends twice") }
      exit = isClean
    default: break
    }
  }
}

extension CoreBench {
  private mutating func drive(_ output: OutputID, _ content: DriverReport.Content) {
    answer(.event(.driven([DriverReport(output: output, content: content, time: now)])))
  }

  /// What outputs were driven to, oldest first.
  var isDriven: [Bool] {
    orders.compactMap { if case .drive(_, let level, let number) = $0, number > 0 { level.isOn } else { nil } }
  }

  /// Messages of the server that were acknowledged.
  var acknowledged: [UInt16] {
    packets.compactMap { if case .puback(let answer) = $0.packet { answer.packetIdentifier.rawValue } else { nil } }
  }

  /// What was published elsewhere than below the own topics: topic and payload.
  var answers: [String] {
    packets.compactMap { $0.packet.message }.filter { !"\($0.topic)".hasPrefix("limpet/") }.map {
      "\($0.topic) \(String(buffer: $0.payload))"
    }
  }

  /// The agent's own word.
  var nonce: String? {
    packets.compactMap { $0.packet.message }.last { "\($0.topic)".hasSuffix("/fence/set") }.map {
      String(buffer: $0.payload)
    }
  }
}

func fail(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
  Issue.record("\(text)", sourceLocation: sourceLocation)
}

/// In tests the time of the last pulse seldom counts.
extension PulseCount: ExpressibleByIntegerLiteral {
  public init(integerLiteral pulses: UInt64) { self.init(pulses: pulses) }
}
