import LimpetInstants
import LimpetText
import Measuring
import Plan
import Readings

/// What somebody asks of an output, and what is answered.
extension Outputs {
  /// Somebody asks something of an output.
  ///
  /// - Parameters:
  ///   - expiry: when it means nothing any more (MQTT 5).
  mutating func take(
    _ command: Command, of name: String, from asker: Asker, _ arrival: Arrival, until expiry: Instant? = nil,
    at moment: Moment
  ) {
    let now = moment.boot
    guard let place = place(of: name) else { return refuseUnknown(name, asker) }
    if let id = command.id, let known = entries[place]?.answered.first(where: { $0.id == id }) {
      effects.append(.answer(asker, known.answer))
      return
    }
    if let id = command.id, let first = entries[place]?.waiting.first(where: { $0.id == id }) {
      return join(first, place, asker, at: now)
    }
    elapse(place, at: now)
    do throws(Objection) {
      let level = try level(place, command, arrival, at: moment)
      try obey(place, level, command, asker, until: expiry, at: moment)
    } catch {
      refuse(place, error, asker, command.id, at: now)
      settle(at: now)
    }
  }

  /// It is under way under its id: who sends it again gets the answer that the first one gets.
  private mutating func join(_ first: Waiting, _ place: Int, _ asker: Asker, at now: Instant) {
    guard let entry = entries[place], entry.waiting.count < Self.waitingLimit else {
      return effects.append(.answer(asker, .refused(Self.unanswered, nil)))
    }
    entries[place]?.waiting.append(
      Waiting(number: first.number, asker: asker, id: nil, until: Self.patience(of: asker).map { now + $0 }))
  }

  /// Over the control socket nobody waits for longer than 10 s; to a message the answer comes when there is one.
  private static func patience(of asker: Asker) -> Duration? {
    if case .local = asker { .seconds(8) } else { nil }
  }

  /// It was no command, or one that is refused whatever it asks for.
  mutating func refuse(_ objection: Objection, of name: String, _ asker: Asker, at now: Instant) {
    guard let place = place(of: name) else { return refuseUnknown(name, asker) }
    refuse(place, objection, asker, nil, at: now)
    settle(at: now)
  }

  /// - Parameter name: foreign text.
  mutating func refuseUnknown(_ name: String, _ asker: Asker) {
    let reason = "there is no output \(quoted(name))"
    let count = count(.unknownOutput)
    effects.append(.note(.refused(name: nil, reason: reason, count: count)))
    effects.append(.answer(asker, .refused(reason, nil)))
  }

  /// - Returns: how many there were of this kind.
  @discardableResult
  private mutating func count(_ kind: Objection.Kind) -> UInt64 {
    refused[kind, default: 0] += 1
    return refused[kind] ?? 0
  }

  /// One that is about to be let go of is none any more where another has taken its name.
  func place(of name: String) -> Int? {
    entries.firstIndex { $0?.output.plan.name == name && $0?.output.isStopping == false }
      ?? entries.firstIndex { $0?.output.plan.name == name }
  }

  /// What it is to be driven to.
  private mutating func level(
    _ place: Int, _ command: Command, _ arrival: Arrival, at moment: Moment
  ) throws(Objection) -> OutputLevel {
    let partners = partners(of: place)
    guard let level = try entries[place]?.level(of: command, arrival, partners, at: moment) else {
      throw Objection(.unknownOutput, "the output was removed")
    }
    return level
  }

  private mutating func obey(
    _ place: Int, _ level: OutputLevel, _ command: Command, _ asker: Asker, until expiry: Instant?, at moment: Moment
  ) throws(Objection) {
    let now = moment.boot
    try entries[place]?.obey(level, for: command.duration, until: expiry, at: now)
    settle(at: now)
    answer(place, command, asker, at: moment)
  }

  /// Answers what has become of a command, or lets it wait for the driver.
  private mutating func answer(_ place: Int, _ command: Command, _ asker: Asker, at moment: Moment) {
    guard let number = entries[place]?.newest else { return }
    let until = Self.patience(of: asker).map { moment.boot + $0 }
    let waiting = Waiting(number: number, asker: asker, id: command.id, until: until)
    supersede(place, before: number)
    switch entries[place]?.progress {
    case .waits(let pending, let level)?:
      let at = moment.wall.time(of: pending.at)
      answer(place, waiting, .pending(value(place, level), isOn: pending.isOn, at: at))
    case .ramps(let ramp)?:
      let value = value(place, ramp.level(at: moment.boot))
      answer(place, waiting, .pending(value, isOn: ramp.to.isOn, at: moment.wall.time(of: ramp.end)))
    case .isUnderWay?: entries[place]?.waiting.append(waiting)
    case .isThere(let level)?:
      keepPlain(place, level)
      answer(place, waiting, .done(value(place, level)))
    case nil: break
    }
  }

  /// The newest command replaces those whose level is not on its way yet.
  mutating func supersede(_ place: Int, before number: UInt64) {
    guard entries[place]?.hasWaiting == true, let entry = entries[place] else { return }
    func isOlder(_ waiting: Waiting) -> Bool { waiting.number < number && !entry.output.isUnderWay(waiting.number) }
    let older = entry.waiting.filter(isOlder)
    guard !older.isEmpty else { return }
    entries[place]?.waiting.removeAll(where: isOlder)
    for waiting in older { answer(place, waiting, .refused(Self.overtaken, value(place, entry.output.ordered))) }
  }

  static let overtaken = "another command came"
  static let unanswered = "its driver does not answer"
  /// Commands for one level that wait until the driver says that it is there.
  static let waitingLimit = 64

  private mutating func refuse(
    _ place: Int, _ objection: Objection, _ asker: Asker, _ id: String?, at now: Instant
  ) {
    guard let entry = entries[place] else { return }
    let value = entry.output.isHeld ? value(place, entry.output.ordered) : nil
    count(objection.kind)
    let count = (entry.refusals[objection.kind] ?? 0) + 1
    entries[place]?.refusals[objection.kind] = count
    effects.append(.note(.refused(name: entry.output.plan.name, reason: objection.text, count: count)))
    answer(
      place, Waiting(number: 0, asker: asker, id: id),
      .refused(objection.text, value, retryAfter: objection.retryAfter))
    // A switch on a screen snaps back; at most once a second, and not before there is a state.
    if entry.last != nil, entry.republishAt == nil {
      entries[place]?.republishAt = max(now, (entry.publishedAt ?? now) + .seconds(1))
    }
    republish(place, at: now)
  }

  mutating func republish(_ place: Int, at now: Instant) {
    guard let last = entries[place]?.republished(at: now) else { return }
    add(last, of: place, at: now)
  }

  mutating func answer(_ place: Int, _ waiting: Waiting, _ answer: CommandAnswer) {
    effects.append(.answer(waiting.asker, answer))
    entries[place]?.tally.commands[answer.result, default: 0] += 1
    guard let id = waiting.id else { return }
    entries[place]?.answered.append((id, answer))
    if (entries[place]?.answered.count ?? 0) > Self.answeredLimit { entries[place]?.answered.removeFirst() }
  }

  /// Ids that are remembered of each output.
  private static let answeredLimit = 64
}
