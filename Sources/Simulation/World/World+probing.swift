import Core
import JSON
import LimpetInstants
import MQTTCore
import Measuring
import NIOCore
import Plan

/// At the end of a run, when all is well: outputs are commanded, and have to follow.
extension World {
  /// Every output is commanded at the broker that the device is connected to.
  mutating func probe(_ kind: ActionKind) {
    guard oracles.failure == nil, boards[0].isRunning, boards[0].core.isConnected,
      let server = boards[0].core.server
    else { return }
    // What was sent 20 s ago has been done.
    if kind == .commandOn { checkProbe() }
    if kind == .commandSwap { return touchOutputs(Action(at: .zero, .commandSwap)) }
    let broker = boards[0].device.index(of: server)
    for plan in boards[0].device.outputs.plans {
      guard let index = OutputSettings.index(plan.name) else { continue }
      // QoS 1, with the time.
      let action = Action(at: .zero, kind, target: UInt32(index), value: 8 + 1)
      let command = commander.give(action, truth: Timestamp(microseconds: truth / 1000))
      bring(broker: broker, .publish(command.message, by: Commander.client))
    }
  }

  /// Off was commanded, and nothing but `lost` or what has to stay on speaks against it.
  private mutating func checkProbe() {
    guard !oracles.hadTwin else { return }
    if let reason = boards[0].core.commandsAreRefused, !oracles.hasSubscribingTrouble {
      return oracles.fail("I9", "all is well, and commands are refused: \(reason)", at: now)
    }
    guard boards[0].core.commandsAreRefused == nil, !oracles.hasSubscribingTrouble else { return }
    for case let output? in oracles.outputs.outputs where output.endsSince == nil {
      guard output.heldAt != nil else {
        return oracles.fail("I9", "all is well, and \(output.name) is not held", at: now)
      }
      let isExcused =
        oracles.outputs.isLost(output, at: now - .seconds(20)) || output.orderedAt + output.rules.minOn > now
        || !boards[0].clock.isSynchronized || output.rules.ramp > .seconds(10)
      if output.ordered.isOn, !isExcused {
        return oracles.fail("I9", "all is well, and \(output.name) does not go off", at: now)
      }
    }
  }

  /// Each line has what was ordered, and the broker keeps that.
  mutating func checkOutputsAtRest() {
    guard oracles.outputs.isWatching, oracles.failure == nil, let server = boards[0].core.server else { return }
    let broker = boards[0].device.index(of: server)
    for (place, output) in oracles.outputs.outputs.enumerated() {
      guard let output, output.endsSince == nil else { continue }
      guard output.heldAt != nil else {
        return oracles.fail("I9", "all is well, and \(output.name) is not held", at: now)
      }
      // A ramp may be under way.
      let isMoving = output.rules.ramp > .zero && oracles.outputs.hasMoved(output, within: .seconds(1), at: now)
      guard boards[0].bench.isIdle(place), !isMoving, output.number == output.reported || output.reported == 0 else {
        continue
      }
      let level = oracles.outputs.level(output)
      guard level == output.ordered else {
        return oracles.fail("I9", "\(output.name) is at \(level.percent), and not \(output.ordered.percent)", at: now)
      }
      guard !oracles.hadTwin, !oracles.hasHidden, !oracles.hasSentUnheard, boards[0].core.unsent == 0,
        // A broker that said it keeps nothing is given nothing to keep.
        boards[0].core.isRetaining, !boards[0].core.hasRestingTopics, !oracles.presence[broker].hasAmnesia,
        output.orderedAt + .seconds(15) < now
      else { continue }
      let topic = DeviceModel.topicName("limpet/\(DeviceModel.name)/r/\(output.name)")
      guard let kept = brokers[broker].retainedMessage(topic, at: now),
        case .object(let fields)? = JSONValue(parsing: kept.payload.readableBytesView)
      else { return oracles.fail("I9", "the broker keeps no state of \(output.name)", at: now) }
      let percent: Double? =
        switch fields.first(where: { $0.name == "value" })?.value {
        case .flag(let isOn)?: isOn ? 100 : 0
        case .integer(let number)?: Double(number)
        case .number(let number)?: number
        default: nil
        }
      guard percent == level.percent else {
        return oracles.fail(
          "I9", "the broker keeps \(String(buffer: kept.payload)), and \(output.name) is at \(level.percent)", at: now)
      }
    }
  }
}
