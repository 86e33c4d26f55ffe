import LimpetInstants
import Measuring
import Plan
import Readings

/// One output: what it has been given, what is wanted of it, and which rule has the say.
///
/// The rules stand in one order, and the first that speaks decides: the line is not held; a partner forbids on; it has to
/// stay off for a while; it is stopped or made safe; it has been on for as long as it may; its controller is lost; it has
/// to stay on for a while; a pulse or the time of a command is over; the newest command; what it begins with. Time is
/// CLOCK_BOOTTIME and goes on while the line is not held.
struct Output: Sendable {
  typealias Instant = BootClock.Instant

  struct Demand: Sendable, Equatable {
    var level: OutputLevel
    var cause: OutputCause
  }

  /// What it is driven to, from when that was ordered until the driver has said so.
  struct Drive: Sendable, Equatable {
    var number: UInt64
    var demand: Demand
    var orderedAt: Instant
    var dueAt: Instant
  }

  enum Holding: Sendable, Equatable {
    case pending
    case held
    case failed(String)
  }

  private var shared: SharedPlan
  /// What it came with: a start or a reload.
  private let beginning: OutputCause
  private(set) var holding = Holding.pending
  /// It was held once: what is found on its line from then on is its own doing.
  private(set) var wasHeld = false
  /// What it has, as far as that was ordered, and what that came of. What is not held is neither on nor off for its
  /// partners.
  private var given = Demand(level: .off, cause: .start)
  /// Ordered, and not reported: the newest last. The driver leaves out those that it has not begun when a newer one comes.
  private var underWay: [Drive] = []
  /// What the newest of command, end, loss or beginning wants.
  private(set) var base: Demand
  /// When the time of a command is over.
  private(set) var end: Instant?
  /// When a command that waits to go on has expired.
  private var expiry: Instant?
  /// When it was ordered on; nil: it is known to have gone off since.
  private(set) var onSince: Instant?
  /// When it went on last, for what has to stay on for a while: it may have been on before.
  private var onFrom: Instant
  /// When it is known to have been off last, from when it went there.
  private(set) var offSince: Instant
  private(set) var isLost = false
  /// Why it is let go of, or the process stops; nil: neither.
  private var stopCause: OutputCause?
  /// What waits for its time: when that is, and what it will be.
  private(set) var pending: (at: Instant, isOn: Bool)?

  /// - Parameters:
  ///   - restored: the last plain on or off, for `start: restore`.
  ///   - cause: what it comes with: a start or a reload.
  init(_ plan: OutputPlan, restored: Bool?, _ cause: OutputCause = .start, at now: Instant) {
    shared = SharedPlan(plan)
    beginning = cause
    base = Demand(level: .off, cause: cause)
    // The start of the process counts as just switched off.
    (offSince, onFrom) = (now, now)
    base.level = startLevel(restored: restored)
  }

  /// Behind one reference: it is most of what an output is, and is copied often.
  private final class SharedPlan: Sendable {
    let plan: OutputPlan
    init(_ plan: OutputPlan) { self.plan = plan }
  }

  var plan: OutputPlan { shared.plan }

  private func startLevel(restored: Bool?) -> OutputLevel {
    switch plan.rules.start {
    case .off: .off
    case .on: plan.rules.on
    // It may be of a time when it gave no pulses.
    case .restore: restored == true && plan.rules.pulse == nil ? plan.rules.on : .off
    }
  }

  var ordered: OutputLevel { given.level }
  /// What `ordered` came of.
  var cause: OutputCause { given.cause }
  var isHeld: Bool { holding == .held }
  var isStopping: Bool { stopCause != nil }
  /// As far as anybody knows: an order to go off counts when it was carried out.
  var isOn: Bool { onSince != nil }
  /// A reload has no place for it: it is made safe, whatever a stop of the process would leave.
  var isRemoved: Bool { stopCause == .reload }
  /// What it has is of an earlier process: `stop: keep` adopts what it finds, once. What a reload brings begins anew.
  var adopts: Bool { plan.rules.stop == .keep && beginning == .start && !wasHeld && !isRemoved }
  /// It was made safe, and nothing has been asked of it since.
  private var isMadeSafe: Bool { base.cause == .stop }

  // MARK: The line

  /// What it is requested with: on only where no rule could speak against it by then; nil: it is left as it was asked for.
  func requestLevel(hasPartners: Bool, at now: Instant) -> OutputLevel? {
    if isStopping {
      guard let level = stopLevel else { return nil }
      return mayBeginOn(hasPartners, at: now) ? level : .off
    }
    return mayBeginOn(hasPartners, at: now) ? base.level : .off
  }

  private func mayBeginOn(_ hasPartners: Bool, at now: Instant) -> Bool {
    guard plan.rules.minOff == .zero, !hasPartners else { return false }
    guard !isStopping, !isMadeSafe, let onSince else { return true }
    // Where it may still be on, its time runs.
    let longest = [plan.rules.maxOn, plan.rules.pulse].compactMap { $0 }.min()
    return longest.map { onSince + $0 > now } ?? true
  }

  /// The driver has it.
  ///
  /// - Parameters:
  ///   - level: what it was requested with, or was found with.
  ///   - isAdopted: it was left by an earlier process as it was, and found so.
  mutating func held(_ level: OutputLevel, isAdopted: Bool, at now: Instant) {
    holding = .held
    wasHeld = true
    underWay = []
    if isAdopted { base = Demand(level: level, cause: beginning) }
    // Where nobody has seen it off it counts as on since it was first ordered so.
    if level.isOn { (onSince, onFrom) = (onSince ?? now, now) } else { wentOff(at: now) }
    given = Demand(level: level, cause: stopCause ?? base.cause)
  }

  private mutating func wentOff(at now: Instant) {
    onSince = nil
    offSince = now
  }

  /// It is not held: its timers run on, and nothing waits for it. When it comes back it begins as at a start.
  mutating func failed(_ reason: String, restored: Bool?) {
    let isNews = holding == .pending || isHeld
    holding = .failed(reason)
    guard isNews else { return }
    given.level = .off
    underWay = []
    end = nil
    pending = nil
    expiry = nil
    guard !isStopping, !isLost, !isMadeSafe else { return }
    // Where it may still be on, what its limit has said holds.
    let hasEnded = isOn && base.cause == .maxOn
    base = Demand(level: hasEnded ? .off : startLevel(restored: restored), cause: .returned)
  }

  /// The driver has carried out an order; others may be under way behind it.
  ///
  /// - Returns: nil: it is of no interest any more.
  mutating func driven(_ number: UInt64, at now: Instant) -> Demand? {
    guard let index = underWay.firstIndex(where: { $0.number == number }) else { return nil }
    let demand = underWay[index].demand
    underWay.removeSubrange(...index)
    guard !demand.level.isOn, isOn else { return demand }
    wentOff(at: now)
    onSince = underWay.first { $0.demand.level.isOn }?.orderedAt
    return demand
  }

  /// Something was ordered that the driver has not reported.
  var isUnderWay: Bool { !underWay.isEmpty }
  func isUnderWay(_ number: UInt64) -> Bool { underWay.contains { $0.number == number } }

  // MARK: What is wanted

  mutating func stop(_ cause: OutputCause = .stop) { stopCause = stopCause ?? cause }

  /// It gets what `stop` says, and goes on: somebody wants it to be safe.
  mutating func makeSafe() {
    base = Demand(level: plan.rules.safe, cause: .stop)
    (end, expiry) = (nil, nil)
  }

  /// The controller was silent for as long as the rule says.
  mutating func lose() {
    guard !isLost, let lost = plan.rules.lost else { return }
    isLost = true
    guard !isMadeSafe else { return }
    (end, expiry) = (nil, nil)
    base = Demand(level: lost.isOn ? plan.rules.on : .off, cause: .lost)
  }

  /// The controller is back: that restores nothing.
  mutating func find() { isLost = false }

  /// Another configuration: changed limits apply to the time that has run.
  ///
  /// - Parameter restored: as for a beginning, which is all that is wanted of one that has not been held yet.
  mutating func adopt(_ plan: OutputPlan, restored: Bool?) {
    let beginsOtherwise = plan.rules.start != self.plan.rules.start || plan.rules.on != self.plan.rules.on
    shared = SharedPlan(plan)
    if plan.rules.lost == nil {
      isLost = false
      let cause = holding == .pending ? beginning : .returned
      if !isHeld, base.cause == .lost { base = Demand(level: startLevel(restored: restored), cause: cause) }
    }
    // No configuration puts on what was made safe by being off.
    if isMadeSafe, base.level.isOn { base.level = plan.rules.safe }
    if !isHeld, beginsOtherwise, [.start, .reload, .returned].contains(base.cause) {
      base.level = startLevel(restored: restored)
    }
  }

  /// The newest command, which nothing speaks against.
  ///
  /// - Parameter expiry: when it means nothing any more, should it still wait to go on.
  mutating func command(_ level: OutputLevel, for duration: Duration?, until expiry: Instant?, at now: Instant) {
    base = Demand(level: level, cause: .command)
    end = nil
    self.expiry = level.isOn ? expiry : nil
    if level.isOn, plan.rules.pulse == nil, let duration { end = now + duration }
  }

  // MARK: What it gets

  /// When on may be at the earliest, by `min_off`; nil: nobody knows, since it has not gone off yet.
  var onAllowedAt: Instant? {
    guard plan.rules.minOff > .zero else { return offSince }
    return isOn ? nil : offSince + plan.rules.minOff
  }

  /// What has become due by itself.
  mutating func elapse(at now: Instant) {
    if let expiry, expiry <= now {
      self.expiry = nil
      if base.level.isOn, base.cause == .command, !ordered.isOn { base.level = .off }
    }
    if let end, end <= now {
      self.end = nil
      base = Demand(level: .off, cause: .for)
    }
    if let pulseEnd, pulseEnd <= now { base = Demand(level: .off, cause: .pulse) }
    if hasLimit, let onLimit, onLimit <= now {
      end = nil
      base = Demand(level: .off, cause: isHeld ? .maxOn : .returned)
    }
  }

  /// When it has been on for as long as it may be.
  private var onLimit: Instant? {
    guard let onSince, let maxOn = plan.rules.maxOn else { return nil }
    return onSince + maxOn
  }

  /// `onLimit` has something to say. Once it has gone off by it, on is a new time; where it is not held nobody knows.
  private var hasLimit: Bool {
    guard base.level.isOn, !isStopping, !isMadeSafe else { return false }
    return isHeld ? ordered.isOn : base.cause != .lost
  }

  /// When its pulse is over, whatever has begun it.
  private var pulseEnd: Instant? { ordered.isOn && base.level.isOn && !isMadeSafe ? pulseLimit : nil }

  /// When it has been on for as long as a pulse; nil: it gives none, or is off.
  var pulseLimit: Instant? {
    guard let pulse = plan.rules.pulse, let onSince else { return nil }
    return onSince + pulse
  }

  /// A partner that is on forbids on, and what was wanted is over: only a partner that is about to be off is waited for.
  /// What a loss wants holds for as long as that lasts.
  mutating func giveWay(to partners: [Partner]) {
    guard isHeld, !isStopping, base.level.isOn, !ordered.isOn, base.cause != .lost || !isLost else { return }
    let isForbidden = partners.contains { partner in
      // A command was obeyed since it was held and off.
      partner.isHeld ? partner.isOn && !partner.isGoingOff : base.cause == .command
    }
    guard isForbidden else { return }
    (base, end, expiry) = (Demand(level: .off, cause: .interlock), nil, nil)
  }

  /// Which rule has the say now; nil: it stays as it is.
  mutating func decide(_ partners: [Partner], at now: Instant) -> Demand? {
    pending = nil
    guard isHeld else { return nil }
    guard let wanted = wanted(at: now) else { return nil }
    if wanted.level.isOn, let refusal = forbids(partners, at: now) {
      guard ordered.isOn else {
        pending = refusal.map { ($0, true) }
        return nil
      }
      let off = Demand(level: .off, cause: .interlock)
      if base.cause != .lost || !isLost { (base, end) = (off, nil) }
      return off
    }
    if wanted.level.isOn, !ordered.isOn {
      guard let allowed = onAllowedAt else { return nil }
      guard allowed <= now else {
        pending = (allowed, true)
        return nil
      }
      // Its time on was over, and it has not gone off yet.
      if !isStopping, !isMadeSafe, let limit = earliest(onLimit, pulseLimit), limit <= now { return nil }
    }
    let offAllowedAt = onFrom + plan.rules.minOn
    if !wanted.level.isOn, ordered.isOn, [.command, .for, .pulse].contains(wanted.cause), offAllowedAt > now {
      pending = (offAllowedAt, false)
      return nil
    }
    return wanted.level == ordered ? nil : wanted
  }

  /// By the rules from the stop on; nil: it is left as it is.
  private func wanted(at now: Instant) -> Demand? {
    if let stopCause { return stopLevel.map { Demand(level: $0, cause: stopCause) } }
    if !isMadeSafe, ordered.isOn, let onLimit, onLimit <= now { return Demand(level: .off, cause: .maxOn) }
    return base
  }

  /// nil: it is left as it is.
  private var stopLevel: OutputLevel? {
    switch plan.rules.stop {
    case .keep where isRemoved: plan.rules.safe
    case .off: .off
    case .on: plan.rules.on
    case .keep, .automatic: nil
    }
  }

  /// Whether a partner speaks against on, and until when; nil within: until something happens to it.
  private func forbids(_ partners: [Partner], at now: Instant) -> Instant?? {
    if partners.contains(where: { !$0.isHeld || $0.isOn }) { return .some(nil) }
    guard !ordered.isOn else { return nil }
    let ends = partners.map { $0.offSince + max($0.deadTime, plan.rules.deadTime) }
    return ends.max().flatMap { $0 > now ? .some($0) : nil }
  }

  /// It is driven.
  ///
  /// - Parameters:
  ///   - end: when the driver has it all, where it goes there step by step.
  ///   - left: the number of a ramp that was not completed, which the driver never gets.
  mutating func order(
    _ demand: Demand, _ number: UInt64, at now: Instant, doneAt end: Instant, leaving left: UInt64? = nil
  ) {
    underWay.removeAll { $0.number == left }
    // A way off counts from when it was gone, a way on from when it was ordered: it may never have gone off between.
    if demand.level.isOn {
      if !ordered.isOn { onFrom = now }
      onSince = onSince ?? now
      expiry = nil
    }
    given = demand
    if underWay.count == Self.mostUnderWay { underWay.removeFirst() }
    underWay.append(Drive(number: number, demand: demand, orderedAt: now, dueAt: end))
  }

  /// When `elapse` or `decide` has something to say.
  var deadline: Instant? {
    earliest(end, expiry, pulseEnd, hasLimit || isHeld && ordered.isOn && !isSettled ? onLimit : nil, pending?.at)
  }

  /// It is held, and what was ordered, or was to be ordered, is not done.
  func isOverdue(at now: Instant) -> Bool {
    guard isHeld else { return false }
    return [underWay.first?.dueAt, deadline].contains { $0.map { $0 + Self.grace < now } ?? false }
  }

  /// How late a deadline may be before the watchdog has its say.
  private static let grace = Duration.seconds(1)
  /// Reports that a driver may owe.
  private static let mostUnderWay = 64

  /// What it is to be is what a command wanted, which may take its time, but for none on that is over.
  func mayRamp(at now: Instant) -> Bool {
    !isStopping && [.command, .for, .pulse].contains(base.cause) && onLimit.map { $0 > now } ?? true
  }

  /// Nothing but the stop or somebody who made it safe says what it has.
  private var isSettled: Bool { isStopping || isMadeSafe }
}
