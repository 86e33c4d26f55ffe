import Core
import LimpetInstants
import Measuring
import Plan
import Readings

/// What may be the reason of a change, and what has to be by now.
extension OutputWatch {
  func reasonsForOn(_ place: Int, at now: WorldTime) -> [OutputCause] {
    guard let output = outputs[place] else { return [] }
    let rules = output.rules
    var causes: [OutputCause] = []
    if stopsSince != nil || output.endsSince != nil, rules.stop == .on { causes += [.stop, .reload] }
    if output.safeSince != nil, rules.stop == .on { causes.append(.stop) }
    if rules.lost?.isOn == true, output.lostAt != nil || isLost(output, at: now) { causes.append(.lost) }
    let begins = rules.start == .on || rules.start == .restore && commands.everOn.contains(output.name)
    if begins, output.mayBegin { causes += [.start, .returned, .reload] }
    if output.candidates.contains(where: { $0.wants(true, of: output) })
      || output.overtaken.contains(where: { $0.at == now && $0.wants(true, of: output) })
    {
      causes.append(.command)
    }
    return causes
  }

  /// For these nothing has to stay on for a while.
  func urgentReasonsForOff(_ place: Int, at now: WorldTime) -> [OutputCause] {
    guard let output = outputs[place] else { return [] }
    let rules = output.rules
    var causes: [OutputCause] = []
    if stopsSince != nil { causes.append(.stop) }
    if output.endsSince != nil { causes.append(.reload) }
    if output.safeSince != nil { causes.append(.stop) }
    if let lost = rules.lost, !lost.isOn, output.lostAt != nil || isLost(output, at: now) { causes.append(.lost) }
    if let maxOn = rules.maxOn, onSince(output, at: now) + Self.least(maxOn) <= now { causes.append(.maxOn) }
    let isForbidden = partners(of: place).contains { partner in
      guard let other = outputs[partner] else { return false }
      // Reports of one moment are taken one after the other.
      return other.heldAt.map { $0 == now } ?? true || other.ordered.isOn || level(other).isOn
        || other.number > other.reported
    }
    if isForbidden { causes.append(.interlock) }
    return causes
  }

  func otherReasonsForOff(_ place: Int, at now: WorldTime) -> [OutputCause] {
    guard let output = outputs[place] else { return [] }
    var causes: [OutputCause] = []
    if let pulse = output.rules.pulse, onSince(output, at: now) + Self.least(pulse) <= now { causes.append(.pulse) }
    let isOver = output.candidates.contains { candidate in
      candidate.duration.map { candidate.at + Self.least($0) <= now } ?? false
    }
    if isOver || output.forEnd.map({ $0 <= now }) ?? false { causes.append(.for) }
    if output.candidates.contains(where: { $0.wants(false, of: output) }) { causes.append(.command) }
    if output.rules.start != .on, output.mayBegin { causes += [.start, .returned] }
    return causes
  }

  /// Since when it is on, at the earliest: while nobody knows that it is off, it counts as on. What an earlier process has
  /// left on begins with this one.
  private func onSince(_ output: Output, at now: WorldTime) -> WorldTime {
    // A ramp begins before its first step.
    let ordered = output.rules.ramp > .zero ? output.orderedAt - .milliseconds(60) : output.orderedAt
    guard let line = lines[output.request], line.level.isOn else { return ordered }
    return min(max(line.changedAt, startedAt), ordered)
  }

  /// It was the reason: what came before it has no say any more.
  mutating func use(_ place: Int, isOn: Bool, _ number: UInt64, at now: WorldTime) {
    guard let output = outputs[place] else { return }
    // A toggle may be about what another command made of it in the same turn.
    let plain = output.candidates.lastIndex { $0.wanted != .toggle && $0.wants(isOn, of: output) }
    guard let index = plain ?? output.candidates.firstIndex(where: { $0.wants(isOn, of: output) }) else { return }
    var used = output.candidates[index]
    used.order = number
    commands.used(used)
    outputs[place]?.candidates.removeSubrange(..<index)
    outputs[place]?.candidates[0] = used
    obeyed(place, used, at: now)
  }

  /// A command has the say from now on: its time begins here, where it had to wait for one.
  mutating func obeyed(_ place: Int, _ candidate: Candidate, at now: WorldTime) {
    guard let output = outputs[place] else { return }
    outputs[place]?.forEnd = output.rules.pulse == nil ? candidate.duration.map { now + Self.least($0) } : nil
    outputs[place]?.mayBegin = false
    outputs[place]?.safeSince = nil
    outputs[place]?.lostAt = nil
    if candidate.wanted != .off, candidate.wanted != .number(0) { commands.everOn.insert(output.name) }
  }

  // MARK: What has to be by now

  mutating func check(at now: WorldTime) {
    guard isWatching, !isAsleep, failure == nil else { return }
    for place in outputs.indices {
      guard let output = outputs[place], !output.isReleased else { continue }
      if isLost(output, at: now), output.lostAt == nil { outputs[place]?.lostAt = now }
      guard let heldAt = output.heldAt, output.endsSince == nil, stopsSince == nil else { continue }
      let since = max(heldAt, wokeAt, output.rulesSince)
      guard since + Self.slack < now, output.ordered.isOn else { continue }
      if let text = overdue(place, output, since, at: now) { return fail(text, at: now) }
    }
  }

  /// Why it has to be off by now.
  private func overdue(_ place: Int, _ output: Output, _ since: WorldTime, at now: WorldTime) -> String? {
    let rules = output.rules
    let isSafelyOn = output.safeSince != nil && rules.stop == .on
    // What an earlier process has left on may be counted from when this one holds it.
    let isLeft = (lines[output.request]?.changedAt).map { $0 <= startedAt } ?? false
    let on = max(onSince(output, at: now), isLeft ? output.firstHeldAt ?? now : startedAt)
    if let maxOn = rules.maxOn, on + maxOn + Self.slack < now, !isSafelyOn {
      return "\(output.name) is on for \(on.duration(to: now)) (max_on)"
    }
    if let pulse = rules.pulse, on + pulse + rules.ramp + Self.slack < now, !isSafelyOn {
      return "\(output.name) is on for \(on.duration(to: now)) (pulse)"
    }
    if let lost = rules.lost, !lost.isOn, lastHeard(output) + lost.after + Self.slack < now, !isSafelyOn {
      return "\(output.name) is on \(lastHeard(output).duration(to: now)) after its controller was heard (lost)"
    }
    if let end = output.forEnd, end + rules.ramp + Self.slack < now, output.lostAt == nil, output.safeSince == nil,
      output.candidates.count <= 1
    {
      return "\(output.name) is on \(end.duration(to: now)) after its time was over (for)"
    }
    if let safe = output.safeSince, rules.stop != .on, max(safe, since) + Self.slack < now,
      output.candidates.isEmpty
    {
      return "\(output.name) is on \(safe.duration(to: now)) after it was to be made safe"
    }
    for partner in partners(of: place) {
      guard let other = outputs[partner] else { continue }
      guard other.heldAt != nil else {
        if max(other.missedAt, since) + Self.slack < now {
          return "\(output.name) is on while \(other.name) is not held (interlock)"
        }
        continue
      }
      if level(output).isOn, level(other).isOn, max(other.rulesSince, since) + Self.slack < now, other.ordered.isOn {
        return "\(output.name) and \(other.name) are on (interlock)"
      }
    }
    return nil
  }

  // MARK: The end

  mutating func releases(_ place: Int, _ end: OutputEnd, at now: WorldTime) {
    guard outputs.indices.contains(place), let output = outputs[place] else {
      return fail("place \(place) is let go of, and nothing is there", at: now)
    }
    outputs[place]?.isReleased = true
    guard output.endsSince != nil || stopsSince != nil else {
      return fail("\(output.name) is let go of, and nobody wants that", at: now)
    }
    let isRight =
      switch (output.rules.stop, end) {
      case (.off, .level(let level)): !level.isOn
      // Off where a rule has spoken against on.
      case (.on, .level): true
      // One that is removed is made safe; a stop may have come before.
      case (.keep, .level(let level)): output.endsSince != nil && !level.isOn
      case (.keep, .untouched): stopsSince != nil
      default: false
      }
    if !isRight { fail("\(output.name) is left as \(end), with stop: \(output.rules.stop)", at: now) }
    let isKept = output.rules.stop == .keep && stopsSince != nil
    if output.rules.stop != .on, !isKept, output.heldAt != nil, output.ordered.isOn {
      fail("\(output.name) is let go of while it is on, with stop: off", at: now)
    }
  }

  // MARK: After a turn

  /// Every change has a cause, and is published with it.
  mutating func turned(at now: WorldTime, published: (String) -> Reading.Content?) {
    guard isWatching else { return }
    for place in outputs.indices where outputs[place]?.isNews == true {
      guard let output = outputs[place] else { continue }
      outputs[place]?.isNews = false
      guard output.endsSince == nil, output.heldAt != nil else { continue }
      guard case .output(let state)? = published(output.name) else {
        return fail("\(output.name) is driven, and its state is not published", at: now)
      }
      // A drive that is under way behind that is published in its time.
      guard output.number <= output.reported || output.number == 0 else { continue }
      guard output.causes.contains(state.cause) else {
        let causes = output.causes.map(\.rawValue).joined(separator: ", ")
        let cause = state.cause.rawValue
        return fail("\(output.name) is published with the cause \(cause); possible are \(causes)", at: now)
      }
    }
  }
}

extension OutputWatch.Candidate {
  /// It would make it so.
  func wants(_ isOn: Bool, of output: OutputWatch.Output) -> Bool {
    guard order == nil else { return false }
    switch wanted {
    case .on: return isOn
    case .off: return !isOn
    case .toggle: return true
    case .number(let number): return isOn == (number > 0)
    }
  }
}
