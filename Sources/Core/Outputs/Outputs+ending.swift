import LimpetInstants
import LimpetText
import Measuring
import Plan
import Readings

/// Outputs that are made safe, let go of, or taken over by another configuration.
extension Outputs {
  // MARK: The end

  /// All of them get what `stop` says, and are let go of once they have it.
  mutating func stop(at now: Instant) {
    isReleasing = true
    for place in entries.indices { entries[place]?.output.stop() }
    settle(at: now)
  }

  /// Those that have what they were to be left with: what is asked of an output before it has it would overtake that.
  mutating func release() {
    for place in entries.indices {
      guard entries[place]?.mayLeave == true, let output = entries[place]?.output, leaving.insert(place).inserted else {
        continue
      }
      effects.append(.release(OutputID(place: place), output.leftWith))
    }
  }

  /// Nothing is held any more, or nothing ever was.
  var isReleased: Bool { !hasBegun || isReleasing && entries.allSatisfy { $0 == nil } || entries.isEmpty }

  // MARK: Safe

  /// All of them get what `stop` says, and are held on: somebody wants them to be safe. Nothing but a partner and
  /// `min_off` speaks against it; a fan that is given back at the end is left as it is.
  ///
  /// - Parameter askers: by name; each is answered.
  mutating func makeSafe(_ askers: [(name: String, asker: Asker)], at now: Moment) {
    var asked: [(place: Int, asker: Asker)] = []
    for (name, asker) in askers {
      guard let place = place(of: name) else {
        effects.append(.answer(asker, .refused("there is no output \(quoted(name))", nil)))
        continue
      }
      if entries[place]?.output.plan.rules.stop != .automatic {
        elapse(place, at: now.boot)
        entries[place]?.output.makeSafe()
        entries[place]?.plainWish = nil
      }
      asked.append((place, asker))
    }
    settle(at: now.boot)
    for (place, asker) in asked {
      if let number = entries[place]?.number { supersede(place, before: number) }
      answerSafe(place, asker, at: now)
    }
  }

  private mutating func answerSafe(_ place: Int, _ asker: Asker, at now: Moment) {
    guard let entry = entries[place] else { return }
    let (output, waiting) = (entry.output, Waiting(number: entry.number, asker: asker, id: nil))
    let value = value(place, output.ordered)
    guard output.plan.rules.stop != .automatic else { return answer(place, waiting, .done(value)) }
    switch output.holding {
    case .pending: answer(place, waiting, .refused("limpet does not hold its line yet", nil))
    case .failed(let reason): answer(place, waiting, .refused(reason, nil))
    case .held where output.isUnderWay:
      entries[place]?.waiting.append(
        Waiting(number: entry.number, asker: asker, id: nil, until: now.boot + Self.safePatience))
    case .held where output.ordered == output.plan.rules.safe: answer(place, waiting, .done(value))
    case .held:
      guard let pending = output.pending else {
        return answer(place, waiting, .refused("an interlocked output forbids it (interlock)", value))
      }
      answer(place, waiting, .pending(value, isOn: pending.isOn, at: now.wall.time(of: pending.at)))
    }
  }

  /// How long one that is driven may take: the others are answered with it.
  private static let safePatience = Duration.seconds(5)

  // MARK: The store

  var hasUnstored: Bool { plain != storedPlain }

  /// What the store has otherwise.
  var unstored: [String: Bool] { plain.filter { storedPlain[$0.key] != $0.value } }

  /// Names that the store has, and that no output has any more.
  var forgotten: [String] { storedPlain.keys.filter { plain[$0] == nil }.sorted() }

  /// The store has these, and none of those.
  mutating func stored(_ outputs: [String: Bool], without forgotten: [String]) {
    for name in forgotten { storedPlain[name] = nil }
    storedPlain.merge(outputs) { $1 }
  }

  /// This is what a store has that was opened late, or began anew.
  mutating func found(_ stored: [String: Bool]) {
    storedPlain = stored
    for (name, isOn) in stored where plain[name] == nil && place(of: name) != nil { plain[name] = isOn }
  }

  // MARK: Another configuration

  /// Takes other outputs: who keeps its name and its request goes on, by the new rules; all others are let go of, safe,
  /// before the new ones are asked for.
  mutating func adopt(_ plans: [OutputPlan], at now: Instant) {
    var new = plans
    for place in entries.indices {
      guard let output = entries[place]?.output, !output.isStopping else { continue }
      if let index = new.firstIndex(where: { $0.name == output.plan.name && $0.request == output.plan.request }) {
        adopt(new.remove(at: index), place, at: now)
        continue
      }
      entries[place]?.output.stop(.reload)
      if let end = entries[place]?.output.endToLeave, end != output.plan.end {
        effects.append(.secure(OutputID(place: place), end))
      }
      refuseWaiting(place, "the output was removed")
    }
    settle(at: now)
    for name in plain.keys where !plans.contains(where: { $0.name == name }) { plain[name] = nil }
    for plan in new {
      let place = add(plan, at: now)
      if hasBegun { hold(place, at: now) }
    }
    settle(at: now)
  }

  private mutating func adopt(_ plan: OutputPlan, _ place: Int, at now: Instant) {
    guard let old = entries[place]?.output.plan else { return }
    entries[place]?.output.adopt(plan, restored: plain[plan.name])
    interlocks(plan)
    // Nobody has listened to another heartbeat so far.
    if let lost = plan.rules.lost, lost.heartbeat != nil, lost.heartbeat != old.rules.lost?.heartbeat {
      heartbeats[place] = now
    }
    if plan.rules.maxRate != old.rules.maxRate {
      let bucket = bucket(plan, at: now)
      entries[place]?.bucket = bucket
    }
    if hasBegun, plan.end != old.end { effects.append(.secure(OutputID(place: place), plan.end)) }
  }

  func bucket(_ plan: OutputPlan, at now: Instant) -> TokenBucket {
    TokenBucket(rate: plan.rules.maxRate, burst: plan.rules.maxRate, at: now.nanoseconds)
  }
}

extension Output {
  /// What is left behind of it: on only where no rule has spoken against that.
  fileprivate var leftWith: OutputEnd {
    guard case .level(let level) = endToLeave, level.isOn, !ordered.isOn else { return endToLeave }
    return .level(.off)
  }

  /// What is to be left behind: nothing is kept of one that is removed.
  fileprivate var endToLeave: OutputEnd {
    isRemoved && plan.rules.stop == .keep ? .level(plan.rules.safe) : plan.end
  }
}

extension OutputPlan {
  /// What is left behind.
  package var end: OutputEnd {
    switch rules.stop {
    case .off: .level(.off)
    case .on: .level(rules.on)
    case .keep: .untouched
    case .automatic: .former
    }
  }
}
