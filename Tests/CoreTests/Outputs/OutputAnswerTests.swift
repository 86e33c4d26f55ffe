import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

/// What commands are answered, and when.
@Suite struct OutputAnswerTests {
  @Test("a command that comes again under its id while it is under way gets the answer of the first")
  func joins() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.drives = false
    scene.send(#"{"value":"toggle","id":"7"}"#, to: "lamp")
    #expect(scene.send(#"{"value":"toggle","id":"7"}"#, to: "lamp") == nil)
    scene.catchUp()
    #expect(scene.answers == [.done(.flag(true)), .done(.flag(true))])
    #expect(scene.log == ["0 on"])
    scene.drives = false
    scene.send(#"{"value":"off","id":"8"}"#, to: "lamp")
    for _ in 1..<64 { scene.send(#"{"value":"off","id":"8"}"#, to: "lamp") }
    #expect(scene.send(#"{"value":"off","id":"8"}"#, to: "lamp")?.isRefused == true)
  }

  @Test("the log has the first refusal of each kind, whatever else was refused, and each kind has a count of its own")
  func refusalsByKind() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    for _ in 0..<3 { scene.send("on", to: "lamp", .queued) }
    scene.send("-1", to: "lamp")
    scene.send("nonsense", to: "lamp")
    for _ in 0..<2 { scene.send("on", to: "other") }
    let counts = scene.notes.compactMap { note -> String? in
      guard case .refused(let name, _, let count) = note else { return nil }
      return "\(name ?? "-") \(count)"
    }
    #expect(counts == ["lamp 1", "lamp 2", "lamp 3", "lamp 1", "lamp 1", "- 1", "- 2"])
    #expect(
      scene.outputs.refusals.filter { $0.value > 0 } == ["queued": 3, "value": 1, "malformed": 1, "unknown_output": 2])
    #expect(scene.answers == [.refused("there is no output \"other\"", nil)])
    scene.outputs.adopt([], at: scene.now)
    scene.settle()
    #expect(scene.outputs.refusals["queued"] == 3, "a counter never falls")
  }

  @Test("who asks over the control socket is answered within 8 s, by a driver that hangs too")
  func hangs() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.drives = false
    #expect(scene.send("on", to: "lamp") == nil)
    scene.pass(.seconds(7))
    #expect(scene.answers.isEmpty)
    scene.pass(.seconds(1))
    #expect(scene.answers == [.refused("its driver does not answer", nil)])
    scene.report(0, .driven(number: 1, readBack: .on))
    #expect(scene.answers.count == 1 && scene.causes().last == "true command")
  }

  @Test("off while on is under way is pending where it has to stay on for a while")
  func pendingOff() {
    var scene = OutputScene([OutputScene.plan("pump") { $0.minOn = .seconds(5) }])
    scene.drives = false
    scene.send("on", to: "pump")
    guard case .pending(.flag(true), false, _)? = scene.send("off", to: "pump") else {
      Issue.record("\(scene.answers)")
      return
    }
  }

  @Test("changes are counted by their cause and commands by their answer, from zero")
  func counts() throws {
    var scene = OutputScene([OutputScene.plan("lamp") { $0.maxOn = .seconds(5) }])
    func count(_ pairs: [(String, UInt64)], _ name: String) -> UInt64? { pairs.first { $0.0 == name }?.1 }
    scene.send("on", to: "lamp")
    scene.send("on", to: "lamp")
    scene.send("nonsense", to: "lamp")
    scene.pass(.seconds(6))
    let counts = try #require(scene.outputs.counts.first)
    #expect(counts.name == "lamp")
    #expect(counts.changes.map(\.cause) == OutputCause.allCases.map(\.rawValue))
    #expect(count(counts.changes, "start") == 1 && count(counts.changes, "command") == 1)
    #expect(count(counts.changes, "max_on") == 1 && count(counts.changes, "lost") == 0)
    #expect(count(counts.commands, "done") == 2 && count(counts.commands, "pending") == 0)
  }

  @Test("a level that reads back otherwise is no answer that it is done")
  func doubtful() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.drives = false
    scene.send("on", to: "lamp")
    scene.report(0, .driven(number: 1, readBack: .off))
    #expect(scene.answers.last?.isRefused == true)
  }

  @Test("a command that is refused since too many wait is not applied")
  func refusedIsNotApplied() {
    var scene = OutputScene([
      OutputScene.plan("lamp") {
        $0.maxRate = 1000
        $0.start = .restore
      }
    ])
    scene.drives = false
    for _ in 0..<64 { scene.send(#"{"value":"on","for":"10s"}"#, to: "lamp") }
    #expect(scene.send("on", to: "lamp")?.isRefused == true)
    scene.catchUp()
    scene.pass(.seconds(10))
    #expect(!scene.isOn(0))
    #expect(scene.outputs.plain.isEmpty)
  }

  @Test("a command before the first state calls nobody again and again")
  func early() {
    var scene = OutputScene([OutputScene.plan("lamp")], holds: false)
    scene.send("on", to: "lamp")
    #expect(scene.outputs.deadline == nil)
  }

  @Test("an on that waits is over when its message has expired")
  func expires() {
    var scene = OutputScene([
      OutputScene.plan("up", stream: 0) {
        $0.interlock = ["down"]
        $0.deadTime = .seconds(5)
      },
      OutputScene.plan("down", stream: 1),
    ])
    scene.outputs.take(
      Command(.on), of: "up", from: .local(1), .live, until: scene.now + .seconds(3), at: scene.moment)
    scene.settle()
    scene.pass(.seconds(60))
    #expect(!scene.isOn(0))
    scene.outputs.take(
      Command(.on), of: "up", from: .local(1), .live, until: scene.now + .seconds(3), at: scene.moment)
    scene.settle()
    scene.pass(.seconds(60))
    #expect(scene.isOn(0))
  }
}
