import LimpetInstants
import Simulation
import Testing

@Suite struct ScriptTests {
  private let swarm = Swarm(
    ActionKind.allCases.map { Swarm.Choice($0, targets: 3) },
    settings: [("window", [8, 20]), ("block", [2, 1000])])

  @Test("a script that is written is read back as it was, whatever the seed")
  func text() throws {
    for number in 0..<200 {
      let script = swarm.script(Seed(UInt64(number)))
      #expect(try Script(script.description) == script)
    }
  }

  @Test("the same seed gives the same script, and another seed another one")
  func seeds() {
    #expect(swarm.script(Seed(5)) == swarm.script(Seed(5)))
    #expect(swarm.script(Seed(5)).actions != swarm.script(Seed(6)).actions)
    // It is kept: a change of this text is a change of every seed that somebody wrote down.
    var trace = Trace()
    for number in 0..<50 { trace.mix(swarm.script(Seed(UInt64(number))).description) }
    #expect(trace.hash == 2_426_520_782_181_485_990)
  }

  @Test("each run has a part of the kinds of actions, and all kinds come in some run")
  func profiles() {
    var seen: Set<ActionKind> = []
    for number in 0..<500 {
      let kinds = Set(swarm.script(Seed(UInt64(number))).actions.map(\.kind))
      #expect(kinds.count < ActionKind.allCases.count)
      seen.formUnion(kinds)
    }
    #expect(seen.count == ActionKind.allCases.count)
  }

  @Test("each order of magnitude from 1 ms to 1 h is as likely as the next")
  func lengths() {
    var generator = Seed(1).generator
    var decades = [Int](repeating: 0, count: 7)
    for _ in 0..<7000 {
      let length = generator.duration(from: .milliseconds(1), to: .seconds(3600))
      #expect(length >= .milliseconds(1) && length <= .seconds(3600))
      var decade = 0
      var bound = Duration.milliseconds(10)
      while length >= bound && decade < 6 {
        decade += 1
        bound *= 10
      }
      decades[decade] += 1
    }
    #expect(decades.prefix(6).allSatisfy { (700...1500).contains($0) }, "\(decades)")
  }

  @Test(
    "a line that is no part of a script is named",
    arguments: [
      "seed 12", "at 1.0", "at 1.0 nothing", "at 1.0 cut target", "at 1.0 cut target -1", "at 1.0000000000 cut",
      "set window", "cut at 1.0", "at 1.0 cut for x",
    ])
  func errors(line: String) {
    let error = #expect(throws: Script.SyntaxError.self) { try Script("# a remark\n\(line)") }
    #expect(error?.description == "line 2: cannot read \"\(line)\"")
  }
}

@Suite struct ShrinkerTests {
  /// The defect: a cut while the store hangs, in a run with a small window.
  private static func run(_ script: Script) -> Failure? {
    guard script.setting("window") == 8 else { return nil }
    for hang in script.actions where hang.kind == .storeHangs {
      for cut in script.actions where cut.kind == .cut && cut.time > hang.time {
        if cut.time < hang.time + hang.duration && hang.duration > .seconds(2) { return Failure("I3d", "\(cut.time)") }
      }
    }
    return script.actions.contains { $0.kind == .twin } ? Failure("I4", "another one") : nil
  }

  @Test("what is left of a long script is the two actions that fail together, as short as they still do")
  func shrinks() throws {
    var script = Swarm([Swarm.Choice(.restart), Swarm.Choice(.powerCut), Swarm.Choice(.twin)]).script(Seed(2))
    script.settings = [Script.Setting("block", 2), Script.Setting("window", 8)]
    script.actions.insert(Action(at: .zero, .storeHangs, for: .seconds(3600)), at: 0)
    script.actions.append(Action(at: .seconds(3000), .cut, target: 1))
    script.actions.sort { $0.time < $1.time }
    let failure = try #require(Self.run(script))
    #expect(failure.oracle == "I3d")
    var shrinker = Shrinker(run: Self.run)
    let small = shrinker.shrink(script, failure)
    #expect(small.settings == [Script.Setting("window", 8)])
    #expect(small.actions.map(\.kind) == [.storeHangs, .cut])
    #expect(small.actions[0].time <= .milliseconds(1) && small.actions[0].duration < .seconds(5))
    #expect(small.actions[1].time < .milliseconds(10))
    #expect(Self.run(small)?.oracle == "I3d")
    #expect(shrinker.runs < 500)
  }

  @Test("it never takes more runs than it may, and gives back what fails")
  func limit() throws {
    let script = Script(
      seed: Seed(1),
      actions: (1...100).map { Action(at: .seconds($0), $0 == 70 ? .twin : .cut) }
        + [Action(at: .seconds(200), .storeHangs)])
    let run: (Script) -> Failure? = { $0.actions.contains { $0.kind == .twin } ? Failure("I4", "") : nil }
    var shrinker = Shrinker(limit: 10, run: run)
    let small = shrinker.shrink(script, try #require(run(script)))
    #expect(shrinker.runs == 10)
    #expect(run(small) != nil)
  }
}
