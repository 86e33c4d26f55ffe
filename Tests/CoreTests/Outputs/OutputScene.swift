import LimpetInstants
import Measuring
import Plan
import Readings
import Records

@testable import Core

/// Outputs in the hands of a test, with a driver that does at once what it is told, or nothing.
struct OutputScene {
  static let start = BootClock.Instant(nanoseconds: 1_000_000_000_000)

  var outputs: Outputs
  var now = start
  var drives = true
  /// By place: what the lines have.
  var levels: [Int: OutputLevel] = [:]
  /// What came out, oldest first.
  var log: [String] = []
  var published: [(stream: StreamID, content: Reading.Content)] = []
  var answers: [CommandAnswer] = []
  /// By place: what the driver makes its next request with.
  var requests: [Int: OutputLevel] = [:]
  /// Places that are never on together.
  var pairs: [(Int, Int)] = []
  /// Pairs that were on together.
  var clashes: [String] = []
  /// What was to be left behind otherwise.
  var secured: [String] = []
  /// Places that were let go of.
  var released: [Int] = []
  var notes: [OutputNote] = []
  private var asked: UInt64 = 0
  private var undriven: [DriverReport] = []

  init(_ plans: [OutputPlan], plain: [String: Bool] = [:], holds: Bool = true) {
    outputs = Outputs(plans, plain: plain, at: Self.start)
    drives = holds
    outputs.begin(at: now)
    settle()
  }

  static func plan(_ name: String, stream: StreamID = 0, _ change: (inout OutputRules) -> Void = { _ in }) -> OutputPlan
  {
    var rules = OutputRules()
    change(&rules)
    return OutputPlan(
      name: name, stream: stream, request: .gpio(GPIOOutput(chip: nil, line: .name("GPIO\(stream.index)"))),
      rules: rules)
  }

  var moment: Moment {
    let passed = Self.start.duration(to: now)
    return Moment(
      boot: now, wall: WallClock(instant: now, sinceEpoch: .seconds(1_700_000_000) + passed, isSynchronized: true),
      awake: passed)
  }

  /// Time passes, and what is due happens at its moment.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    while let deadline = outputs.deadline, deadline <= end {
      now = max(now, deadline)
      outputs.settle(at: now)
      settle()
      if let next = outputs.deadline, next <= now { outputs.listen(nil, at: now) }
      settle()
    }
    now = end
  }

  @discardableResult
  mutating func send(_ text: String, to name: String, _ arrival: Arrival = .live) -> CommandAnswer? {
    answers = []
    asked += 1
    do throws(Command.Flaw) {
      guard let command = try Command(.init(string: text)) else { return nil }
      outputs.take(command, of: name, from: .local(asked), arrival, at: moment)
    } catch {
      outputs.refuse(Objection(.malformed, error.text), of: name, .local(asked), at: now)
    }
    settle()
    return answers.last
  }

  mutating func report(_ place: Int, _ content: DriverReport.Content) {
    outputs.take(DriverReport(output: OutputID(place: place), content: content, time: now), at: now)
    settle()
  }

  /// Something is ordered that the driver has not told of.
  var isSlow: Bool { !undriven.isEmpty }

  /// The driver does what it had not done yet.
  mutating func catchUp() {
    drives = true
    let reports = undriven
    undriven = []
    for report in reports { outputs.take(report, at: now) }
    settle()
  }

  mutating func settle() {
    while true {
      let effects = outputs.takeEffects()
      guard !effects.isEmpty else { return }
      var reports: [DriverReport] = []
      for effect in effects {
        switch effect {
        case .hold(let output, _, let level, _):
          requests[output.place] = level
          move(output.place, level)
          reports.append(DriverReport(output: output, content: .held(level, description: "line"), time: now))
        case .drive(let output, let level, let number):
          guard number > 0 else {
            requests[output.place] = level
            continue
          }
          move(output.place, level)
          log.append("\(output.place) \(level.isOn ? "on" : "off")")
          reports.append(
            DriverReport(output: output, content: .driven(number: number, readBack: level), time: now))
        case .release(let output, let end):
          released.append(output.place)
          if case .level(let level) = end { move(output.place, level) }
          reports.append(DriverReport(output: output, content: .released, time: now))
        case .secure(let output, let end): secured.append("\(output.place) \(end)")
        case .publish(let reading): published.append((reading.stream, reading.content))
        case .answer(_, let answer): answers.append(answer)
        case .note(let note): notes.append(note)
        }
      }
      if drives { for report in reports { outputs.take(report, at: now) } } else { undriven += reports }
    }
  }

  private mutating func move(_ place: Int, _ level: OutputLevel) {
    levels[place] = level
    for (one, other) in pairs where isOn(one) && isOn(other) { clashes.append("\(one) and \(other)") }
  }

  /// All of them are made safe; what each is answered follows, in their order.
  mutating func makeSafe() -> [CommandAnswer] {
    answers = []
    let names = outputs.entries.compactMap { $0?.output.plan.name }
    outputs.makeSafe(
      names.enumerated().map { ($0.element, .local(UInt64($0.offset))) }, at: moment)
    settle()
    return answers
  }

  func isOn(_ place: Int) -> Bool { levels[place]?.isOn ?? false }

  /// The causes of what was told of a stream.
  func causes(_ stream: StreamID = 0) -> [String] {
    published.compactMap { entry in
      guard entry.stream == stream, case .output(let output) = entry.content else { return nil }
      return "\(output.value) \(output.cause.rawValue)"
    }
  }
}
