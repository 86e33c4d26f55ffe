import Core
import LimpetInstants
import Measuring
import Plan

/// Lines with what drives them: chips that go, come back, are slow, hang or fail, the kernel, and the driver of a process.
///
/// The driver is modelled on what `Sensing` promises: drives that nobody has begun are overtaken, what is not held is
/// looked for again after a while, and what is driven is reported a little after it is so.
struct OutputBench: Sendable {
  /// A line, as a meter sees it: it outlives processes.
  struct Line: Sendable {
    let request: OutputRequest
    let chip: Int
    var level = OutputLevel.off
    /// Somebody has driven it since the power came.
    var isOutput = false
    /// How `limpet outputs --safe` leaves it; nil: it is not in the record.
    var safe: OutputEnd?
  }

  struct Chip: Sendable {
    var isThere = true
    /// It loses its power with its connection.
    var losesPower = false
    var hangsSince: WorldTime?
    var fails = false
    var slowness = Duration.zero
  }

  enum Effect: Sendable {
    case report(Int, DriverReport.Content)
    case level(OutputRequest, OutputLevel)
  }

  /// What the driver is asked for.
  enum Task: Sendable {
    case drive(OutputLevel, number: UInt64)
    case secure(OutputEnd)
    case release(OutputEnd)

    var isDrive: Bool { if case .drive = self { true } else { false } }
  }

  /// What the driver has of one output.
  struct Seat: Sendable {
    let line: Int
    let start: OutputLevel
    var adopts: Bool
    var safe: OutputEnd
    var next: OutputLevel?
    var isHeld = false
    var failure: String?
    var attempts = 0
    /// When it is looked for, or at.
    var due: WorldTime
    var tasks: [Task] = []
    /// What it is at, when that reaches the line, and when it is reported.
    var current: (task: Task, reaches: WorldTime, ends: WorldTime)?
    var hasReached = false
    /// It was reported, and the shell has not taken the report.
    var hasUntakenFailure = false
    var isUnanswered = false
    var isReleasing: Bool { tasks.contains { if case .release = $0 { true } else { false } } || isLetGo }
    var isLetGo = false
  }

  private(set) var lines: [Line] = []
  private(set) var chips = [Chip(), Chip()]
  private(set) var seats: [Seat?] = []
  private let seed: Seed
  private let delay: Duration
  private var draws: UInt64 = 0

  private static let (firstPause, longestPause) = (Duration.milliseconds(50), Duration.seconds(5))
  /// How long a chip may take before its driver says so.
  private static let patience = Duration.seconds(3)
  static let unanswered = "its chip does not answer"

  init(_ seed: Seed, delay: Duration) {
    self.seed = seed
    self.delay = delay
  }

  // MARK: What the core asks for

  mutating func hold(_ place: Int, _ plan: OutputPlan, _ level: OutputLevel, adopts: Bool, at now: WorldTime) {
    while seats.count <= place { seats.append(nil) }
    seats[place] = Seat(
      line: line(of: plan.request), start: level, adopts: adopts, safe: plan.end, due: now + draw())
  }

  mutating func ask(_ place: Int, _ task: Task) {
    guard seats.indices.contains(place), let seat = seats[place] else { return }
    if task.isDrive, seat.hasUntakenFailure { return }
    if case .secure = task {
    } else {
      while seats[place]?.tasks.last?.isDrive == true { seats[place]?.tasks.removeLast() }
    }
    seats[place]?.tasks.append(task)
  }

  /// The shell has taken what was reported.
  mutating func taken(_ places: [Int]) { for place in places { seats[place]?.hasUntakenFailure = false } }

  private mutating func line(of request: OutputRequest) -> Int {
    if let known = lines.firstIndex(where: { $0.request == request }) { return known }
    lines.append(Line(request: request, chip: OutputSettings.chip(of: request)))
    return lines.count - 1
  }

  private func chip(of place: Int) -> Int? { seats[place].map { lines[$0.line].chip } }

  func level(of request: OutputRequest) -> OutputLevel? { lines.first { $0.request == request }?.level }

  /// It holds that line, and has nothing to do.
  func isIdle(_ place: Int) -> Bool {
    guard seats.indices.contains(place), let seat = seats[place] else { return false }
    return seat.isHeld && seat.tasks.isEmpty && seat.current == nil && !seat.isUnanswered
      && chips[lines[seat.line].chip].isThere && chips[lines[seat.line].chip].hangsSince == nil
  }

  // MARK: What happens to chips and the process

  mutating func change(chip: Int, _ body: (inout Chip) -> Void, at now: WorldTime, into effects: inout [Effect]) {
    let old = chips[chip]
    body(&chips[chip])
    let new = chips[chip]
    if old.isThere && !new.isThere, new.losesPower {
      for index in lines.indices where lines[index].chip == chip {
        lines[index].isOutput = false
        set(index, .off, &effects)
      }
    }
    for place in seats.indices where self.chip(of: place) == chip {
      // The kernel sends events of devices; the driver notices one that is gone at its next look.
      if old.isThere != new.isThere || old.fails != new.fails {
        let notice = new.isThere ? .milliseconds(100) : draw(upTo: .seconds(5))
        seats[place]?.due = now + notice
      }
    }
    if old.hangsSince != nil, new.hangsSince == nil { resume(chip, at: now, &effects) }
  }

  /// The process is gone, and `limpet outputs --safe` runs before the next.
  mutating func processEnds(into effects: inout [Effect]) {
    seats = []
    for index in lines.indices {
      guard let safe = lines[index].safe else { continue }
      lines[index].safe = nil
      guard case .level(let level) = safe, chips[lines[index].chip].isWell else { continue }
      set(index, level, &effects)
    }
  }

  mutating func losePower(into effects: inout [Effect]) {
    seats = []
    for index in lines.indices {
      set(index, .off, &effects)
      (lines[index].isOutput, lines[index].safe) = (false, nil)
    }
  }

  private mutating func set(_ line: Int, _ level: OutputLevel, _ effects: inout [Effect]) {
    guard lines[line].level != level else { return }
    lines[line].level = level
    effects.append(.level(lines[line].request, level))
  }

  // MARK: Time

  private mutating func draw(upTo longest: Duration? = nil) -> Duration {
    draws += 1
    return seed.of(draws).duration(upTo: longest ?? delay)
  }

  /// When something is due; nil: nothing is.
  var deadline: WorldTime? {
    var first: WorldTime?
    for seat in seats {
      guard let seat, let due = due(seat) else { continue }
      first = min(first ?? due, due)
    }
    return first
  }

  private func due(_ seat: Seat) -> WorldTime? {
    let chip = chips[lines[seat.line].chip]
    if let since = chip.hangsSince { return seat.isUnanswered ? nil : since + Self.patience }
    if let current = seat.current { return seat.hasReached ? current.ends : current.reaches }
    if !seat.tasks.isEmpty, seat.isHeld || seat.tasks.first.map({ !$0.isDrive }) ?? false { return seat.startsAt }
    if !seat.tasks.isEmpty { return seat.startsAt }
    return seat.isHeld && chip.isThere ? nil : seat.due
  }

  mutating func tick(at now: WorldTime, into effects: inout [Effect]) {
    for place in seats.indices {
      while let seat = seats[place], let due = due(seat), due <= now { step(place, seat, at: now, &effects) }
    }
  }

  private mutating func step(_ place: Int, _ seat: Seat, at now: WorldTime, _ effects: inout [Effect]) {
    if chips[lines[seat.line].chip].hangsSince != nil {
      seats[place]?.isUnanswered = true
      return fail(place, Self.unanswered, isHeldOn: true, at: now, &effects)
    }
    if let current = seat.current {
      if seat.hasReached {
        seats[place]?.current = nil
        finish(place, current.task, at: now, &effects)
      } else {
        seats[place]?.hasReached = true
        if case .drive(let level, _) = current.task, seat.isHeld, chips[lines[seat.line].chip].isWell {
          set(seat.line, level, &effects)
        }
      }
    } else if !seat.tasks.isEmpty {
      begin(place, at: now)
    } else {
      look(place, seat, at: now, &effects)
    }
  }

  private mutating func begin(_ place: Int, at now: WorldTime) {
    guard let seat = seats[place], let task = seat.tasks.first else { return }
    seats[place]?.tasks.removeFirst()
    if case .release = task { seats[place]?.isLetGo = true }
    let slowness = chips[lines[seat.line].chip].slowness
    let reaches = now + draw() + draw(upTo: slowness)
    let ends = reaches + draw() + draw(upTo: slowness)
    seats[place]?.current = (task, reaches, ends)
    seats[place]?.hasReached = false
  }

  private mutating func finish(_ place: Int, _ task: Task, at now: WorldTime, _ effects: inout [Effect]) {
    guard let seat = seats[place] else { return }
    let isWell = chips[lines[seat.line].chip].isWell
    switch task {
    case .drive(let level, let number):
      guard seat.isHeld, !seat.isUnanswered else {
        seats[place]?.next = level
        return
      }
      guard isWell else { return fail(place, "it cannot be written", at: now, &effects) }
      effects.append(.report(place, .driven(number: number, readBack: lines[seat.line].level)))
    case .secure(let safe):
      seats[place]?.safe = safe
      if lines[seat.line].safe != nil { lines[seat.line].safe = safe }
    case .release(let end):
      var isLeft = end == .untouched
      if seat.isHeld {
        isLeft = isWell || isLeft
        if isWell {
          if case .level(let level) = end { set(seat.line, level, &effects) }
        } else if !isLeft {
          effects.append(.report(place, .failed("it cannot be left as it should be")))
        }
      }
      if isLeft { lines[seat.line].safe = nil }
      seats[place] = nil
      effects.append(.report(place, .released))
    }
  }

  /// It is looked for, or looked at.
  private mutating func look(_ place: Int, _ seat: Seat, at now: WorldTime, _ effects: inout [Effect]) {
    let chip = chips[lines[seat.line].chip]
    if seat.isHeld { return fail(place, "it is gone", at: now, &effects) }
    guard chip.isThere else { return fail(place, "there is no such chip", at: now, &effects) }
    guard chip.isWell else { return fail(place, "it cannot be requested", at: now, &effects) }
    let other = seats.firstIndex { $0?.isHeld == true && $0?.line == seat.line }
    if let other {
      guard seats[other]?.isReleasing == true else {
        return fail(place, "another output has it", at: now, &effects)
      }
      seats[place]?.due = now + Self.firstPause
      return
    }
    let level = seat.adopts && lines[seat.line].isOutput ? lines[seat.line].level : seat.next ?? seat.start
    hold(place, level, &effects)
  }

  private mutating func hold(_ place: Int, _ level: OutputLevel, _ effects: inout [Effect]) {
    guard let seat = seats[place] else { return }
    lines[seat.line].isOutput = true
    lines[seat.line].safe = seat.safe
    set(seat.line, level, &effects)
    var held = seat
    (held.isHeld, held.adopts, held.next) = (true, false, nil)
    (held.failure, held.attempts, held.isUnanswered) = (nil, 0, false)
    seats[place] = held
    effects.append(.report(place, .held(level, description: "line \(seat.line)")))
  }

  /// - Parameter isHeldOn: it is still held, though it was reported as not held.
  private mutating func fail(
    _ place: Int, _ reason: String, isHeldOn: Bool = false, at now: WorldTime, _ effects: inout [Effect]
  ) {
    guard var seat = seats[place] else { return }
    let isNews = seat.isHeld || seat.failure != reason
    if seat.isHeld, !isHeldOn {
      (seat.isHeld, seat.next, seat.attempts) = (false, nil, 0)
      seat.due = now + .milliseconds(100)
    } else {
      seat.due = now + min(Self.firstPause * (1 << min(seat.attempts, 10)), Self.longestPause)
      seat.attempts += 1
    }
    seat.failure = reason
    if isNews { seat.hasUntakenFailure = true }
    seats[place] = seat
    guard isNews else { return }
    effects.append(.report(place, .failed(reason)))
  }

  /// A chip answers again: what hung is done by now, and then what was asked for since says what it is to be.
  private mutating func resume(_ chip: Int, at now: WorldTime, _ effects: inout [Effect]) {
    for place in seats.indices {
      guard let seat = seats[place], lines[seat.line].chip == chip, seat.isUnanswered else { continue }
      if case .drive(let level, _)? = seat.current?.task, seat.isHeld, !seat.hasReached {
        set(seat.line, level, &effects)
      }
      if case .release(let end)? = seat.current?.task { finish(place, .release(end), at: now, &effects) }
      seats[place]?.current = nil
      while let task = seats[place]?.tasks.first {
        seats[place]?.tasks.removeFirst()
        finish(place, task, at: now, &effects)
      }
      guard let seat = seats[place] else { continue }
      seats[place]?.isUnanswered = false
      guard seat.isHeld else { continue }
      if chips[chip].isWell {
        hold(place, seat.next ?? seat.start, &effects)
      } else {
        fail(place, "it cannot be written", at: now, &effects)
      }
    }
  }
}

extension OutputBench.Chip {
  var isWell: Bool { isThere && !fails && hangsSince == nil }
}

extension OutputBench.Seat {
  /// A task waits for nothing.
  fileprivate var startsAt: WorldTime { WorldTime(nanoseconds: .min) }
}
