import DequeModule
import LimpetInstants
import MQTTCore
import Measuring
import Outbox
import Plan
import Readings

/// All outputs: their commands, which of them exclude each other, and their states to publish.
struct Outputs: Sendable {
  typealias Instant = BootClock.Instant

  /// What is to be done about it, in this order.
  enum Effect: Sendable, Equatable {
    /// - adopts: a line that is driven already stays as it is.
    case hold(OutputID, OutputPlan, OutputLevel, adopts: Bool)
    case drive(OutputID, OutputLevel, number: UInt64)
    case release(OutputID, OutputEnd)
    /// What is left behind of it, should this process die, is something else from now on.
    case secure(OutputID, OutputEnd)
    case publish(UnnumberedReading)
    case answer(Asker, CommandAnswer)
    case note(OutputNote)
  }

  /// An answer that waits until the driver has said so.
  struct Waiting: Sendable {
    let number: UInt64
    let asker: Asker
    let id: String?
    /// Until when it waits; nil: until it is driven, or cannot be.
    var until: Instant?
  }

  /// All that belongs to one output.
  struct Entry: Sendable {
    var output: Output
    var number: UInt64 = 0
    var waiting: [Waiting] = []
    /// The level for the driver's next request, as it was ordered last.
    var requested = OutputLevel.off
    /// Of commands.
    var bucket: TokenBucket
    /// What the newest command wants kept for the next start, once it is driven.
    var plainWish: Bool?
    /// The last that had an id, with what they were answered.
    var answered: Deque<(id: String, answer: CommandAnswer)> = []
    /// Commands that were refused, each kind for itself: what is said of one in the log does not depend on others.
    var refusals: [Objection.Kind: UInt64] = [:]
    /// When the state may be published again because of one.
    var republishAt: Instant?
    var publishedAt: Instant?
    /// The state that was published last, so that it can be published again.
    var last: Reading.Content?
    /// What is read back is another value.
    var doubt: Doubt?
    var tally = OutputTally()
    /// It is on its way.
    var ramp: Ramp?
  }

  /// By place; nil: no output has it.
  var entries: [Entry?] = []
  /// Places of outputs that were let go of, and have not said so.
  var leaving: Set<Int> = []
  var effects: [Effect] = []
  /// The last plain on or off of those that begin with it, by name.
  var plain: [String: Bool]
  var storedPlain: [String: Bool]
  private(set) var hasBegun = false
  var isReleasing = false
  /// A rule as it was before it was mended.
  var mutation: Mutation?
  /// Some output has partners, or had.
  private(set) var isInterlocked = false
  /// Commands that were refused since the start, also for outputs that are gone, or never were.
  var refused: [Objection.Kind: UInt64] = [:]
  /// From when on the time without a word of the controller counts; by place, of its heartbeat.
  var heartbeats: [Int: Instant] = [:]

  init(_ plans: [OutputPlan], plain: [String: Bool], at now: Instant) {
    let names = Set(plans.map(\.name))
    self.plain = plain.filter { names.contains($0.key) }
    storedPlain = plain
    for plan in plans { add(plan, at: now) }
  }

  @discardableResult
  mutating func add(_ plan: OutputPlan, at now: Instant) -> Int {
    let output = Output(plan, restored: plain[plan.name], hasBegun ? .reload : .start, at: now)
    let place = entries.indices.first { entries[$0] == nil && !leaving.contains($0) } ?? entries.count
    let entry = Entry(output: output, bucket: bucket(plan, at: now))
    if place < entries.count { entries[place] = entry } else { entries.append(entry) }
    heartbeats[place] = now
    interlocks(plan)
    return place
  }

  mutating func interlocks(_ plan: OutputPlan) { if !plan.rules.interlock.isEmpty { isInterlocked = true } }

  var isEmpty: Bool { entries.allSatisfy { $0 == nil } && leaving.isEmpty }

  var hasEffects: Bool { mutating get { !effects.isEmpty } }

  mutating func takeEffects() -> [Effect] {
    defer { effects = [] }
    return effects
  }

  /// Asks for all of them.
  mutating func begin(at now: Instant) {
    guard !hasBegun else { return }
    hasBegun = true
    for place in entries.indices { hold(place, at: now) }
    settle(at: now)
  }

  mutating func hold(_ place: Int, at now: Instant) {
    guard let output = entries[place]?.output else { return }
    let level = requestLevel(place, at: now) ?? .off
    entries[place]?.requested = level
    effects.append(.hold(OutputID(place: place), output.plan, level, adopts: output.adopts))
  }

  private func requestLevel(_ place: Int, at now: Instant) -> OutputLevel? {
    entries[place]?.output.requestLevel(hasPartners: hasPartners(place), at: now)
  }

  /// Gives the driver the level for the next request of outputs that it does not have: the wanted level may have
  /// changed since then.
  private mutating func ask(at now: Instant) {
    for place in entries.indices where entries[place]?.isUnheld == true && !leaving.contains(place) {
      guard let level = requestLevel(place, at: now), level != entries[place]?.requested else { continue }
      ask(place, level)
    }
  }

  private mutating func ask(_ place: Int, _ level: OutputLevel) {
    entries[place]?.requested = level
    effects.append(.drive(OutputID(place: place), level, number: 0))
  }

  // MARK: What the driver says

  mutating func take(_ report: DriverReport, at now: Instant) {
    let place = report.output.place
    if case .released = report.content {
      leaving.remove(place)
      if entries.indices.contains(place) { entries[place] = nil }
      heartbeats[place] = nil
      return settle(at: now)
    }
    guard entries.indices.contains(place), entries[place] != nil else { return }
    switch report.content {
    case .held(let readBack, let description): held(place, readBack, description, at: report.time)
    case .failed(let reason): failed(place, reason, at: report.time)
    case .driven(let number, let readBack): driven(place, number, readBack, at: report.time)
    case .released: break
    }
    settle(at: now)
  }

  private mutating func held(_ place: Int, _ readBack: OutputLevel?, _ description: String, at time: Instant) {
    guard let entry = entries[place], !entry.output.isHeld else { return }
    let output = entry.output
    let isAdopted = output.adopts
    // The line may have been taken before the driver got the newest level: the level it reads is what counts.
    var level = entry.requested
    if let readBack, isAdopted || !output.isStopping && readBack.isOn != level.isOn { level = readBack }
    entries[place]?.output.held(level, isAdopted: isAdopted, at: time)
    entries[place]?.ramp = nil
    effects.append(.note(.held(name: output.plan.name, description: description)))
    // One that is let go of may have been read before it got what it is left with.
    publish(
      place, Output.Demand(level: level, cause: entries[place]?.output.cause ?? .start),
      readBack: output.isStopping ? nil : readBack, at: time)
  }

  private mutating func failed(_ place: Int, _ reason: String, at time: Instant) {
    guard let output = entries[place]?.output else { return }
    if case .failed(reason) = output.holding { return }
    entries[place]?.output.failed(reason, restored: plain[output.plan.name])
    entries[place]?.ramp = nil
    entries[place]?.plainWish = nil
    effects.append(.note(.failed(name: output.plan.name, reason: reason)))
    add(.bad(reason), of: place, at: time)
    refuseWaiting(place, reason)
    // What the next request is made with: the driver forgets it with the line. There is none for one that is let go of.
    if !leaving.contains(place), let level = requestLevel(place, at: time) { ask(place, level) }
  }

  /// Nothing of what they wait for comes any more.
  mutating func refuseWaiting(_ place: Int, _ reason: String) {
    let waiting = entries[place]?.waiting ?? []
    entries[place]?.waiting = []
    for waiting in waiting { answer(place, waiting, .refused(reason, nil)) }
  }

  private mutating func driven(_ place: Int, _ number: UInt64, _ readBack: OutputLevel?, at time: Instant) {
    guard let demand = entries[place]?.output.driven(number, at: time) else { return }
    publish(place, demand, readBack: readBack, at: time)
    let value = value(place, demand.level)
    let doubt = entries[place]?.doubt
    if demand.cause == .command, doubt == nil { keepPlain(place, demand.level) }
    let waiting = entries[place]?.waiting ?? []
    entries[place]?.waiting = waiting.filter { $0.number > number }
    for waiting in waiting where waiting.number <= number {
      if waiting.number < number {
        answer(place, waiting, .refused(Self.overtaken, value))
      } else if let doubt {
        answer(place, waiting, .refused(doubt.reason, value))
      } else {
        answer(place, waiting, .done(value))
      }
    }
  }

  /// What was commanded, and has become so, is what it begins with the next time.
  mutating func keepPlain(_ place: Int, _ level: OutputLevel) {
    guard let entry = entries[place], entry.plainWish == level.isOn else { return }
    entries[place]?.plainWish = nil
    plain[entry.output.plan.name] = level.isOn
  }

  func value(_ place: Int, _ level: OutputLevel) -> Value? { entries[place]?.output.plan.value(of: level) }

  // MARK: States to publish

  /// The state as it is.
  private mutating func publish(
    _ place: Int, _ state: Output.Demand, readBack: OutputLevel?, at time: Instant
  ) {
    guard let output = entries[place]?.output else { return }
    var doubt: Doubt?
    let value = output.plan.value(of: state.level)
    if let readBack, readBack.isOn != state.level.isOn || abs(readBack.percent - state.level.percent) > 1 {
      doubt = Doubt(.bad, "limpet drove it to \(value), and it reads back as \(output.plan.value(of: readBack))")
      if doubt != entries[place]?.doubt, let doubt {
        effects.append(.note(.differs(name: output.plan.name, reason: doubt.reason)))
      }
    }
    entries[place]?.doubt = doubt
    let published = Reading.Output(value: value, cause: state.cause, doubt: doubt)
    let last = entries[place]?.last
    entries[place]?.tally.published(published, after: last)
    add(.output(published), of: place, at: time)
  }

  mutating func add(_ content: Reading.Content, of place: Int, at time: Instant) {
    guard let stream = entries[place]?.output.plan.stream else { return }
    entries[place]?.last = content
    entries[place]?.publishedAt = time
    entries[place]?.republishAt = nil
    effects.append(.publish(UnnumberedReading(stream: stream, content: content, unit: unit(place), time: time)))
  }

  private func unit(_ place: Int) -> String? { entries[place]?.output.plan.isSwitch == false ? "%" : nil }

  // MARK: Time

  /// Those that it names, and those that name it.
  func partners(of place: Int) -> [Output.Partner] {
    guard isInterlocked, let own = entries[place]?.output.plan else { return [] }
    return entries.indices.compactMap { other in
      guard other != place, let output = entries[other]?.output else { return nil }
      let isPartner =
        own.rules.interlock.contains(output.plan.name) || output.plan.rules.interlock.contains(own.name)
      guard isPartner else { return nil }
      var partner = output.partner()
      if mutation == .offCountsWhenOrdered { (partner.isOn, partner.isGoingOff) = (output.ordered.isOn, false) }
      return partner
    }
  }

  private func hasPartners(_ place: Int) -> Bool { !partners(of: place).isEmpty }

  mutating func elapse(_ place: Int, at now: Instant) { entries[place]?.output.elapse(at: now) }

  /// What is due by now, all ways off before any way on.
  mutating func settle(at now: Instant) {
    for place in entries.indices {
      elapse(place, at: now)
      republish(place, at: now)
    }
    for isOn in [false, true] {
      for place in entries.indices {
        let partners = partners(of: place)
        // Who goes off in this turn has been ordered to by then.
        if isOn, !partners.isEmpty { entries[place]?.output.giveWay(to: partners) }
        guard let demand = entries[place]?.output.decide(partners, at: now), demand.level.isOn == isOn || isOn else {
          continue
        }
        drive(place, demand, at: now)
      }
    }
    for place in entries.indices { step(place, at: now) }
    answerLate(at: now)
    guard hasBegun else { return }
    ask(at: now)
    release()
  }

  /// Answers those that wait no longer.
  private mutating func answerLate(at now: Instant) {
    for place in entries.indices where entries[place]?.hasLate(at: now) == true {
      let late = entries[place]?.waiting.filter { $0.isLate(at: now) } ?? []
      entries[place]?.waiting.removeAll { $0.isLate(at: now) }
      for waiting in late { answer(place, waiting, .refused(Self.unanswered, nil)) }
    }
  }

  /// - Parameter heard: when the last byte of the broker came; nil: that counts for nothing, since a rival may have had
  ///   it.
  mutating func listen(_ heard: Instant?, at now: Instant) {
    for place in entries.indices {
      guard let output = entries[place]?.output, let lost = output.plan.rules.lost else { continue }
      if lost.heartbeat == nil, let heard { heartbeats[place] = max(heartbeats[place] ?? heard, heard) }
      guard let last = heartbeats[place] else { continue }
      if last + lost.after <= now {
        if !output.isLost { effects.append(.note(.controllerLost(name: output.plan.name, after: lost.after))) }
        entries[place]?.output.lose()
      } else {
        entries[place]?.output.find()
      }
    }
    settle(at: now)
  }

  /// A message on the topic of some outputs' heartbeat.
  mutating func heartbeat(on topic: String, at now: Instant) {
    for place in entries.indices where entries[place]?.output.plan.rules.lost?.heartbeat == topic {
      heartbeats[place] = now
      entries[place]?.output.find()
    }
  }

  var deadline: Instant? {
    var first: Instant?
    for (place, entry) in entries.enumerated() {
      guard let entry else { continue }
      let lostAt =
        entry.output.isLost
        ? nil
        : entry.output.plan.rules.lost.flatMap { lost in
          heartbeats[place].map { $0 + lost.after }
        }
      first = earliest(
        first, entry.output.deadline, entry.ramp?.nextAt, entry.republishAt, lostAt,
        entry.waiting.lazy.compactMap(\.until).min())
    }
    return first
  }

  /// An output that is held, and did not get in time what it had to: no other output, and no restart of a connection,
  /// mends that.
  func overdue(at now: Instant) -> String? {
    entries.lazy.compactMap { $0?.output }.first { $0.isOverdue(at: now) }?.plan.name
  }

  /// Outputs that cannot be driven now.
  var failing: Int { entries.count { if case .failed? = $0?.output.holding { true } else { false } } }
  /// Commands that were refused, by the word for the reason: each from the start, so that a rate can be made of the first.
  var refusals: [String: UInt64] {
    guard !entries.isEmpty || !refused.isEmpty else { return [:] }
    return Dictionary(uniqueKeysWithValues: Objection.Kind.allCases.map { ($0.rawValue, refused[$0] ?? 0) })
  }
}
