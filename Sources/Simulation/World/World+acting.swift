import Core
import LimpetInstants
import MQTTCore
import Measuring
import NIOCore
import Plan

/// What is done with outputs: who commands them, what the core has done to them, and what happens to their chips.
extension World {
  // MARK: The core's orders

  mutating func act(_ order: Order, _ index: Int) {
    if index == 0 { oracles.outputs.orders(order, at: now) }
    switch order {
    case .hold(let output, let plan, let level, let adopts):
      boards[index].bench.hold(output.place, plan, level, adopts: adopts, at: now)
    case .drive(let output, let level, let number):
      boards[index].bench.ask(output.place, .drive(level, number: number))
    case .secure(let output, let end): boards[index].bench.ask(output.place, .secure(end))
    case .release(let output, let end): boards[index].bench.ask(output.place, .release(end))
    default: break
    }
    trace.note(10, at: now, UInt64(index), 0, "board \(index): \(order)")
  }

  /// The event that the core is about to get.
  mutating func noteActing(_ event: Event, _ index: Int) {
    switch event {
    case .driven(let reports):
      boards[index].bench.taken(reports.map(\.output.place))
      if index == 0 { oracles.outputs.hears(reports, at: now) }
    case .commanded(let name, _, let number):
      if index == 0 { oracles.outputs.asked(name, commander[number], clockFace, at: now) }
    case .madeSafe: if index == 0 { oracles.outputs.makesSafe(at: now) }
    default: break
    }
  }

  /// The first board is about to take a packet.
  mutating func noteActing(_ packet: Packet, on id: ConnectionID) {
    guard oracles.outputs.isWatching else { return }
    let hasRival = boards[0].core.hasRival
    oracles.outputs.heard(isSure: oracles.isSpeaking(on: id), hasRival: hasRival, at: now)
    guard case .publish(let publish) = packet else { return }
    let known = GivenCommand.number(of: publish.message.properties).flatMap { commander[$0] }
    oracles.outputs.delivered(publish, known, on: id, hasRival: hasRival, clockFace, at: now)
  }

  private var clockFace: OutputWatch.ClockFace {
    OutputWatch.ClockFace(
      wall: boards[0].clock.wall(at: now) / 1000, isSynchronized: boards[0].clock.isSynchronized)
  }

  // MARK: The driver

  mutating func drive(_ index: Int) {
    boards[index].bench.tick(at: now, into: &benchEffects)
    carryOutBench(index)
  }

  private mutating func carryOutBench(_ index: Int) {
    guard !benchEffects.isEmpty else { return }
    let effects = benchEffects
    benchEffects.removeAll(keepingCapacity: true)
    for effect in effects {
      switch effect {
      case .report(let place, let content):
        let boot = boards[index].clock.boot(at: now)
        bring(index, .driven([DriverReport(output: OutputID(place: place), content: content, time: boot)]))
      case .level(let request, let level):
        trace.note(
          11, at: now, UInt64(index), UInt64(level.percent), "board \(index): \(request) is at \(level.percent)")
        if index == 0 { oracles.outputs.changed(request, to: level, at: now) }
      }
    }
  }

  mutating func leaveOutputs(_ index: Int, isPower: Bool) {
    if isPower {
      boards[index].bench.losePower(into: &benchEffects)
    } else {
      boards[index].bench.processEnds(into: &benchEffects)
    }
    carryOutBench(index)
  }

  /// Brings the first board's chips to what the actions that last make of them.
  mutating func applyChips() {
    for chip in 0..<2 {
      let unplugged = isActive([.unplugChip], chip, of: 2)
      let hangs = isActive([.hangChip], chip, of: 2) != nil
      let fails = isActive([.failChip], chip, of: 2) != nil
      let slowness = Duration.milliseconds(Int64(isActive([.slowChip], chip, of: 2)?.value ?? 0))
      let now = now
      boards[0].bench.change(
        chip: chip,
        {
          $0.isThere = unplugged == nil
          if let unplugged { $0.losesPower = unplugged.value == 1 }
          $0.hangsSince = hangs ? $0.hangsSince ?? now : nil
          $0.fails = fails
          $0.slowness = slowness
        }, at: now, into: &benchEffects)
    }
    carryOutBench(0)
  }

  // MARK: Commands

  mutating func touchOutputs(_ action: Action) {
    let output = Int(action.target) % OutputSettings.most
    switch action.kind {
    case .commandOn, .commandOff, .commandToggle, .commandNumber, .commandFlawed:
      let command = commander.give(action, truth: Timestamp(microseconds: truth / 1000))
      publish(command.number)
      if command.isSentTwice { queue.push(.secondCommand(number: command.number), at: now + .seconds(1)) }
    case .commandSwap: swap(action)
    case .commandHere: commandHere(action, output)
    case .makeSafe:
      let names = boards[0].device.outputs.plans.map { (name: $0.name, number: UInt64.max) }
      bring(0, .madeSafe(names))
    case .unplugChip, .hangChip, .failChip, .slowChip: applyChips()
    case .reloadRules: reload { $0.outputs.variant += 1 }
    case .dropOutput: if output < boards[0].device.outputs.count { reload { $0.outputs.isLeftOut[output].toggle() } }
    case .moveOutput: if output < boards[0].device.outputs.count { reload { $0.outputs.moves[output] += 1 } }
    default: break
    }
  }

  /// One goes on, where its neighbour goes off: who moves a gate the other way does so.
  private mutating func swap(_ action: Action) {
    var parts = [action, action]
    (parts[0].kind, parts[1].kind) = (.commandOff, .commandOn)
    parts[1].target = action.target ^ 1
    for var part in parts {
      // QoS 1, with the time.
      part.value = 8 + 1
      publish(commander.give(part, truth: Timestamp(microseconds: truth / 1000)).number)
    }
  }

  /// Over the control socket.
  private mutating func commandHere(_ action: Action, _ output: Int) {
    let kinds: [ActionKind] = [.commandOn, .commandOff, .commandToggle, .commandNumber]
    var own = action
    own.kind = kinds[Int(action.value) % 4]
    own.value = action.value / 4 * (4 << 8 | 4)
    let given = commander.give(own, truth: Timestamp(microseconds: truth / 1000))
    guard let command = given.command else { return }
    bring(0, .commanded(OutputSettings.name(output), .success(command), given.number))
  }

  /// At the broker that the device is configured for first; where that is down the commander waits for it.
  mutating func publish(_ number: UInt64) {
    guard let command = commander[number] else { return }
    let broker = boards[0].device.servers[0] % brokers.count
    guard brokers[broker].isRunning else { return commander.waiting.append((broker, number)) }
    bring(broker: broker, .publish(command.message, by: Commander.client))
    if command.isRetained {
      // Somebody sees it, and takes it away.
      let empty = Message(topic: command.message.topic, payload: ByteBuffer(), qos: .atLeastOnce, retain: true)
      bring(broker: broker, .publish(empty, by: Commander.client))
    }
  }

  mutating func publishWaiting(_ broker: Int) {
    let numbers = commander.waiting.filter { $0.broker == broker }.map(\.number)
    commander.waiting.removeAll { $0.broker == broker }
    for number in numbers {
      if let command = commander[number] {
        bring(broker: broker, .publish(command.message, by: Commander.client))
      }
    }
  }

  mutating func sendHeartbeat() {
    queue.push(.heartbeat, at: now + .seconds(4))
    guard !active.contains(where: { script.actions[$0].kind == .controllerSilent }) else { return }
    let message = Message(topic: OutputSettings.heartbeat, payload: ByteBuffer(string: "alive"), qos: .atMostOnce)
    for broker in brokers.indices { bring(broker: broker, .publish(message, by: Commander.client)) }
  }
}

extension Board {
  /// When the driver of its outputs, or one of their chips, has something to do.
  /// Asked for in place, since a copy is far more than the answer.
  var driverDeadline: WorldTime? {
    mutating get { sleptSince == nil ? bench.deadline : nil }
  }
}
