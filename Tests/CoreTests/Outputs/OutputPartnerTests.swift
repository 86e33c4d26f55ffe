import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

/// Outputs that are never on together.
@Suite struct OutputPartnerTests {
  private func pair(
    _ up: (inout OutputRules) -> Void = { _ in }, _ down: (inout OutputRules) -> Void = { _ in }
  ) -> [OutputPlan] {
    [
      OutputScene.plan("up", stream: 0) {
        $0.interlock = ["down"]
        up(&$0)
      },
      OutputScene.plan("down", stream: 1, down),
    ]
  }

  @Test("dead_time holds in both directions, whichever of the two has it", arguments: [0, 1])
  func deadTime(owner: Int) {
    var scene = OutputScene(
      pair({ if owner == 0 { $0.deadTime = .seconds(1) } }, { if owner == 1 { $0.deadTime = .seconds(1) } }))
    scene.pass(.seconds(1))
    for (first, second) in [("up", "down"), ("down", "up")] {
      scene.send("on", to: first)
      scene.send("off", to: first)
      guard case .pending(.flag(false), true, _)? = scene.send("on", to: second) else {
        Issue.record("\(second): \(scene.answers)")
        return
      }
      scene.pass(.seconds(1))
      scene.send("off", to: second)
      scene.pass(.seconds(1))
    }
    #expect(scene.log == ["0 on", "0 off", "1 on", "1 off", "1 on", "1 off", "0 on", "0 off"])
  }

  @Test("an on that waits for the dead time is over when the partner goes on")
  func waits() {
    var scene = OutputScene(pair { $0.deadTime = .seconds(5) })
    scene.pass(.seconds(5))
    scene.send("on", to: "up")
    scene.send("off", to: "up")
    scene.send("on", to: "down")
    scene.pass(.seconds(1))
    #expect(scene.send("on", to: "up") == .done(.flag(true)))
    scene.pass(.seconds(60))
    scene.send("off", to: "up")
    scene.pass(.seconds(3600))
    #expect(!scene.isOn(1))
  }

  @Test("of two with start: on one goes on, and the other does not follow it hours later")
  func bothStart() {
    var scene = OutputScene(pair({ $0.start = .on }, { $0.start = .on }))
    #expect(scene.isOn(0))
    #expect(!scene.isOn(1))
    scene.pass(.seconds(3600))
    scene.send("off", to: "up")
    scene.pass(.seconds(3600))
    #expect(!scene.isOn(1))
  }

  @Test("a partner that failed counts as on until it is taken again and off, and the dead time from then")
  func failedPartner() {
    var scene = OutputScene(pair { $0.deadTime = .seconds(5) })
    scene.pass(.seconds(5))
    scene.send("on", to: "up")
    scene.report(0, .failed("the chip is gone"))
    scene.pass(.seconds(10))
    scene.report(0, .held(.off, description: "line"))
    guard case .pending? = scene.send("on", to: "down") else {
      Issue.record("\(scene.answers)")
      return
    }
    scene.pass(.seconds(5))
    #expect(scene.isOn(1))
  }

  @Test("one whose partner names it is not requested with on")
  func namedRequest() {
    var scene = OutputScene(pair { $0.interlock = [] })
    scene.pairs = [(0, 1), (0, 2)]
    scene.send("on", to: "up")
    scene.outputs.adopt(
      [
        OutputScene.plan("up", stream: 0) { $0.interlock = ["left"] },
        OutputScene.plan("left", stream: 2) { $0.start = .on },
      ], at: scene.now)
    scene.settle()
    #expect(scene.clashes.isEmpty)
    #expect(scene.requests[2] == .off)
  }

  @Test("a stop that says on does not put one on beside its partner, or before min_off is over")
  func stopsOn() {
    var scene = OutputScene(pair({ $0.stop = .on }))
    scene.pairs = [(0, 1)]
    scene.send("on", to: "down")
    scene.drives = false
    scene.outputs.stop(at: scene.now)
    scene.settle()
    scene.catchUp()
    #expect(scene.clashes.isEmpty)
    #expect(scene.outputs.isReleased)
    var early = OutputScene([
      OutputScene.plan("a") {
        $0.stop = .on
        $0.minOff = .seconds(60)
      }
    ])
    early.outputs.stop(at: early.now)
    early.settle()
    #expect(early.outputs.isReleased)
    #expect(!early.isOn(0))
  }

  @Test("what a loss wants waits for a partner that goes off by the same loss")
  func lostPair() {
    var scene = OutputScene(
      pair({ $0.lost = .init(after: .seconds(60), isOn: true) }, { $0.lost = .init(after: .seconds(60), isOn: false) }))
    scene.pairs = [(0, 1)]
    scene.send("on", to: "down")
    scene.pass(.seconds(60))
    #expect(scene.isOn(0))
    #expect(!scene.isOn(1))
    #expect(scene.clashes.isEmpty)
  }

  @Test("what stop: keep left on stays on where its partner is held before it, and goes off else", arguments: [0, 1])
  func kept(first: Int) {
    var scene = OutputScene(pair { $0.stop = .keep }, holds: false)
    scene.drives = true
    for place in [first, 1 - first] { scene.report(place, .held(place == 0 ? .on : .off, description: "line")) }
    #expect(scene.log == (first == 0 ? ["0 off"] : []))
  }
}
