import Core
import LimpetInstants
import MQTTCore
import Measuring
import NIOCore
import Plan

/// What a script has happen, and what that leads to.
extension World {
  mutating func take(_ happening: Happening) {
    switch happening {
    case .begin(let place): begin(place)
    case .end(let place):
      active.removeAll { $0 == place }
      end(script.actions[place])
    case .start(let board): start(board)
    case .opening(let board, let life): tickOpening(board, life: life)
    case .samples(let board, let life, let sensors):
      if boards[board].life == life, boards[board].isRunning { measured(board, sensors) }
    case .lines(let board, let life, let reports, let isFinished):
      if boards[board].life == life { bring(board, .lines(reports, isFinished: isFinished)) }
    case .edge(let board, let life): edge(board, life: life)
    case .bring(let board, let life, let event):
      guard boards[board].life == life else { return }
      if case .networkChanged = event { oracles.wakes(board, at: now) }
      bring(board, event)
    case .closed(let id): lost(id)
    case .synchronize(let board): synchronize(board)
    case .discipline: disciplineClock()
    case .wake(let board): wake(board)
    case .rollBack(let life): rollBack(life)
    case .terminate(let board, let life):
      if boards[board].life == life, boards[board].isRunning {
        oracles.asksToEnd(board, boards[board], at: now)
        bring(board, .asked(.stop))
      }
    case .heal: heal()
    case .secondCommand(let number): publish(number)
    case .heartbeat: sendHeartbeat()
    case .probe(let kind): probe(kind)
    }
  }

  private mutating func begin(_ place: Int) {
    let action = script.actions[place]
    changes[action.kind, default: 0] += 1
    trace.note(
      8, at: now, UInt64(place), 0, "--- \(action.kind.rawValue) target \(action.target) for \(action.duration)")
    oracles.changes(action, at: now)
    if action.kind.lasts {
      active.append(place)
      queue.push(.end(action: place), at: now + action.duration)
    }
    switch action.kind {
    case .cut, .cutSeenByClient, .cutSeenByBroker, .halfOpen, .stallLink, .trickle, .portRefused, .unreachable,
      .silentPort, .namesHang, .addressChange:
      touchLink(action)
    case .restart, .kill, .killForgetting, .rollback, .stallBroker, .receiveMaximum, .maximumQoS, .noRetain,
      .refuseConnect, .closeAfterConnack, .denyByCode, .denyByCodeAndClose, .denySilently, .denySubscribe,
      .closeOnSubscribe, .loseAcknowledgements, .loseSession, .stepBrokerClock:
      touchBroker(action)
    case .storeFails, .storeFull, .storeHangs, .storeHangsThenFails, .storeCorrupt, .storeEmptied, .crashBeforeCommit,
      .crashAfterCommit:
      touchStore(action)
    default: if action.kind.isOfOutputs { touchOutputs(action) } else { touchBoard(action) }
    }
  }

  /// What lasted is over.
  private mutating func end(_ action: Action) {
    trace.note(8, at: now, 1, 0, "--- \(action.kind.rawValue) is over")
    oracles.ends(action, at: now)
    switch action.kind {
    case .stallLink, .trickle, .portRefused, .unreachable, .silentPort, .namesHang: applyLinks()
    case .restart, .kill, .killForgetting, .stallBroker, .receiveMaximum, .maximumQoS, .noRetain, .refuseConnect,
      .closeAfterConnack, .denyByCode, .denyByCodeAndClose, .denySilently, .denySubscribe, .closeOnSubscribe,
      .loseAcknowledgements:
      applyBroker(Int(action.target) % brokers.count)
      // What it owes it never sends: with that its connections end.
      if action.kind == .loseAcknowledgements { cutAll(of: Int(action.target) % brokers.count) }
    case .storeFails, .storeFull, .storeHangs, .storeHangsThenFails: applyStore()
    case .upgrade: install(action)
    case .terminate, .killAgent, .crashBeforeCommit, .crashAfterCommit: start(0)
    case .powerCut: powerOn(0)
    case .twin: end(1, isPower: true)
    case .unplugChip, .hangChip, .failChip, .slowChip: applyChips()
    default: break
    }
  }

  /// The last action is over: what is still wrong is put right.
  private mutating func heal() {
    trace.note(8, at: now, 2, 0, "--- healed")
    if boards[0].isAsleep { wake(0) }
    if isTooEarly(0) { synchronize(0) }
    if boards[0].phase == .off { start(0) }
    oracles.heals(backlog: boards[0].core.unsent, at: now)
  }

  func isActive(_ kinds: Set<ActionKind>, _ target: Int, of count: Int) -> Action? {
    for place in active.reversed() {
      let action = script.actions[place]
      if kinds.contains(action.kind), Int(action.target) % count == target { return action }
    }
    return nil
  }

  // MARK: Links

  private mutating func touchLink(_ action: Action) {
    let broker = Int(action.target) % addresses
    switch action.kind {
    case .cut: network.cut(link: broker, at: now)
    case .cutSeenByClient: network.cut(link: broker, seenBy: [.client], at: now)
    case .cutSeenByBroker: network.cut(link: broker, seenBy: [.broker], at: now)
    case .halfOpen: network.makeHalfOpen(link: broker)
    case .addressChange:
      for link in 0..<addresses { network.makeHalfOpen(link: link) }
      boards[0].address += 1
      let addresses: Set<String> = ["10.0.0.\(boards[0].address)"]
      queue.push(
        .bring(board: 0, life: boards[0].life, .networkChanged(addresses)), at: now + chance(upTo: .seconds(1)))
    default: applyLinks()
    }
  }

  private mutating func cutAll(of broker: Int) {
    for address in 0..<addresses where self.broker(of: address) == broker { network.cut(link: address, at: now) }
  }

  mutating func applyLinks() {
    for link in 0..<2 * addresses {
      let address = link % addresses
      let count = addresses
      let reachability: Reachability =
        switch isActive([.portRefused, .unreachable, .silentPort, .namesHang], address, of: count)?.kind {
        case .portRefused: .refused
        case .unreachable: .unreachable
        case .silentPort: .silent
        case .namesHang: .hangingName
        default: brokers[broker(of: address)].isRunning ? .open : .refused
        }
      network.setReachability(reachability, link: link)
      if isActive([.stallLink], address, of: count) != nil {
        network.stall(link: link)
      } else {
        network.resume(link: link, at: now)
      }
      var traits = network.traits(link: link)
      traits.spacing = .milliseconds(Int64(isActive([.trickle], address, of: count)?.value ?? 0))
      network.setTraits(traits, link: link)
    }
  }

  // MARK: The store

  private mutating func touchStore(_ action: Action) {
    switch action.kind {
    case .storeCorrupt: boards[0].store.withContents { $0.isDamaged = true }
    case .storeEmptied: boards[0].store.withContents { $0.remove() }
    case .crashBeforeCommit: end(0, isPower: false, isCommitted: false)
    case .crashAfterCommit: end(0, isPower: false, isCommitted: true)
    default: applyStore()
    }
  }

  private mutating func applyStore() {
    let kinds: Set<ActionKind> = [.storeFails, .storeFull, .storeHangs, .storeHangsThenFails]
    let mood: StoreMood =
      switch isActive(kinds, 0, of: 1)?.kind {
      case .storeFails: .failing(.failed)
      case .storeFull: .failing(.full)
      case .storeHangs: .hanging
      case .storeHangsThenFails: .hangingThenFailing
      default: .fine
      }
    if boards[0].store.mood != mood { boards[0].store.setMood(mood, at: now) }
  }

  // MARK: The device and its operator

  private mutating func touchBoard(_ action: Action) {
    switch action.kind {
    case .clock1970: unsettle(SimulatedClock.epoch)
    case .stepClock:
      unsettle(boards[0].clock.wall(at: now) + Int64(Int32(bitPattern: action.value)) * 1_000_000_000)
    case .suspend:
      guard !boards[0].isAsleep else { return }
      boards[0].sleptSince = now
      oracles.outputs.isAsleep = true
      queue.push(.wake(board: 0), at: now + action.duration)
    case .edgeStorm: pulse(0, times: Int(min(action.value, 10_000)))
    case .reloadBroker: reload { $0.broker = ($0.broker + 1) % $0.brokers }
    case .reloadTopic: reload { $0.topic = ($0.topic + 1) % 3 }
    case .reloadNames: reload { $0.names += 1 }
    case .terminate, .upgrade: terminate(0)
    case .terminateTwice:
      terminate(0)
      queue.push(.terminate(board: 0, life: boards[0].life), at: now + chance(upTo: .seconds(3)))
      queue.push(.start(board: 0), at: now + .seconds(1) + chance(upTo: .seconds(60)))
    case .killAgent: end(0, isPower: false)
    case .powerCut: end(0, isPower: true)
    case .twin:
      guard boards[1].phase == .off else { return }
      boards[1].store = boards[0].store.cloned(seed.of(12, boards[1].life))
      boards[1].store.withContents { $0.endProcess() }
      boards[1].device = boards[0].device
      start(1)
    case .homeAssistantBirth:
      let message = Message(
        topic: DeviceModel.homeAssistantBirths, payload: ByteBuffer(string: "online"), qos: .atMostOnce)
      for broker in brokers.indices { bring(broker: broker, .publish(message, by: "homeassistant")) }
    default: break
    }
  }

  mutating func terminate(_ index: Int) {
    guard boards[index].phase != .off else { return }
    guard boards[index].isRunning else { return end(index, isPower: false) }
    queue.push(.terminate(board: index, life: boards[index].life), at: now)
  }

  /// A broker on the same machine has the same clock.
  mutating func setWall(_ index: Int, to wall: Int64, isSynchronized: Bool) {
    let before = boards[index].clock.wall(at: now)
    defer { if index == 0 { oracles.clockIsSet(isTooEarly: isTooEarly(0), at: now) } }
    boards[index].clock.setWall(to: wall, isSynchronized: isSynchronized, at: now)
    if index == 0, script.setting("shares-clock") == 1 {
      change(broker: 0) { broker, _, _ in broker.stepClock(by: .nanoseconds(wall - before)) }
      oracles.lastStep = now
    }
    oracles.wakes(index, at: now)
    bring(index, .clockJumped)
  }

  private mutating func unsettle(_ wall: Int64) {
    setWall(0, to: wall, isSynchronized: false)
    queue.push(.synchronize(board: 0), at: now + chances.duration(from: .seconds(1), to: .seconds(1800)))
  }

  private mutating func powerOn(_ index: Int) {
    guard boards[index].phase == .off else { return }
    boards[index].clock.restart(hasBattery: chances.number(below: 2) == 0, at: now)
    boards[index].slept = .zero
    boards[index].sleptSince = nil
    boards[index].boots += 1
    if index == 0 { oracles.clockIsSet(isTooEarly: isTooEarly(0), at: now) }
    queue.push(.synchronize(board: index), at: now + chances.duration(from: .seconds(1), to: .seconds(1800)))
    start(index)
  }

  private mutating func wake(_ index: Int) {
    guard let since = boards[index].sleptSince else { return }
    boards[index].sleptSince = nil
    boards[index].slept += since.duration(to: now)
    if index == 0 { oracles.outputs.wakes(after: since.duration(to: now), at: now) }
    oracles.wakes(index, at: now)
    bring(index, .clockJumped)
    goesOnOpening(index)
  }

  mutating func reload(_ body: (inout DeviceModel) -> Void) {
    // The next process begins with it.
    guard boards[0].isRunning else {
      // A process that reads its configuration at this moment would not see the change.
      guard boards[0].phase == .off else { return }
      body(&boards[0].device)
      return oracles.reloads(boards[0].device, at: now)
    }
    // A board that is suspended reads nothing, and nobody is there to ask it.
    guard !boards[0].isAsleep else { return }
    let old = boards[0].device
    body(&boards[0].device)
    let device = boards[0].device
    boards[0].reloads += 1
    // The operator's new configuration is read between two turns.
    let difference = Difference(
      names: [], renewsConnection: device.broker != old.broker || device.topic != old.topic, changesAttempts: false)
    var pulses: [LineID: PulseCount] = [:]
    for (place, line) in boards[0].lines.enumerated() {
      if let line, line.isFound, line.request.mode == .counter {
        pulses[LineID(place: place)] = PulseCount(pulses: line.pulses)
      }
    }
    let moment = boards[0].moment(at: now)
    oracles.reloads(boards[0].device, at: now)
    var plan = device.plan(instance: boards[0].instance)
    // What its id was made from is no matter of a configuration.
    plan.identity = nil
    let isLeaving = boards[0].core.isLeaving
    if boards[0].core.reload(plan, difference, pulses: pulses, at: moment) == nil, !isLeaving {
      oracles.fail("I8", "another configuration is not taken", at: now)
    }
    // A turn follows, which carries out what came of it.
    boards[0].turnAt = now
  }
}
