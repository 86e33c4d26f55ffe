import LimpetInstants
import Measuring
import Plan
import Readings
import Testing

@testable import Core

@Suite struct OutputTests {
  @Test("it starts off, is switched, and every change is told with its cause")
  func switches() {
    var scene = OutputScene([OutputScene.plan("pump")])
    #expect(scene.send("on", to: "pump") == .done(.flag(true)))
    #expect(scene.isOn(0))
    #expect(scene.send("OFF", to: "pump") == .done(.flag(false)))
    #expect(scene.send("toggle", to: "pump") == .done(.flag(true)))
    #expect(scene.causes() == ["false start", "true command", "false command", "true command"])
  }

  @Test("start: on is in the request itself; with min_off it comes when that is over")
  func startsOn() {
    let scene = OutputScene([OutputScene.plan("lamp") { $0.start = .on }])
    #expect(scene.isOn(0))
    #expect(scene.log.isEmpty)
    var later = OutputScene([
      OutputScene.plan("lamp") {
        $0.start = .on
        $0.minOff = .seconds(5)
      }
    ])
    #expect(!later.isOn(0))
    later.pass(.seconds(5))
    #expect(later.isOn(0))
    #expect(later.causes() == ["false start", "true start"])
  }

  @Test("restore brings back the last plain on or off, and nothing that was for a time")
  func restores() {
    let plan = OutputScene.plan("lamp") { $0.start = .restore }
    var scene = OutputScene([plan])
    scene.send("on", to: "lamp")
    scene.send(#"{"value":"off"}"#, to: "lamp")
    scene.send(#"{"value":"on","for":"10s"}"#, to: "lamp")
    #expect(scene.outputs.plain == ["lamp": false])
    #expect(OutputScene([plan], plain: ["lamp": true]).isOn(0))
    #expect(!OutputScene([plan], plain: ["lamp": false]).isOn(0))
  }

  @Test("max_on ends it, whoever wants it, and a repeated on does not begin it anew")
  func maxOn() {
    var scene = OutputScene([OutputScene.plan("pump") { $0.maxOn = .seconds(60) }])
    scene.send("on", to: "pump")
    scene.pass(.seconds(50))
    scene.send("on", to: "pump")
    scene.pass(.seconds(9))
    #expect(scene.isOn(0))
    scene.pass(.seconds(1))
    #expect(!scene.isOn(0))
    #expect(scene.causes().last == "false max_on")
    #expect(scene.send("on", to: "pump") == .done(.flag(true)))
    #expect(scene.send(#"{"value":"on","for":"2m"}"#, to: "pump")?.isRefused == true)
  }

  @Test("min_on lets a command to go off wait, and says until when")
  func minOn() {
    var scene = OutputScene([OutputScene.plan("pump") { $0.minOn = .seconds(5) }])
    scene.send("on", to: "pump")
    scene.pass(.seconds(1))
    guard case .pending(.flag(true), false, _)? = scene.send("off", to: "pump") else {
      Issue.record("\(scene.answers)")
      return
    }
    #expect(scene.isOn(0))
    scene.pass(.seconds(4))
    #expect(!scene.isOn(0))
    #expect(scene.causes().last == "false command")
  }

  @Test("min_off refuses a command to go on, and says when it would not be; the start counts as just switched off")
  func minOff() {
    var scene = OutputScene([OutputScene.plan("pump") { $0.minOff = .seconds(5) }])
    scene.pass(.seconds(2))
    guard case .refused(_, .flag(false), .seconds(3)?)? = scene.send("on", to: "pump") else {
      Issue.record("\(scene.answers)")
      return
    }
    scene.pass(.seconds(3))
    #expect(scene.send("on", to: "pump") == .done(.flag(true)))
  }

  @Test("a pulse lasts its time, is not extended, and is ended by off")
  func pulses() {
    var scene = OutputScene([OutputScene.plan("gate") { $0.pulse = .milliseconds(500) }])
    scene.send("on", to: "gate")
    scene.pass(.milliseconds(400))
    #expect(scene.send("on", to: "gate") == .done(.flag(true)))
    scene.pass(.milliseconds(100))
    #expect(!scene.isOn(0))
    #expect(scene.causes().last == "false pulse")
    scene.send("on", to: "gate")
    scene.send("off", to: "gate")
    #expect(!scene.isOn(0))
    #expect(scene.send("toggle", to: "gate")?.isRefused == true)
    #expect(scene.send(#"{"value":"on","for":"1s"}"#, to: "gate")?.isRefused == true)
  }

  @Test("for ends by itself, and the next command replaces it")
  func lastsFor() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.send(#"{"value":true,"for":"10s"}"#, to: "lamp")
    scene.pass(.seconds(10))
    #expect(!scene.isOn(0))
    #expect(scene.causes().last == "false for")
    scene.send(#"{"value":true,"for":"10s"}"#, to: "lamp")
    scene.pass(.seconds(5))
    scene.send("on", to: "lamp")
    scene.pass(.seconds(20))
    #expect(scene.isOn(0))
  }

  @Test("lost gives its state when nothing was heard, and what comes back restores nothing")
  func lost() {
    var scene = OutputScene([OutputScene.plan("heater") { $0.lost = .init(after: .seconds(60), isOn: false) }])
    scene.send("on", to: "heater")
    scene.pass(.seconds(59))
    scene.outputs.listen(scene.now, at: scene.now)
    scene.pass(.seconds(59))
    #expect(scene.isOn(0))
    scene.pass(.seconds(1))
    #expect(!scene.isOn(0))
    #expect(scene.causes().last == "false lost")
    #expect(scene.send("on", to: "heater")?.isRefused == true)
    scene.outputs.listen(scene.now, at: scene.now)
    scene.settle()
    #expect(!scene.isOn(0))
    #expect(scene.send("on", to: "heater") == .done(.flag(true)))
  }

  @Test("lost with state on still obeys max_on and min_off")
  func lostOn() {
    var scene = OutputScene([
      OutputScene.plan("vent") {
        $0.lost = .init(after: .seconds(60), isOn: true)
        $0.minOff = .seconds(90)
        $0.maxOn = .seconds(30)
      }
    ])
    scene.pass(.seconds(89))
    #expect(!scene.isOn(0))
    scene.pass(.seconds(1))
    #expect(scene.isOn(0))
    scene.pass(.seconds(30))
    #expect(!scene.isOn(0))
    scene.pass(.seconds(600))
    #expect(!scene.isOn(0))
    #expect(scene.causes() == ["false start", "true lost", "false max_on"])
  }

  @Test("interlocked outputs are never on together, and rest between each other")
  func interlock() {
    var scene = OutputScene([
      OutputScene.plan("up", stream: 0) {
        $0.interlock = ["down"]
        $0.deadTime = .seconds(1)
      },
      OutputScene.plan("down", stream: 1) { $0.deadTime = .seconds(1) },
    ])
    #expect(scene.send("on", to: "up")?.isRefused == false)
    scene.pass(.seconds(1))
    #expect(scene.isOn(0))
    #expect(scene.send("on", to: "down")?.isRefused == true)
    scene.send("off", to: "up")
    guard case .pending(.flag(false), true, _)? = scene.send("on", to: "down") else {
      Issue.record("\(scene.answers)")
      return
    }
    #expect(!scene.isOn(1))
    scene.pass(.seconds(1))
    #expect(scene.isOn(1))
  }

  @Test("a partner counts as on until the driver has switched it off, and one that is not held forbids on")
  func slowPartner() {
    var scene = OutputScene([
      OutputScene.plan("up", stream: 0) { $0.interlock = ["down"] }, OutputScene.plan("down", stream: 1),
    ])
    scene.send("on", to: "up")
    scene.drives = false
    scene.send("off", to: "up")
    scene.drives = true
    #expect(scene.send("on", to: "down")?.isRefused == true)
    scene.catchUp()
    #expect(scene.send("on", to: "down") == .done(.flag(true)))
    scene.report(0, .failed("the chip is gone"))
    #expect(!scene.isOn(1))
    #expect(scene.causes(1).last == "false interlock")
    #expect(scene.send("on", to: "down")?.isRefused == true)
  }

  @Test("a line that comes back begins as at a start, and an earlier command never comes back")
  func returns() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.send("on", to: "lamp")
    scene.report(0, .failed("the chip is gone"))
    #expect(scene.send("on", to: "lamp")?.isRefused == true)
    scene.report(0, .held(.off, description: "line"))
    #expect(scene.causes() == ["false start", "true command", "false returned"])
    guard scene.published.count == 4, case .bad("the chip is gone") = scene.published[2].content else {
      Issue.record("\(scene.published)")
      return
    }
  }

  @Test("what was lost while the line was away is nothing any more by a reload without the rule")
  func lostAwayByOldRule() {
    var scene = OutputScene([OutputScene.plan("vent") { $0.lost = .init(after: .seconds(60), isOn: true) }])
    scene.report(0, .failed("no chip"))
    scene.pass(.seconds(61))
    scene.outputs.adopt([OutputScene.plan("vent")], at: scene.now)
    scene.settle()
    scene.report(0, .held(.off, description: "line"))
    #expect(!scene.isOn(0))
    #expect(scene.causes().last == "false returned")
  }

  @Test("what was lost while the line was away is driven when it is back, and not taken for what it came back with")
  func lostAway() {
    var scene = OutputScene([OutputScene.plan("vent") { $0.lost = .init(after: .seconds(60), isOn: true) }])
    scene.report(0, .failed("the chip is gone"))
    scene.pass(.seconds(60))
    scene.report(0, .held(.off, description: "line"))
    #expect(scene.isOn(0))
    #expect(scene.causes().last == "true lost")
  }

  @Test("two commands before the driver has said anything: each is answered and told when it was carried out")
  func twoUnderWay() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.drives = false
    #expect(scene.send("on", to: "lamp") == nil)
    #expect(scene.send("off", to: "lamp") == nil)
    scene.report(0, .driven(number: 1, readBack: .on))
    #expect(scene.answers == [.done(.flag(true))])
    scene.report(0, .driven(number: 2, readBack: .off))
    #expect(scene.answers == [.done(.flag(true)), .done(.flag(false))])
    #expect(scene.causes() == ["false start", "true command", "false command"])
  }

  @Test("the driver leaves out what it has not begun when something newer comes: that was not done")
  func leftOut() {
    var scene = OutputScene([OutputScene.plan("lamp") { $0.maxOn = .seconds(60) }])
    scene.drives = false
    for level in ["on", "off", "on"] { scene.send(level, to: "lamp") }
    scene.report(0, .driven(number: 1, readBack: .on))
    scene.pass(.seconds(1))
    scene.report(0, .driven(number: 3, readBack: .on))
    let overtaken = CommandAnswer.refused("another command came", .flag(true))
    #expect(scene.answers == [.done(.flag(true)), overtaken, .done(.flag(true))])
    #expect(scene.causes() == ["false start", "true command", "true command"])
  }

  @Test("off, while on is under way again behind it: its time on begins with that")
  func offBetween() {
    var scene = OutputScene([OutputScene.plan("lamp") { $0.maxOn = .seconds(60) }])
    scene.send("on", to: "lamp")
    scene.pass(.seconds(59))
    scene.drives = false
    for level in ["off", "on"] { scene.send(level, to: "lamp") }
    scene.report(0, .driven(number: 2, readBack: .off))
    scene.report(0, .driven(number: 3, readBack: .on))
    scene.drives = true
    scene.pass(.seconds(59))
    #expect(scene.isOn(0))
    scene.pass(.seconds(1))
    #expect(!scene.isOn(0) && scene.causes().last == "false max_on")
  }

  @Test("the newest command replaces one whose level is not on its way, and what waits is bounded")
  func superseded() {
    var scene = OutputScene([OutputScene.plan("lamp") { $0.maxRate = 10_000 }])
    scene.drives = false
    for _ in 0..<64 { #expect(scene.send("on", to: "lamp") == nil) }
    #expect(scene.send("on", to: "lamp")?.isRefused == true)
    for number in 0..<1000 { scene.send(number % 2 == 0 ? "off" : "on", to: "lamp") }
    #expect((scene.outputs.entries[0]?.waiting.count ?? 0) <= 64)
  }

  @Test("the stop gives what stop says, and beats min_on")
  func stops() {
    var scene = OutputScene([
      OutputScene.plan("a", stream: 0) { $0.minOn = .seconds(60) },
      OutputScene.plan("b", stream: 1) { $0.stop = .on },
      OutputScene.plan("c", stream: 2) { $0.stop = .keep },
    ])
    for name in ["a", "c"] { scene.send("on", to: name) }
    scene.outputs.stop(at: scene.now)
    #expect(!scene.outputs.isReleased)
    scene.settle()
    #expect(scene.outputs.isReleased)
    #expect([scene.isOn(0), scene.isOn(1), scene.isOn(2)] == [false, true, true])
    #expect(scene.causes(0).last == "false stop")
    #expect(scene.send("on", to: "a")?.isRefused == true)
    #expect(scene.released == [2, 0, 1])
  }

  @Test("a reload lets those that stay go on, and switches off before anything is switched on")
  func adopts() {
    var scene = OutputScene([
      OutputScene.plan("a", stream: 0), OutputScene.plan("b", stream: 1),
    ])
    scene.send("on", to: "a")
    scene.send("on", to: "b")
    scene.pass(.seconds(30))
    scene.outputs.adopt(
      [
        OutputScene.plan("a", stream: 0) { $0.maxOn = .seconds(20) },
        OutputScene.plan("c", stream: 2) { $0.start = .on },
      ],
      at: scene.now)
    scene.settle()
    #expect(!scene.isOn(0))
    #expect(scene.causes(0).last == "false max_on")
    #expect(scene.causes(1).last == "false reload")
    #expect(scene.causes(2) == ["true reload"])
    #expect(scene.send("on", to: "b")?.isRefused == true)
  }

  @Test("too many commands are refused, but never one that makes it safe")
  func rate() {
    var scene = OutputScene([OutputScene.plan("lamp") { $0.maxRate = 2 }])
    #expect(scene.send("on", to: "lamp")?.isRefused == false)
    #expect(scene.send("on", to: "lamp")?.isRefused == false)
    #expect(scene.send("on", to: "lamp")?.isRefused == true)
    #expect(scene.send("off", to: "lamp") == .done(.flag(false)))
  }

  @Test("after a refusal the state is told again, once a second at the most")
  func tellsAgain() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.pass(.seconds(2))
    for _ in 0..<5 { scene.send("what", to: "lamp") }
    #expect(scene.causes().count == 2)
    scene.pass(.seconds(1))
    #expect(scene.causes().count == 3)
    scene.pass(.seconds(10))
    #expect(scene.causes().count == 3)
  }

  @Test("a command that comes again under its id is answered again and not repeated")
  func ids() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    #expect(scene.send(#"{"value":"toggle","id":"7"}"#, to: "lamp") == .done(.flag(true)))
    #expect(scene.send(#"{"value":"toggle","id":"7"}"#, to: "lamp") == .done(.flag(true)))
    #expect(scene.isOn(0))
    #expect(scene.log.count == 1)
  }

  @Test("what waited is refused, or obeyed where it says what to be and not how to change")
  func queued() {
    var scene = OutputScene([
      OutputScene.plan("a", stream: 0), OutputScene.plan("b", stream: 1) { $0.obeysQueued = true },
    ])
    #expect(scene.send("on", to: "a", .queued)?.isRefused == true)
    #expect(scene.send("on", to: "b", .queued) == .done(.flag(true)))
    #expect(scene.send("toggle", to: "b", .queued)?.isRefused == true)
  }

  @Test("max_age wants a time, not too old, and not in the future")
  func age() {
    var scene = OutputScene([OutputScene.plan("a") { $0.maxAge = .seconds(30) }])
    #expect(scene.send("on", to: "a")?.isRefused == true)
    for (seconds, isRefused) in [(-31, true), (-29, false), (4, false), (6, true)] {
      let time = Timestamp(sinceEpoch: .seconds(1_700_000_000 + seconds))
      let answer = scene.send(#"{"value":"on","time":"\#(time)"}"#, to: "a")
      #expect(answer?.isRefused == isRefused, "\(seconds)")
    }
  }

  @Test("what is read back is another value: the state is bad, and says why")
  func readsBack() {
    var scene = OutputScene([OutputScene.plan("lamp")])
    scene.drives = false
    scene.send("on", to: "lamp")
    scene.report(0, .driven(number: 1, readBack: .off))
    guard case .output(let output)? = scene.published.last?.content else {
      Issue.record("\(scene.published)")
      return
    }
    #expect(output.value == .flag(true))
    #expect(output.doubt?.grade == .bad)
  }
}

extension CommandAnswer {
  var isRefused: Bool { if case .refused = self { true } else { false } }
}
