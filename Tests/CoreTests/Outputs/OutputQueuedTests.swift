import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

/// Commands that waited, that come again, and what is kept of them.
@Suite struct OutputQueuedTests {
  @Test("what the broker sends again under an id that nobody knows is refused, with obey too")
  func redelivered() {
    var scene = OutputScene([OutputScene.plan("a") { $0.obeysQueued = true }])
    guard case .refused(let reason, _, nil)? = scene.send(#"{"value":"on","id":"7"}"#, to: "a", .redelivered) else {
      Issue.record("\(scene.answers)")
      return
    }
    #expect(reason.contains("another id"))
    #expect(scene.send(#"{"value":"on","id":"8"}"#, to: "a", .queued) == .done(.flag(true)))
    // It is known: answered again, and not repeated.
    scene.send("off", to: "a")
    #expect(scene.send(#"{"value":"on","id":"8"}"#, to: "a", .redelivered) == .done(.flag(true)))
    #expect(scene.log == ["0 on", "0 off"])
    // Without an id nothing tells that it was carried out.
    #expect(scene.send("on", to: "a", .redelivered) == .done(.flag(true)))
  }

  @Test("a number above 0 is on for a line, 0 is off, and one below is refused", arguments: [0.4, 1, 37, 255])
  func numbers(number: Double) {
    var scene = OutputScene([OutputScene.plan("a")])
    #expect(scene.send("\(number)", to: "a") == .done(.flag(true)))
    #expect(scene.send("-1", to: "a")?.isRefused == true)
    #expect(scene.send("0", to: "a") == .done(.flag(false)))
  }

  @Test("a start restores plain on and off: of a number, what was there before it, and of 0 off")
  func restoresNumbers() {
    let request = OutputRequest.pwm(PWMOutput(device: "chip", channel: 0, frequency: 1000))
    var rules = OutputRules()
    rules.start = .restore
    var scene = OutputScene([OutputPlan(name: "a", stream: 0, request: request, rules: rules)])
    scene.send("30", to: "a")
    #expect(scene.outputs.plain.isEmpty)
    scene.send("on", to: "a")
    #expect(scene.outputs.plain == ["a": true])
    scene.send("0", to: "a")
    #expect(scene.outputs.plain == ["a": false])
    scene.send("30", to: "a")
    #expect(scene.outputs.plain == ["a": false])
  }

  @Test("a pulse is never restored: off is, and an on of a time without pulses is not")
  func restoresPulses() {
    var scene = OutputScene(
      [
        OutputScene.plan("a") {
          $0.start = .restore
          $0.pulse = .seconds(1)
        }
      ], plain: ["a": true])
    #expect(!scene.isOn(0))
    scene.send("on", to: "a")
    scene.pass(.seconds(2))
    #expect(scene.outputs.plain == ["a": true])
    scene.send("off", to: "a")
    #expect(scene.outputs.plain == ["a": false])
  }
}
