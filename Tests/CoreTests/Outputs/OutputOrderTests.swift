import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

/// Which rule wins: each beats those below it.
@Suite struct OutputOrderTests {
  private func scene(_ change: (inout OutputRules) -> Void) -> OutputScene {
    OutputScene([OutputScene.plan("a", change)])
  }

  @Test("1 a line that is not held has no value, and nothing is queued for it")
  func notHeld() {
    var scene = scene { _ in }
    scene.report(0, .failed("gone"))
    #expect(scene.send("on", to: "a") == .refused("gone", nil))
    scene.report(0, .held(.off, description: "line"))
    #expect(scene.log.isEmpty)
  }

  @Test("2 an interlock beats the stop, lost, and min_on")
  func interlock() {
    var scene = OutputScene([
      OutputScene.plan("a", stream: 0) {
        $0.interlock = ["b"]
        $0.minOn = .seconds(60)
        $0.stop = .on
        $0.lost = .init(after: .seconds(60), isOn: true)
      },
      OutputScene.plan("b", stream: 1),
    ])
    scene.send("on", to: "a")
    scene.report(1, .failed("gone"))
    #expect(scene.causes().last == "false interlock")
    scene.pass(.seconds(60))
    scene.outputs.stop(at: scene.now)
    scene.settle()
    #expect(!scene.isOn(0))
  }

  @Test("3 min_off beats the stop, lost and the start")
  func minOff() {
    var scene = scene {
      $0.minOff = .seconds(90)
      $0.start = .on
      $0.stop = .on
      $0.lost = .init(after: .seconds(60), isOn: true)
    }
    scene.pass(.seconds(89))
    #expect(!scene.isOn(0))
    scene.outputs.stop(at: scene.now)
    scene.settle()
    #expect(!scene.isOn(0))
  }

  @Test("4 the stop beats max_on, lost and min_on")
  func stop() {
    var scene = scene {
      $0.stop = .on
      $0.maxOn = .seconds(60)
      $0.lost = .init(after: .seconds(60), isOn: false)
    }
    scene.send("on", to: "a")
    scene.pass(.milliseconds(59_999))
    scene.now = scene.now + .milliseconds(1)
    scene.outputs.stop(at: scene.now)
    scene.settle()
    #expect(scene.isOn(0))
    #expect(scene.released == [0])
  }

  @Test("5 max_on beats lost and min_on")
  func maxOn() {
    var scene = scene {
      $0.maxOn = .seconds(30)
      $0.minOn = .seconds(30)
      $0.lost = .init(after: .seconds(10), isOn: true)
    }
    scene.pass(.seconds(39))
    #expect(scene.isOn(0))
    scene.pass(.seconds(1))
    #expect(scene.causes().last == "false max_on")
  }

  @Test("6 lost beats min_on and the newest command; 7 min_on beats a command and the end of its time")
  func lost() {
    var scene = scene {
      $0.minOn = .seconds(60)
      $0.lost = .init(after: .seconds(10), isOn: false)
    }
    scene.send("on", to: "a")
    guard case .pending? = scene.send("off", to: "a") else {
      Issue.record("\(scene.answers)")
      return
    }
    scene.pass(.seconds(9))
    #expect(scene.isOn(0))
    scene.pass(.seconds(1))
    #expect(scene.causes().last == "false lost")
    #expect(scene.send("on", to: "a")?.isRefused == true)
  }

  @Test("8 the end of a command's time beats the command, and 9 a command the start")
  func end() {
    var scene = scene { $0.start = .on }
    scene.send("off", to: "a")
    #expect(!scene.isOn(0))
    scene.send(#"{"value":"on","for":"5s"}"#, to: "a")
    scene.pass(.seconds(5))
    #expect(scene.causes().last == "false for")
  }
}
