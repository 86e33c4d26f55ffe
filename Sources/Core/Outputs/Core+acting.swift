import LimpetInstants
import Plan

/// From what an output is asked for to the driver, and from what the driver says to a reading and an answer.
extension Core {
  mutating func driven(_ reports: [DriverReport], at now: Moment) {
    for report in reports { conversation.acting.outputs.take(report, at: now.boot) }
  }

  mutating func commanded(
    _ name: String, _ command: Result<Command, Command.Flaw>, _ number: UInt64, at now: Moment
  ) {
    switch command {
    case .success(let command):
      conversation.acting.outputs.take(command, of: name, from: .local(number), .live, at: now)
    case .failure(let flaw):
      conversation.acting.outputs.refuse(
        Objection(.malformed, flaw.text), of: name, .local(number), at: now.boot)
    }
  }

  mutating func madeSafe(_ asked: [(name: String, number: UInt64)], at now: Moment) {
    conversation.acting.outputs.makeSafe(asked.map { ($0.name, .local($0.number)) }, at: now)
  }

  mutating func carryOutActs(at now: Moment) {
    let acts = conversation.acting.outputs.takeEffects()
    targetHomie(acts)
    for effect in acts {
      switch effect {
      case .hold(let output, let plan, let level, let adopts):
        effects.orders.append(.hold(output, plan, level, adopts: adopts))
      case .drive(let output, let level, let number): effects.orders.append(.drive(output, level, number: number))
      case .release(let output, let end): effects.orders.append(.release(output, end))
      case .secure(let output, let end): effects.orders.append(.secure(output, end))
      case .publish(let reading): accept(reading)
      case .answer(.homie(let delivery, _), _): homie.answered(delivery, at: now, into: &conversation.effects)
      case .answer(let asker, let answer): conversation.answer(asker, answer, at: now)
      case .note(let note): effects.notes.append(.output(note))
      }
    }
  }

  /// What the outputs get at the end, and then nobody holds them.
  mutating func stopActing(at now: Moment) {
    conversation.acting.outputs.stop(at: now.boot)
    carryOutActs(at: now)
  }
}
