import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

/// Outputs whose lines fail and return, that are reloaded, made safe and let go of.
@Suite struct OutputLifeTests {
  private func plan(_ change: (inout OutputRules) -> Void = { _ in }) -> OutputPlan { OutputScene.plan("a", change) }

  // MARK: The line

  @Test("what it is requested with follows what is wanted while it is away")
  func requests() {
    var scene = OutputScene([
      plan {
        $0.start = .on
        $0.lost = .init(after: .seconds(60), isOn: false)
      }
    ])
    scene.report(0, .failed("gone"))
    #expect(scene.requests[0] == .on)
    scene.pass(.seconds(60))
    #expect(scene.requests[0] == .off)
    var other = OutputScene([plan { $0.start = .on }])
    other.report(0, .failed("gone"))
    other.outputs.adopt([plan()], at: other.now)
    other.settle()
    #expect(other.requests[0] == .off)
  }

  @Test("stop: keep adopts what it finds, also when the first attempt failed, and only once")
  func adopts() {
    var scene = OutputScene([plan { $0.stop = .keep }], holds: false)
    scene.drives = true
    scene.report(0, .failed("busy"))
    scene.report(0, .held(.on, description: "line"))
    #expect(scene.causes().last == "true start")
    #expect(scene.send("off", to: "a") == .done(.flag(false)))
    #expect(scene.log == ["0 off"])
    scene.report(0, .failed("gone"))
    scene.report(0, .held(.off, description: "line"))
    #expect(scene.causes().last == "false returned")
  }

  @Test("min_off counts from when it is known to be off, and not from a failure")
  func minOff() {
    var scene = OutputScene([plan { $0.minOff = .seconds(5) }])
    scene.pass(.seconds(5))
    scene.send("on", to: "a")
    scene.report(0, .failed("gone"))
    scene.pass(.seconds(10))
    scene.report(0, .held(.off, description: "line"))
    guard case .refused(_, _, .seconds(5)?)? = scene.send("on", to: "a") else {
      Issue.record("\(scene.answers)")
      return
    }
  }

  @Test("a way off by max_on that failed does not begin a new time on, and one that was carried out does")
  func failedLimit() {
    for isConfirmed in [false, true] {
      var scene = OutputScene([
        plan {
          $0.start = .on
          $0.maxOn = .seconds(60)
        }
      ])
      scene.drives = isConfirmed
      scene.pass(.seconds(60))
      scene.report(0, .failed("gone"))
      scene.pass(.seconds(10))
      #expect(scene.requests[0] == (isConfirmed ? .on : .off))
      scene.drives = true
      scene.report(0, .held(scene.requests[0], description: "line"))
      scene.pass(.seconds(59))
      #expect(scene.causes().last == (isConfirmed ? "true returned" : "false returned"))
    }
  }

  @Test("the time on runs on while the line is away")
  func limitAway() {
    var scene = OutputScene([
      plan {
        $0.start = .on
        $0.maxOn = .seconds(60)
      }
    ])
    scene.pass(.seconds(30))
    scene.report(0, .failed("gone"))
    scene.report(0, .held(.on, description: "line"))
    scene.pass(.seconds(29))
    #expect(scene.causes().last == "true returned")
    scene.pass(.seconds(1))
    #expect(scene.causes().last == "false max_on")
  }

  @Test("off and on before the line has gone off do not begin max_on anew, and min_off lets on wait for that")
  func offAndOn() {
    var scene = OutputScene([plan { $0.maxOn = .seconds(60) }])
    scene.send("on", to: "a")
    scene.pass(.seconds(30))
    scene.drives = false
    scene.send("off", to: "a")
    scene.send("on", to: "a")
    // The driver had not begun the way off when on came.
    scene.report(0, .driven(number: 3, readBack: .on))
    scene.drives = true
    scene.pass(.seconds(30))
    #expect(scene.causes().last == "false max_on")
    var rests = OutputScene([plan { $0.minOff = .seconds(5) }])
    rests.pass(.seconds(5))
    rests.send("on", to: "a")
    rests.drives = false
    rests.send("off", to: "a")
    #expect(rests.send("on", to: "a")?.isRefused == true)
  }

  @Test("lost with state on comes after an old max_on, and a pulse ends it")
  func lostOn() {
    var scene = OutputScene([
      plan {
        $0.maxOn = .seconds(10)
        $0.lost = .init(after: .seconds(60), isOn: true)
      }
    ])
    scene.send("on", to: "a")
    scene.pass(.seconds(60))
    #expect(scene.causes().suffix(2) == ["false max_on", "true lost"])
    var pulse = OutputScene([
      plan {
        $0.pulse = .seconds(1)
        $0.lost = .init(after: .seconds(60), isOn: true)
      }
    ])
    pulse.pass(.seconds(61))
    #expect(pulse.causes().suffix(2) == ["true lost", "false pulse"])
  }

  @Test("an output that is not driven a second after it was told to be is overdue")
  func overdue() {
    var scene = OutputScene([plan { $0.maxOn = .seconds(60) }])
    scene.send("on", to: "a")
    scene.drives = false
    scene.pass(.seconds(61))
    #expect(scene.outputs.overdue(at: scene.now) == nil)
    scene.pass(.milliseconds(1))
    #expect(scene.outputs.overdue(at: scene.now) == "a")
    scene.report(0, .failed("it does not answer"))
    #expect(scene.outputs.overdue(at: scene.now) == nil)
  }

  // MARK: Another configuration

  @Test("another stop reaches what is left behind should the process die")
  func secures() {
    var scene = OutputScene([plan()])
    scene.outputs.adopt([plan { $0.stop = .keep }], at: scene.now)
    scene.settle()
    scene.outputs.adopt([plan { $0.stop = .keep }], at: scene.now)
    scene.settle()
    #expect(scene.secured == ["0 untouched"])
  }

  @Test("what a reload removes is made safe, also where stop is keep, and begins anew when it is added again")
  func removedIsSafe() {
    let kept = plan { $0.stop = .keep }
    var scene = OutputScene([kept])
    scene.send("on", to: "a")
    var moved = kept
    moved = OutputPlan(
      name: "a", stream: kept.stream, request: .gpio(GPIOOutput(chip: nil, line: .name("other"))), rules: kept.rules)
    scene.outputs.adopt([moved], at: scene.now)
    scene.settle()
    #expect(scene.causes().suffix(2) == ["false reload", "false reload"])
    #expect(scene.secured == ["0 \(OutputEnd.level(.off))"])
    #expect(!scene.isOn(0) && scene.released == [0])
    // What is found on the new line is of nobody.
    let place = scene.outputs.place(of: "a")
    #expect(place.flatMap { scene.outputs.entries[$0] }?.output.adopts == false)
  }

  @Test(
    "what a stop: keep leaves on is left untouched by a stop, and off by a reload that removes it before it is held")
  func removedUnheld() {
    var scene = OutputScene([plan { $0.stop = .keep }], holds: false)
    scene.outputs.adopt([], at: scene.now)
    scene.settle()
    scene.report(0, .held(.on, description: "line"))
    #expect(scene.log.isEmpty && !scene.isOn(0))
    #expect(scene.causes() == ["false reload"])
  }

  @Test("an output that is removed and added again before it was let go of is there")
  func removedAndAdded() {
    var scene = OutputScene([plan()])
    scene.send("on", to: "a")
    scene.drives = false
    scene.outputs.adopt([], at: scene.now)
    scene.settle()
    scene.outputs.adopt([plan()], at: scene.now)
    scene.settle()
    scene.catchUp()
    #expect(scene.send("on", to: "a") == .done(.flag(true)))
  }

  @Test("a pulse that a reload brings or changes counts from when it went on")
  func reloadedPulse() {
    var scene = OutputScene([plan()])
    scene.send("on", to: "a")
    scene.pass(.seconds(3))
    scene.outputs.adopt([plan { $0.pulse = .seconds(5) }], at: scene.now)
    scene.settle()
    scene.pass(.seconds(2))
    #expect(scene.causes().last == "false pulse")
  }

  @Test("max_rate follows a reload, and who waits for an output that is removed is answered once")
  func reloads() {
    var scene = OutputScene([plan { $0.maxRate = 1 }])
    scene.outputs.adopt([plan { $0.maxRate = 3 }], at: scene.now)
    scene.settle()
    for _ in 0..<3 { #expect(scene.send("on", to: "a")?.isRefused == false) }
    scene.drives = false
    scene.send("off", to: "a")
    scene.answers = []
    scene.outputs.adopt([], at: scene.now)
    scene.settle()
    scene.catchUp()
    #expect(scene.answers.count == 1)
  }

  // MARK: The end

  @Test("a fan that is given back at the end is not driven to 0 before")
  func givesBack() {
    var scene = OutputScene([plan { $0.stop = .automatic }])
    scene.send("on", to: "a")
    scene.outputs.stop(at: scene.now)
    scene.settle()
    #expect(scene.log == ["0 on"])
    #expect(scene.outputs.isReleased)
  }

  @Test("one that is stopped before it was held is told as what it is left with")
  func stopsEarly() {
    var scene = OutputScene([plan { $0.start = .on }], holds: false)
    scene.outputs.stop(at: scene.now)
    scene.settle()
    scene.catchUp()
    #expect(scene.causes() == ["false stop"])
    #expect(scene.outputs.isReleased)
  }

  @Test("made safe, each gets what stop says past lost, max_age and min_on, and says how it went")
  func safe() {
    var scene = OutputScene([
      OutputScene.plan("a", stream: 0) {
        $0.minOn = .seconds(60)
        $0.maxAge = .seconds(5)
        $0.start = .on
      },
      OutputScene.plan("b", stream: 1) {
        $0.lost = .init(after: .seconds(10), isOn: true)
      },
      OutputScene.plan("c", stream: 2) { $0.stop = .automatic },
      OutputScene.plan("d", stream: 3) { $0.stop = .on },
      OutputScene.plan("e", stream: 4),
    ])
    scene.send("on", to: "c")
    scene.report(4, .failed("gone"))
    scene.pass(.seconds(10))
    #expect(scene.isOn(1))
    let answers = scene.makeSafe()
    #expect(answers.count == 5)
    #expect(answers.count { !$0.isDone } == 1)
    #expect([0, 1, 2, 3].map { scene.isOn($0) } == [false, false, true, true])
    #expect(scene.causes(0).last == "false stop")
    #expect(scene.send("on", to: "b")?.isRefused == true)
    scene.pass(.seconds(60))
    #expect([0, 1, 2, 3].map { scene.isOn($0) } == [false, false, true, true])
  }

  @Test("made safe, one that hangs holds up no other, and is answered for in 5 s")
  func safeHangs() {
    var scene = OutputScene([plan()])
    scene.send("on", to: "a")
    scene.drives = false
    #expect(scene.makeSafe().isEmpty)
    scene.pass(.seconds(5))
    #expect(scene.answers.last?.isRefused == true)
  }

  @Test("what is kept for the next start is what was driven, and goes with its output")
  func keepsPlain() {
    var scene = OutputScene([plan { $0.start = .restore }], plain: ["a": false, "gone": true])
    #expect(scene.outputs.forgotten == ["gone"])
    scene.drives = false
    scene.send("on", to: "a")
    #expect(scene.outputs.plain == ["a": false])
    scene.report(0, .failed("gone"))
    scene.drives = true
    scene.report(0, .held(.off, description: "line"))
    #expect(scene.causes().last == "false returned")
    scene.send("on", to: "a")
    #expect(scene.outputs.unstored == ["a": true])
    scene.outputs.stored(["a": true], without: ["gone"])
    #expect(!scene.outputs.hasUnstored)
    scene.outputs.found([:])
    #expect(scene.outputs.unstored == ["a": true])
  }

  @Test("a pulse that is over, and has not gone off yet, is none for the next command")
  func pulseNotOff() {
    var scene = OutputScene([plan { $0.pulse = .seconds(5) }])
    scene.send("on", to: "a")
    scene.drives = false
    scene.pass(.seconds(6))
    scene.send("on", to: "a")
    #expect(scene.answers.last?.isRefused == true)
    #expect(scene.outputs.deadline.map { $0 > scene.now } ?? true)
  }

  @Test("one that cannot be left as it should be is not asked for again")
  func failsAtTheEnd() {
    var outputs = Outputs([plan()], plain: [:], at: OutputScene.start)
    outputs.begin(at: OutputScene.start)
    let place = OutputID(place: 0)
    func report(_ content: DriverReport.Content) {
      outputs.take(DriverReport(output: place, content: content, time: OutputScene.start), at: OutputScene.start)
    }
    report(.held(.off, description: "line"))
    outputs.stop(at: OutputScene.start)
    _ = outputs.takeEffects()
    report(.failed("gone"))
    #expect(!outputs.takeEffects().contains { if case .drive = $0 { true } else { false } })
    report(.released)
    #expect(outputs.isReleased)
  }
}
