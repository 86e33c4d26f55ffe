import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

/// Ways from level to level that take their time.
@Suite struct OutputRampTests {
  private func scene(_ change: (inout OutputRules) -> Void = { _ in }) -> OutputScene {
    var rules = OutputRules()
    rules.ramp = .seconds(10)
    change(&rules)
    return OutputScene([OutputPlan(name: "lamp", stream: 0, request: .led("lamp"), rules: rules)])
  }

  @Test("a command goes there in steps, says when it will be there, and is told once, at the end")
  func goes() {
    var scene = scene()
    let at = scene.moment.wall.time(of: scene.now + .seconds(5))
    #expect(scene.send("50", to: "lamp") == .pending(.number(0), isOn: true, at: at))
    scene.pass(.seconds(1))
    #expect(abs((scene.levels[0]?.percent ?? 0) - 10) < 1)
    #expect(scene.causes() == ["0.0 start"])
    #expect(scene.outputs.overdue(at: scene.now) == nil)
    scene.pass(.seconds(4))
    #expect(scene.levels[0]?.percent == 50)
    #expect(scene.causes() == ["0.0 start", "50.0 command"])
    #expect(scene.outputs.deadline == nil)
    scene.send("off", to: "lamp")
    scene.pass(.seconds(5))
    #expect(!scene.isOn(0) && scene.causes().last == "0.0 command")
  }

  @Test("another command goes on from where it is; the one before was not done")
  func turns() {
    var scene = scene()
    scene.send("on", to: "lamp")
    scene.pass(.seconds(6))
    scene.send("off", to: "lamp")
    scene.pass(.seconds(3))
    #expect(abs((scene.levels[0]?.percent ?? 0) - 30) < 1)
    scene.pass(.seconds(3))
    #expect(!scene.isOn(0) && scene.causes() == ["0.0 start", "0.0 command"])
  }

  @Test("a way that a longer one takes the place of is not overdue at the time it would have ended")
  func longerWay() {
    var scene = scene()
    scene.send("10", to: "lamp")
    scene.pass(.milliseconds(500))
    scene.send("on", to: "lamp")
    for _ in 0..<8 {
      scene.pass(.seconds(1))
      #expect(scene.outputs.overdue(at: scene.now) == nil)
    }
    scene.pass(.seconds(2))
    #expect(scene.levels[0]?.percent == 100 && scene.causes() == ["0.0 start", "100.0 command"])
  }

  @Test(
    "what makes it safe takes no time, also where it is on its way off", arguments: ["stop", "safe", "max_on", "lost"])
  func safe(_ way: String) {
    var scene = scene {
      if way == "max_on" { $0.maxOn = .seconds(30) }
      if way == "lost" { $0.lost = .init(after: .seconds(30), isOn: false) }
    }
    scene.send("on", to: "lamp")
    scene.pass(.seconds(28))
    scene.send("off", to: "lamp")
    scene.pass(.seconds(1))
    #expect(scene.isOn(0))
    switch way {
    case "stop": scene.outputs.stop(at: scene.now)
    case "safe": _ = scene.makeSafe()
    default: scene.pass(.seconds(1) + .milliseconds(1))
    }
    scene.settle()
    #expect(!scene.isOn(0))
    #expect(way != "stop" || scene.outputs.isReleased)
  }

  @Test("a line that fails on its way begins anew when it is back")
  func fails() {
    var scene = scene()
    scene.send("on", to: "lamp")
    scene.pass(.seconds(5))
    scene.report(0, .failed("it is gone"))
    scene.pass(.seconds(5))
    scene.report(0, .held(.off, description: "LED"))
    scene.pass(.seconds(5))
    #expect(scene.causes().last == "0.0 returned" && scene.outputs.deadline == nil)
  }
}
