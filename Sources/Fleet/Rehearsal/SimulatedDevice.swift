import Core
import LimpetInstants
import LimpetPlatform
import MQTT
import MQTTCore
import Measuring
import NIOCore
import Plan
import Presence
import Readings
import Records

/// A device without a board: the agent's own core and its connection, with invented sensors, and without store, lines
/// and outputs. It replaces the agent's shell, and lives on the fleet's event loop.
///
/// When it ends, its process ends too: the next one is a new core, which begins with the state that a store would have.
final class SimulatedDevice: CarrierOwner, @unchecked Sendable {
  enum Life { case runs, isFrozen, isGone }

  let index: Int
  private(set) var core: Core
  private(set) var life = Life.runs
  /// Readings that earlier lives have lost.
  private(set) var losses: UInt64 = 0
  private unowned let fleet: SimulatedFleet
  /// One for each life: attempts are numbered from the start in each.
  private var carrier: Carrier
  private var attempt: Link.AttemptNumber = 0
  /// A message whose acknowledgement is waited for, one at a time, and when it was sent.
  private var sample: (identifier: PacketIdentifier, sent: BootClock.Instant)?
  private var isTurnOpen = false
  private var isPerforming = false
  private var hasNews = false
  private var wasOnline = false
  private(set) var hasBeenOnline = false
  private var hasSaidFarewell = false

  init(_ index: Int, _ plan: DevicePlan, _ fleet: SimulatedFleet, at now: Moment) {
    self.index = index
    self.fleet = fleet
    let beginning = Beginning(plan: plan, isStored: false, numbers: Self.numbers(plan, [:]))
    core = Core(beginning, seed: fleet.random(), at: now)
    carrier = Carrier(fleet.transports(of: index), eventLoop: fleet.eventLoop)
  }

  private static func numbers(_ plan: DevicePlan, _ stored: [String: UInt64]) -> SequenceAllocator {
    var numbers = SequenceAllocator(
      stored: stored.mapValues { StoredSequence(next: $0, exact: true) }, reservesBlocks: false)
    numbers.register(plan.streams.map(\.name))
    return numbers
  }

  // MARK: Lives

  func start() { happens(.start) }

  var isIdle: Bool { core.unsent == 0 }
  /// Nothing more follows from it.
  var hasEnded: Bool { life != .runs }
  var isOnline: Bool { wasOnline }
  /// By stream, the number after the last.
  var nextNumbers: [UInt64] {
    let numbers = core.nextNumbers
    return core.plan.streams.map { numbers[$0.name] ?? 1 }
  }
  /// Readings that were taken, and that no broker will get.
  var lostReadings: UInt64 { losses + core.countedLosses + (hasEnded ? UInt64(core.unsent) : 0) }

  /// The process dies, and the kernel closes what it had open.
  func crash() { leave(.isGone) }

  /// It hangs, and its connection stays.
  func freeze() {
    carrier.pauseReading(true)
    life = .isFrozen
    fleet.timetable.set(index, nil)
  }

  /// The clean shutdown.
  func stop() { happens(.asked(.stopBecause(.shutdown))) }

  private func leave(_ life: Life) {
    self.life = life
    carrier.close(attempt, .atOnce)
    fleet.timetable.set(index, nil)
    sample = nil
    wasOnline = false
  }

  /// Another process, with the state that a store would have of the one before.
  func startAgain(at now: Moment) {
    leave(.runs)
    losses += core.countedLosses
    var plan = core.plan
    let earlier = plan.presence.instance
    plan.presence = PresenceMessages(
      plan.presence, status: plan.presence.status, presence: plan.presence.presence, instance: fleet.instance())
    var beginning = Beginning(plan: plan, isStored: false, numbers: Self.numbers(plan, core.nextNumbers))
    beginning.state.epoch = core.epoch
    beginning.state.instances = [earlier]
    beginning.session.owner = core.sessionOwner
    core = Core(beginning, seed: fleet.random(), at: now)
    carrier = Carrier(fleet.transports(of: index), eventLoop: fleet.eventLoop)
    attempt = 0
    hasSaidFarewell = false
    start()
  }

  // MARK: Turns

  func tick() { happens(.tick) }

  private func happens(_ event: consuming Event) {
    isTurnOpen = true
    handle(event)
    endTurn()
  }

  private func handle(_ event: consuming Event) {
    guard life == .runs else { return }
    hasNews = true
    core.handle(event, at: fleet.moment())
    perform()
    scheduleTurn()
  }

  private func scheduleTurn() {
    guard !isTurnOpen else { return }
    isTurnOpen = true
    fleet.eventLoop.execute { if self.isTurnOpen { self.endTurn() } }
  }

  private static let drains = 4

  private func endTurn() {
    isTurnOpen = true
    guard life == .runs else {
      isTurnOpen = false
      return
    }
    let now = fleet.moment()
    for _ in 0..<Self.drains {
      hasNews = false
      core.drain(at: now)
      perform()
      guard hasNews else { break }
    }
    carrier.flush()
    isTurnOpen = false
    if hasNews { scheduleTurn() }
    guard life == .runs else { return }
    fleet.timetable.set(index, core.deadline)
    fleet.wakeUp(for: core.deadline, at: now.boot)
    reportState(at: now.boot)
  }

  private func reportState(at now: BootClock.Instant) {
    if core.isSayingFarewell, !hasSaidFarewell {
      hasSaidFarewell = true
      fleet.saidFarewell(index, at: now)
    }
    let hasAnswer = core.birthAnswer == .acknowledged || core.plan.presence.qos == .atMostOnce
    let isOnline = core.isConnected && hasAnswer && !core.isLeaving
    guard isOnline != wasOnline else { return }
    wasOnline = isOnline
    hasBeenOnline = hasBeenOnline || isOnline
    if isOnline { fleet.isOnline(index, at: now) } else if !core.isLeaving { fleet.lost(index, at: now) }
  }

  // MARK: Effects

  private func perform() {
    guard !isPerforming else { return }
    isPerforming = true
    while life == .runs, core.hasEffects {
      while let wire = core.effects.nextWire() { perform(wire) }
      if let (ticket, _) = core.effects.takeStore() {
        let error = StorageError(.closed, attempt: "use the store", file: "", message: "there is none")
        handle(.stored(ticket, .failure(error)))
      }
      for note in core.effects.takeNotes() { fleet.take(note, of: index) }
      for order in core.effects.takeOrders() { perform(order) }
    }
    isPerforming = false
  }

  private func perform(_ wire: consuming Wire) {
    switch consume wire {
    case .send(_, let packet):
      switch packet {
      case .publish(let publish): sent(publish)
      case .pingreq: fleet.sentPing()
      default: break
      }
      carrier.write(packet)
    case .open(_, let attempt, let server, let version):
      self.attempt = attempt
      fleet.version = version
      carrier.open(attempt, server, version, for: self)
    case .close(_, let attempt, let closing): carrier.close(attempt, closing)
    case .probe(_, let attempt, let server): carrier.probe(attempt, server)
    case .agreed(_, let limits):
      carrier.connected(limits)
      fleet.keepAlive = limits.keepAlive
    }
  }

  private func perform(_ order: Order) {
    switch order {
    case .read(let sensors): handle(.samples(sensors.map { fleet.sample(of: $0) }))
    case .publishHealth:
      core.publishHealth(fleet.facts(of: core.plan.device), at: fleet.moment())
      hasNews = true
    case .findStopReason: handle(.asked(.stopBecause(.shutdown)))
    case .exit:
      leave(.isGone)
      fleet.hasEnded(index)
    case .count, .watch, .rewatch, .stopWatching, .hold, .drive, .release, .secure, .answer, .look, .notify,
      .writeMetrics,
      .markAlive:
      break
    }
  }

  private func sent(_ publish: Publish) {
    fleet.sent(publish)
    if sample == nil, let identifier = publish.packetIdentifier { sample = (identifier, .now) }
  }

  private func received(_ packet: Packet) {
    guard let sample else { return }
    switch packet {
    case .puback(let answer), .pubrec(let answer):
      guard answer.packetIdentifier == sample.identifier else { return }
      fleet.acknowledgements.add(sample.sent.duration(to: .now))
      self.sample = nil
    default: break
    }
  }

  // MARK: CarrierOwner

  /// Events of an earlier life's transport are dropped.
  private func concerns(_ carrier: Carrier) -> Bool { carrier === self.carrier && life == .runs }

  func stage(for carrier: Carrier) -> ConnectionStage { core.stage(.agent) }

  func carrier(_ carrier: Carrier, did event: Link.Event, endsTurn: Bool) {
    guard concerns(carrier) else { return }
    if case .opened(let number, _) = event, let refusal = fleet.refusal(of: carrier, index) {
      return happens(.link(.agent, .failed(number, refusal)))
    }
    if case .closed = event { sample = nil }
    if endsTurn { happens(.link(.agent, event)) } else { handle(.link(.agent, event)) }
  }

  func carrier(_ carrier: Carrier, hasRead attempt: Link.AttemptNumber, endsTurn: Bool) {
    guard concerns(carrier) else { return }
    takePackets(attempt)
    if endsTurn { endTurn() }
  }

  func carrierEndsTurn(_ carrier: Carrier) { if concerns(carrier) { endTurn() } }

  private func takePackets(_ attempt: Link.AttemptNumber) {
    isTurnOpen = true
    hasNews = true
    let now = fleet.moment()
    guard core.takesPackets(.agent) else {
      return handle(.link(.agent, .malformed(attempt, .protocolError("bytes before CONNECT"))))
    }
    do throws(PacketError) {
      while life == .runs, core.takesPackets(.agent), let packet = try carrier.nextPacket() {
        received(packet)
        core.receive(packet, on: .agent, attempt, at: now)
        perform()
      }
    } catch { handle(.link(.agent, .malformed(attempt, error))) }
  }
}
