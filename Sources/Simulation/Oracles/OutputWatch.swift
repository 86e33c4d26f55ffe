import Core
import LimpetInstants
import MQTTCore
import Measuring
import Plan
import Readings

/// I9: each output has a value that its rules, the commands that reached the board, and the time since the last byte of
/// the broker allow.
///
/// It sees what a meter, a log of the driver and a listener between board and broker would see, and knows the rules in its
/// own, simple way: not what an output has to be at a moment, but what may be a reason for each change, and how long each
/// may wait.
struct OutputWatch: Sendable {
  /// A line, as a meter sees it.
  struct Line: Sendable {
    var level = OutputLevel.off
    /// When it changed between on and off last.
    var changedAt = WorldTime(nanoseconds: 0)
    /// Levels with the time since when, the newest last.
    var history: [(since: WorldTime, level: OutputLevel)] = []
  }

  /// A command that has reached the board, and may be obeyed.
  struct Candidate: Sendable {
    /// 0: nobody knows which one it is.
    let number: UInt64
    let wanted: Command.Wanted
    let duration: Duration?
    let at: WorldTime
    let packet: (connection: ConnectionID, identifier: PacketIdentifier)?
    /// The order that it was the reason of; 0: of none, or perhaps of none.
    var order: UInt64?
  }

  /// An output as the driver is asked for it, at one place.
  struct Output: Sendable {
    let name: String
    let request: OutputRequest
    var rules: OutputRules
    let since: WorldTime
    /// The core has the report that it is held.
    var heldAt: WorldTime?
    /// When that was so for the first time.
    var firstHeldAt: WorldTime?
    /// When it was reported otherwise.
    var missedAt: WorldTime
    var ordered: OutputLevel
    /// When it was ordered to change between on and off last.
    var orderedAt: WorldTime
    /// The newest order, and the newest that was reported to the core.
    var number: UInt64 = 0
    var reported: UInt64 = 0
    /// Why the newest order may have been given.
    var causes: [OutputCause] = []
    var isNews = false
    /// Its beginning has the say, as long as nobody commands it.
    var mayBegin = true
    var endsSince: WorldTime?
    var isReleased = false
    var safeSince: WorldTime?
    /// When its controller was last silent for too long.
    var lostAt: WorldTime?
    var candidates: [Candidate] = []
    /// Those that something ended in the turn that they came in, whose orders follow at its end.
    var overtaken: [Candidate] = []
    /// Of the command that was obeyed last: when its time is over.
    var forEnd: WorldTime?
    var rulesSince: WorldTime
    /// When a reload gave it another heartbeat.
    var listensSince = WorldTime(nanoseconds: 0)

    var isSwitch: Bool { if case .gpio = request { true } else { false } }

    mutating func forgetCandidates() {
      overtaken = candidates
      candidates = []
    }
  }

  var failure: Failure?
  var outputs: [Output?] = []
  var lines: [OutputRequest: Line] = [:]
  var isRunning = false
  var startedAt = WorldTime(nanoseconds: 0)
  var stopsSince: WorldTime?
  /// When the board woke up last, and how long it had slept.
  var wokeAt = WorldTime(nanoseconds: 0)
  var slept = Duration.zero
  var isAsleep = false
  /// When anything of a broker reached the board last, and when that was on a connection that the device relied on.
  var heardAt = WorldTime(nanoseconds: 0)
  var surelyHeardAt = WorldTime(nanoseconds: 0)
  var beatAt = WorldTime(nanoseconds: 0)
  /// The same as `heardAt` while the device knows of a rival, which it may have been for: it counts once that one is gone.
  var heardWithRivalAt: WorldTime?
  var commands = CommandWatch()
  private(set) var plans: [String: OutputPlan] = [:]

  /// How late a rule may be, by a crystal that is slow.
  static let slack = Duration.seconds(3)

  /// What is left of a time by a crystal that is fast.
  static func least(_ duration: Duration) -> Duration { duration - duration / 2000 }

  var isWatching: Bool { isRunning && !outputs.isEmpty }

  mutating func fail(_ text: String, at now: WorldTime) {
    if failure == nil { failure = Failure("I9", "\(text) (at \(now.inSeconds))") }
  }

  // MARK: The process

  mutating func begins(_ device: DeviceModel, at now: WorldTime) {
    (isRunning, isAsleep) = (true, false)
    startedAt = now
    (heardAt, surelyHeardAt, beatAt) = (now, now, now)
    heardWithRivalAt = nil
    stopsSince = nil
    outputs = []
    commands.begins()
    adopt(device.outputs.plans)
  }

  mutating func ends() {
    isRunning = false
    outputs = []
  }

  mutating func asksToEnd(at now: WorldTime) { stopsSince = stopsSince ?? now }

  private mutating func adopt(_ plans: [OutputPlan]) {
    self.plans = [:]
    for plan in plans { self.plans[plan.name] = plan }
  }

  /// Who keeps name and line goes on by the new rules, and all others are taken away.
  mutating func reloads(_ device: DeviceModel, at now: WorldTime) {
    adopt(device.outputs.plans)
    for place in outputs.indices {
      guard let output = outputs[place], output.endsSince == nil else { continue }
      if let plan = plans[output.name], plan.request == output.request {
        if plan.rules != output.rules { outputs[place]?.rulesSince = now }
        if plan.rules.lost?.heartbeat != output.rules.lost?.heartbeat { outputs[place]?.listensSince = now }
        // One that begins in another way may do so as long as nobody has commanded it.
        outputs[place]?.rules = plan.rules
      } else {
        outputs[place]?.endsSince = now
      }
    }
  }

  // MARK: Lines

  mutating func changed(_ request: OutputRequest, to level: OutputLevel, at now: WorldTime) {
    var line = lines[request] ?? Line()
    let wasOn = line.level.isOn
    line.level = level
    if line.history.isEmpty { line.history = [(WorldTime(nanoseconds: 0), .off)] }
    line.history.append((now, level))
    if line.history.count > 200 { line.history.removeFirst(100) }
    if wasOn != level.isOn { line.changedAt = now }
    lines[request] = line
    guard isRunning, level.isOn, !wasOn, let place = place(of: request) else { return }
    for partner in partners(of: place) {
      guard let other = outputs[partner], let otherLine = lines[other.request] else { continue }
      let name = outputs[place]?.name ?? ""
      if otherLine.level.isOn { return fail("\(name) goes on while \(other.name) is on (interlock)", at: now) }
      let dead = max(other.rules.deadTime, outputs[place]?.rules.deadTime ?? .zero)
      if otherLine.changedAt > startedAt, otherLine.changedAt + Self.least(dead) > now {
        return fail("\(name) goes on \(otherLine.changedAt.duration(to: now)) after \(other.name) went off", at: now)
      }
    }
  }

  private func place(of request: OutputRequest) -> Int? {
    outputs.firstIndex { $0?.request == request && $0?.heldAt != nil }
      ?? outputs.firstIndex { $0?.request == request }
  }

  /// Those that it names, and those that name it.
  func partners(of place: Int) -> [Int] {
    guard let own = outputs[place] else { return [] }
    return outputs.indices.filter { index in
      guard index != place, let other = outputs[index], !other.isReleased else { return false }
      return own.rules.interlock.contains(other.name) || other.rules.interlock.contains(own.name)
    }
  }

  /// What a meter shows.
  func level(_ output: Output) -> OutputLevel { lines[output.request]?.level ?? .off }

  func hasMoved(_ output: Output, within duration: Duration, at now: WorldTime) -> Bool {
    lines[output.request]?.history.last.map { $0.since + duration > now } ?? false
  }

  // MARK: The broker

  mutating func wakes(after duration: Duration, at now: WorldTime) {
    (isAsleep, wokeAt, slept) = (false, now, duration)
  }

  /// The latest time at which its controller may have been there.
  func lastHeard(_ output: Output) -> WorldTime {
    max(begin(output), hasHeartbeat(output) ? max(beatAt, output.listensSince) : heardAt)
  }

  /// Its controller may be lost.
  func isLost(_ output: Output, at now: WorldTime) -> Bool {
    guard let lost = output.rules.lost else { return false }
    return max(begin(output), hasHeartbeat(output) ? beatAt : surelyHeardAt) + Self.least(lost.after) <= now
  }

  private func begin(_ output: Output) -> WorldTime { max(output.since, startedAt) }
  private func hasHeartbeat(_ output: Output) -> Bool { output.rules.lost?.heartbeat != nil }

  // MARK: What the core asks the driver for

  mutating func orders(_ order: Order, at now: WorldTime) {
    switch order {
    case .hold(let output, let plan, let level, let adopts):
      while outputs.count <= output.place { outputs.append(nil) }
      // Those of the beginning count from there, also where the board was suspended before its first turn.
      let asleep = wokeAt > startedAt ? slept : .zero
      let since = startedAt + .milliseconds(50) + asleep > now ? startedAt : now
      var new = Output(
        name: plan.name, request: plan.request, rules: plan.rules, since: since, missedAt: now, ordered: level,
        orderedAt: now, rulesSince: now)
      new.causes = [.start, .reload]
      // A reload came before the first turn, which asks for what was configured until then, and changes it.
      if let plan = plans[plan.name], plan.request == new.request {
        new.rules = plan.rules
      } else {
        new.endsSince = now
      }
      outputs[output.place] = new
      if adopts, since > startedAt + Self.slack {
        return fail("\(plan.name) adopts what it finds, and no process has begun", at: now)
      }
      if level.isOn { mayRequestOn(output.place, at: now) }
    case .drive(let output, let level, let number):
      guard outputs.indices.contains(output.place), let old = outputs[output.place] else {
        return fail("place \(output.place) is driven, and nothing is there", at: now)
      }
      if old.isReleased { return fail("\(old.name) is driven after it was let go of", at: now) }
      if old.heldAt == nil {
        outputs[output.place]?.ordered = level
        if level.isOn { mayRequestOn(output.place, at: now) }
      } else if number > 0 {
        drives(output.place, level, number, at: now)
      }
    case .release(let output, let end): releases(output.place, end, at: now)
    case .answer(let number, let answer): answered(number, AnswerFields(answer), at: now)
    default: break
    }
  }

  /// With what is not held the next request is made: on only where nothing could speak against it by then.
  private mutating func mayRequestOn(_ place: Int, at now: WorldTime) {
    guard let output = outputs[place] else { return }
    if output.rules.minOff > .zero { return fail("\(output.name) is requested on, with min_off", at: now) }
    if !partners(of: place).isEmpty { return fail("\(output.name) is requested on, with interlock", at: now) }
    if reasonsForOn(place, at: now).isEmpty, output.rules.stop != .keep {
      fail("\(output.name) is requested on, and nothing wants that", at: now)
    }
  }

  private mutating func drives(_ place: Int, _ level: OutputLevel, _ number: UInt64, at now: WorldTime) {
    guard let old = outputs[place] else { return }
    outputs[place]?.ordered = level
    // A step of a ramp is of the order before it.
    if number != .max {
      outputs[place]?.number = number
      outputs[place]?.causes = []
    }
    guard level.isOn != old.ordered.isOn else {
      if number != .max { outputs[place]?.causes = OutputCause.allCases }
      return
    }
    if level.isOn { goesOn(place, number, at: now) } else { goesOff(place, old, number, at: now) }
    outputs[place]?.orderedAt = now
  }

  private mutating func goesOn(_ place: Int, _ number: UInt64, at now: WorldTime) {
    guard let output = outputs[place] else { return }
    let causes = reasonsForOn(place, at: now)
    if causes.isEmpty { return fail("\(output.name) is switched on, and nothing wants that\(lastRefusal)", at: now) }
    outputs[place]?.causes = causes
    // Something else may have been the reason, and the command refused: then no time runs.
    let isSure = causes == [.command]
    if causes.contains(.command) { use(place, isOn: true, isSure ? number : 0, at: now) }
    if !isSure { outputs[place]?.forEnd = nil }
    if causes.contains(.start) { outputs[place]?.mayBegin = false }
    let off = max(lines[output.request]?.changedAt ?? startedAt, startedAt)
    if off + Self.least(output.rules.minOff) > now {
      return fail("\(output.name) is switched on \(off.duration(to: now)) after it went off (min_off)", at: now)
    }
    for partner in partners(of: place) where outputs[partner]?.heldAt == nil {
      return fail("\(output.name) is switched on while \(outputs[partner]?.name ?? "") is not held", at: now)
    }
  }

  private mutating func goesOff(_ place: Int, _ old: Output, _ number: UInt64, at now: WorldTime) {
    let urgent = urgentReasonsForOff(place, at: now)
    let other = otherReasonsForOff(place, at: now)
    // One that was on its way there by a ramp goes there at once, and is published with the cause of the ramp.
    let ramping: [OutputCause] = old.rules.ramp > .zero ? [.command, .for, .pulse] : []
    outputs[place]?.causes = urgent + other + ramping
    let isSure = urgent.isEmpty && other == [.command]
    if other.contains(.command) { use(place, isOn: false, isSure ? number : 0, at: now) }
    if other.contains(.for) { outputs[place]?.forEnd = nil }
    if urgent.isEmpty, other.isEmpty {
      return fail("\(old.name) is switched off, and nothing wants that\(lastRefusal)", at: now)
    }
    // The driver's report is older than the turn that takes it.
    if urgent.isEmpty, old.orderedAt + Self.least(old.rules.minOn) > now + .milliseconds(25), !other.contains(.start) {
      fail("\(old.name) is switched off after \(old.orderedAt.duration(to: now)) (min_on)", at: now)
    }
  }

  /// What there is to say of the command that came last, for a message.
  private var lastRefusal: String {
    guard let number = commands.delivered.keys.max(), let reason = commands.judged[number], !reason.isEmpty else {
      return ""
    }
    return "; of command \(number): \(reason)"
  }

  // MARK: Events of the core

  mutating func makesSafe(at now: WorldTime) {
    for place in outputs.indices {
      outputs[place]?.safeSince = now
      outputs[place]?.forgetCandidates()
      outputs[place]?.forEnd = nil
    }
  }

  mutating func hears(_ reports: [DriverReport], at now: WorldTime) {
    for report in reports {
      let place = report.output.place
      guard outputs.indices.contains(place), outputs[place] != nil else { continue }
      switch report.content {
      case .held(let level, _):
        guard outputs[place]?.heldAt == nil else { continue }
        outputs[place]?.heldAt = now
        if outputs[place]?.firstHeldAt == nil { outputs[place]?.firstHeldAt = now }
        outputs[place]?.orderedAt = now
        if let level { outputs[place]?.ordered = level }
        outputs[place]?.isNews = true
        outputs[place]?.causes = [.start, .reload, .returned, .stop, .lost, .maxOn, .pulse]
      case .failed:
        guard outputs[place]?.heldAt != nil else { continue }
        outputs[place]?.heldAt = nil
        outputs[place]?.missedAt = now
        outputs[place]?.mayBegin = true
        outputs[place]?.forgetCandidates()
        outputs[place]?.forEnd = nil
        outputs[place]?.isNews = false
      case .driven(let number, _):
        guard number != .max else { continue }
        outputs[place]?.reported = number
        if number == outputs[place]?.number, outputs[place]?.heldAt != nil { outputs[place]?.isNews = true }
      case .released: outputs[place] = nil
      }
    }
  }
}
