import MQTTCore
import Measuring

extension Effects {
  /// While the agent has an outage of its own, the reminders of that are enough.
  mutating func remindLessOfHomie() {
    for index in notes.indices {
      guard case .homieLost(let loss, let delay, .reminder(let age, let attempts, _)) = notes[index] else { continue }
      notes[index] = .homieLost(
        loss, retryAfter: delay, .reminder(after: age, attempts: attempts, isMilestone: false))
    }
  }
}

/// From what is asked of the Homie device to an output, and back.
extension Core {
  /// What waits in a socket while the process or the machine stands still looks live.
  mutating func doubtCommands(at now: Moment) {
    conversation.doubtCommands(at: now, due: deadline)
    homie.doubtCommands(at: now, due: deadline)
  }

  mutating func receiveForHomie(_ packet: Packet, _ attempt: Link.AttemptNumber, at now: Moment) {
    homie.receive(packet, attempt, at: now, into: &conversation.effects)
    for heard in homie.takeHeard() {
      let asker = Asker.homie(heard.delivery, name: heard.name)
      if let objection = objection(to: heard) {
        conversation.acting.outputs.refuse(objection, of: heard.name, asker, at: now.boot)
      } else if let value = heard.wanted, let command = Command(homie: value) {
        take(command, value, heard, asker, at: now)
      }
    }
  }

  private mutating func take(
    _ command: Command, _ value: Value, _ heard: HomieCommands.Heard, _ asker: Asker, at now: Moment
  ) {
    let message = heard.delivery.message
    let before = conversation.acting.outputs.effects.count
    conversation.acting.outputs.take(
      command, of: heard.name, from: asker, heard.arrival, until: message.expiry(at: now.boot), at: now)
    let isRefused = conversation.acting.outputs.effects[before...].contains { effect in
      if case .answer(asker, .refused) = effect { true } else { false }
    }
    if !isRefused { homie.accepted(heard.name, message.payload, value) }
  }

  private func objection(to heard: HomieCommands.Heard) -> Objection? {
    if let objection = heard.objection { return objection }
    if conversation.watching.conflict.rival != nil { return Objection(.conflict, Conversation.rivalRefusal) }
    guard heard.wanted == nil else { return nil }
    return Objection(.malformed, "it is not a value of this property; send one that $description allows")
  }

  /// Before any state is published: `$target` comes first, and never has a refused value.
  mutating func targetHomie(_ effects: [Outputs.Effect]) {
    guard homie.current != nil else { return }
    for case .answer(.homie(_, let name), .refused) in effects { homie.refused(name) }
    let outputs = conversation.acting.outputs
    homie.setTargets { outputs.target(of: $0) }
  }
}

extension Command {
  fileprivate init?(homie value: Value) {
    switch value {
    case .flag(let isOn): self.init(isOn ? .on : .off)
    case .number(let number): self.init(.number(number))
    default: return nil
    }
  }
}

extension Outputs {
  /// The target of an output: the level that waits for its time, or the level it has; nil: it is not held.
  func target(of name: String) -> Value? {
    guard let place = entries.firstIndex(where: { $0?.output.plan.name == name }), let output = entries[place]?.output,
      output.isHeld
    else { return nil }
    guard let pending = output.pending else { return value(place, output.ordered) }
    return value(place, pending.isOn ? output.base.level : .off)
  }
}
