import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

/// Random lives of three outputs, held to what their rules promise whoever wants what (I9): by what the lines did, not by
/// what the core thinks.
@Suite struct OutputWalkTests {
  @Test("whatever is commanded, lost, returned or reloaded, every line keeps its rules", arguments: 1...40)
  func walks(round: Int) {
    for seed in 0..<10 {
      var walk = OutputWalk(seed: UInt64(round * 1000 + seed))
      for _ in 0..<250 where walk.failure == nil { walk.step() }
      walk.end()
      if let failure = walk.failure {
        Issue.record("seed \(round * 1000 + seed): \(failure)\n\(walk.story.suffix(30).joined(separator: "\n"))")
        return
      }
    }
  }
}

private struct OutputWalk {
  /// What a line did.
  struct Line {
    var isOn = false
    /// When it went on or off last; held lines only.
    var changedAt = OutputScene.start
    var isHeld = true
    /// It has been made safe, and nothing was asked of it since.
    var isSafe = false
  }

  var scene: OutputScene
  var plans: [OutputPlan]
  var lines: [Line]
  var heardAt = OutputScene.start
  var generator: SplitMix64
  var failure: String?
  var story: [String] = []
  private var logged = 0

  init(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    plans = (0..<3).map { place in
      OutputScene.plan("o\(place)", stream: StreamID(place)) { rules in
        rules.maxRate = 1000
        if generator.next() % 2 == 0 { rules.maxOn = .seconds(Int64(generator.next() % 60 + 20)) }
        if generator.next() % 2 == 0 { rules.minOn = .seconds(Int64(generator.next() % 10)) }
        if generator.next() % 2 == 0 { rules.minOff = .seconds(Int64(generator.next() % 10)) }
        if generator.next() % 3 == 0 { rules.lost = .init(after: .seconds(60), isOn: generator.next() % 3 == 0) }
        if generator.next() % 4 == 0, rules.lost?.isOn != true || rules.minOn == .zero { rules.pulse = .seconds(15) }
        if rules.pulse == nil, generator.next() % 4 == 0 { rules.start = .on }
      }
    }
    // Whoever of two names the other, and whoever has the dead time.
    plans[Int(generator.next() % 2) + 1].rules.deadTime = .seconds(2)
    let (one, both) = (generator.next() % 2 == 0, generator.next() % 2 == 0)
    if one || both { plans[1].rules.interlock = ["o2"] }
    if !one || both { plans[2].rules.interlock = ["o1"] }
    if generator.next() % 4 == 0 { plans[0].rules.stop = .on }
    self.generator = generator
    scene = OutputScene(plans)
    lines = Array(repeating: Line(), count: 3)
    for place in lines.indices where scene.isOn(place) { lines[place].isOn = true }
    logged = scene.log.count
    check()
  }

  private mutating func random(_ count: UInt64) -> UInt64 { generator.next() % count }

  mutating func step() {
    let place = Int(random(3))
    switch random(18) {
    case 0...2: say("on → \(place)") { $0.send("on", to: "o\(place)") }
    case 3...4: say("off → \(place)") { $0.send("off", to: "o\(place)") }
    case 5: say("toggle → \(place)") { $0.send("toggle", to: "o\(place)") }
    case 6:
      let seconds = random(30) + 1
      say("on for \(seconds) s → \(place)") { $0.send(#"{"value":"on","for":"\#(seconds)s"}"#, to: "o\(place)") }
    case 7: say("nonsense → \(place)") { $0.send("nonsense", to: "o\(place)") }
    case 8 where lines[place].isHeld:
      // An expander keeps the level.
      lines[place].isHeld = false
      say("lost \(place)") { $0.report(place, .failed("gone")) }
    case 8, 9:
      guard !lines[place].isHeld else { return hear() }
      lines[place].isHeld = true
      let level = scene.requests[place] ?? .off
      if level.isOn != lines[place].isOn { (lines[place].isOn, lines[place].changedAt) = (level.isOn, scene.now) }
      say("back \(place) \(level.isOn)") { scene in
        scene.levels[place] = level
        scene.report(place, .held(level, description: "line"))
      }
    case 10: hear()
    case 11: reload(place)
    case 12: makeSafe()
    case 13: say("slow") { $0.drives = false }
    case 14: say("catches up") { $0.catchUp() }
    default: pass(.milliseconds(Int64(random(20_000) + 1)))
    }
  }

  private mutating func reload(_ place: Int) {
    switch random(4) {
    case 0: plans[place].rules.maxOn = plans[place].rules.maxOn == nil ? .seconds(Int64(random(60) + 20)) : nil
    case 1: plans[place].rules.minOff = .seconds(Int64(random(10)))
    case 2: if plans[place].rules.pulse == nil { plans[place].rules.start = random(2) == 0 ? .on : .off }
    default: plans[0].rules.stop = random(2) == 0 ? .on : .off
    }
    let plans = plans
    say("reload \(place)") {
      $0.outputs.adopt(plans, at: $0.now)
      $0.settle()
    }
  }

  private mutating func makeSafe() {
    for place in lines.indices { lines[place].isSafe = true }
    say("safe") { _ = $0.makeSafe() }
    for (place, line) in lines.enumerated() where line.isHeld && plans[place].rules.stop == .off && line.isOn {
      fail("\(place) is on, and was made safe")
    }
  }

  private mutating func hear() {
    heardAt = scene.now
    say("heard") {
      $0.outputs.listen($0.now, at: $0.now)
      $0.settle()
    }
  }

  /// In small steps, as ticks come: what the lines did is seen at its moment.
  private mutating func pass(_ duration: Duration) {
    let end = scene.now + duration
    while scene.now < end, failure == nil {
      let next = min(end, max(scene.outputs.deadline ?? end, scene.now))
      let isStuck = next == scene.now && scene.outputs.deadline.map { $0 <= scene.now } == true
      scene.now = next
      say("tick") {
        $0.outputs.listen(nil, at: $0.now)
        $0.settle()
      }
      if isStuck, let deadline = scene.outputs.deadline, deadline <= scene.now { return fail("a deadline that stays") }
    }
  }

  private mutating func say(_ text: String, _ body: (inout OutputScene) -> Void) {
    body(&scene)
    story.append("\(OutputScene.start.duration(to: scene.now)) \(text) \(scene.answers.last.map { "\($0)" } ?? "")")
    scene.answers = []
    take()
    check()
  }

  /// What the lines did since the last time.
  private mutating func take() {
    for entry in scene.log.dropFirst(logged) {
      let words = entry.split(separator: " ")
      guard let place = Int(words[0]) else { continue }
      let isOn = words[1] == "on"
      story.append("  \(entry)")
      move(place, isOn)
    }
    logged = scene.log.count
  }

  private mutating func move(_ place: Int, _ isOn: Bool) {
    let (line, rules, now) = (lines[place], plans[place].rules, scene.now)
    guard line.isHeld else { return fail("\(place) is driven and not held") }
    guard isOn != line.isOn else { return }
    let since = line.changedAt.duration(to: now)
    // It is told when the driver has said so.
    let cause = scene.outputs.entries[place]?.output.cause.rawValue ?? ""
    if isOn, since < rules.minOff { fail("\(place) is on after \(since) off") }
    if !isOn, since < rules.minOn, ["command", "for", "pulse"].contains(cause) {
      fail("\(place) is off after \(since) on, by \(cause)")
    }
    if isOn, place > 0 {
      let partner = lines[3 - place]
      if partner.isOn || !partner.isHeld { fail("\(place) is on beside its partner") }
      if partner.changedAt.duration(to: now) < .seconds(2) { fail("\(place) is on within the dead time") }
    }
    (lines[place].isOn, lines[place].changedAt) = (isOn, now)
    if !isOn || cause != "stop" { lines[place].isSafe = false }
  }

  private mutating func check() {
    if lines[1].isOn && lines[2].isOn { fail("both of a pair are on") }
    for (place, line) in lines.enumerated() where line.isOn && line.isHeld {
      // What was made safe by being on is on for as long as nobody asks otherwise.
      if line.isSafe, plans[place].rules.stop == .on { continue }
      let since = line.changedAt.duration(to: scene.now)
      if let maxOn = plans[place].rules.maxOn, since >= maxOn { fail("\(place) is on for \(since)") }
      if let pulse = plans[place].rules.pulse, since >= pulse { fail("a pulse of \(place) lasts \(since)") }
      if let lost = plans[place].rules.lost, !lost.isOn, heardAt.duration(to: scene.now) >= lost.after {
        fail("\(place) is on, and nothing was heard")
      }
    }
    for (place, line) in lines.enumerated() where line.isHeld && !scene.isSlow {
      let told = scene.published.last { $0.stream.index == place }?.content
      guard case .output(let output)? = told else {
        fail("\(place): told \(String(describing: told))")
        continue
      }
      if output.value != .flag(line.isOn) { fail("\(place) is \(line.isOn), and \(output.value) was told") }
    }
  }

  /// After a stop everything that is held is off.
  mutating func end() {
    guard failure == nil else { return }
    scene.catchUp()
    take()
    scene.outputs.stop(at: scene.now)
    scene.settle()
    take()
    for (place, line) in lines.enumerated() where line.isHeld && line.isOn && plans[place].rules.stop == .off {
      fail("\(place) is on after the stop")
    }
    if !scene.outputs.isReleased { fail("something is held after the stop") }
  }

  private mutating func fail(_ text: String) { failure = failure ?? text }
}
