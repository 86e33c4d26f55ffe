import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Presence

struct SelfHealingTests {
  @Test("where SUBACK refused the status, the echo of the presence arms nothing before the next connection")
  func denied() {
    var healing = SelfHealing()
    let now = BootClock.Instant.now
    healing.connected(at: now)
    let actions = healing.denied("no right")
    #expect(actions == [.reportUnavailable("no right")])
    let afterEcho = healing.echoed(at: now, delay: .zero)
    #expect(afterEcho == [])
    #expect(healing.state == .unavailable("no right"))
    healing.disconnected()
    healing.connected(at: now)
    _ = healing.echoed(at: now, delay: .zero)
    #expect(healing.state == .armed)
  }

  private let base = BootClock.now

  private func armed() -> SelfHealing {
    var healing = SelfHealing()
    healing.connected(at: base)
    #expect(healing.echoed(at: base, delay: .zero) == [])
    #expect(healing.state == .armed)
    return healing
  }

  @Test("before the own presence has come back, nothing is answered: it may be the own old will")
  func oldWill() {
    var healing = SelfHealing()
    healing.connected(at: base)
    healing.saw(isOnline: false, at: base, delay: .zero)
    #expect(healing.elapsed(at: base + .seconds(5)) == [])
    healing.saw(isOnline: true, at: base + .seconds(5), delay: .zero)
    #expect(healing.echoed(at: base + .seconds(5), delay: .zero) == [])
    #expect(healing.deadline == nil)
    #expect(healing.elapsed(at: base + .seconds(60)) == [])
  }

  @Test("a status that was wrong when the own presence came back is answered")
  func wrongWhenArmed() {
    var healing = SelfHealing()
    healing.connected(at: base)
    healing.saw(isOnline: true, at: base, delay: .zero)
    healing.saw(isOnline: false, at: base, delay: .zero)
    #expect(healing.echoed(at: base, delay: .milliseconds(700)) == [])
    #expect(healing.deadline == base + .milliseconds(700))
    #expect(healing.elapsed(at: base + .milliseconds(700)) == [.sayOnline])
  }

  @Test("a wrong status is answered after the jitter, a right one is not")
  func answer() {
    var healing = armed()
    healing.saw(isOnline: true, at: base, delay: .zero)
    #expect(healing.deadline == nil)
    healing.saw(isOnline: false, at: base, delay: .milliseconds(300))
    #expect(healing.elapsed(at: base + .milliseconds(299)) == [])
    #expect(healing.elapsed(at: base + .milliseconds(300)) == [.sayOnline])
  }

  @Test("one that is put right in time needs no answer")
  func inTime() {
    var healing = armed()
    healing.saw(isOnline: false, at: base, delay: .milliseconds(300))
    healing.saw(isOnline: true, at: base, delay: .milliseconds(300))
    #expect(healing.deadline == nil)
    #expect(healing.elapsed(at: base + .seconds(60)) == [])
  }

  @Test("within ten seconds of the last answer it is deferred and looked at again, not dropped")
  func deferred() {
    var healing = armed()
    healing.saw(isOnline: false, at: base, delay: .zero)
    #expect(healing.elapsed(at: base) == [.sayOnline])
    healing.saw(isOnline: true, at: base, delay: .zero)
    healing.saw(isOnline: false, at: base + .seconds(3), delay: .milliseconds(500))
    #expect(healing.deadline == base + .seconds(10))
    #expect(healing.elapsed(at: base + .seconds(9)) == [])
    #expect(healing.elapsed(at: base + .seconds(10)) == [.sayOnline])
  }

  @Test("an answer that does not show is given again after ten seconds")
  func again() {
    var healing = armed()
    healing.saw(isOnline: false, at: base, delay: .zero)
    #expect(healing.elapsed(at: base) == [.sayOnline])
    #expect(healing.deadline == base + .seconds(10))
    #expect(healing.elapsed(at: base + .seconds(10)) == [.sayOnline])
    healing.saw(isOnline: true, at: base + .seconds(11), delay: .zero)
    #expect(healing.deadline == nil)
  }

  @Test("the rest between two answers holds across connections")
  func acrossConnections() {
    var healing = armed()
    healing.saw(isOnline: false, at: base, delay: .zero)
    #expect(healing.elapsed(at: base) == [.sayOnline])
    healing.disconnected()
    #expect(healing.deadline == nil)
    healing.connected(at: base + .seconds(1))
    healing.saw(isOnline: false, at: base + .seconds(1), delay: .zero)
    _ = healing.echoed(at: base + .seconds(1), delay: .zero)
    #expect(healing.deadline == base + .seconds(10))
  }

  @Test("without an echo within ten seconds it is unavailable, once, until the echo comes after all")
  func unavailable() {
    var healing = SelfHealing()
    healing.connected(at: base)
    #expect(healing.deadline == base + .seconds(10))
    #expect(
      healing.elapsed(at: base + .seconds(10))
        == [.reportUnavailable("the broker does not return what this device publishes")])
    healing.saw(isOnline: false, at: base + .seconds(11), delay: .zero)
    #expect(healing.elapsed(at: base + .seconds(30)) == [])
    #expect(healing.echoed(at: base + .seconds(30), delay: .zero) == [.reportAvailable])
    #expect(healing.elapsed(at: base + .seconds(30)) == [.sayOnline])
  }

  @Test("a subscription that is refused is said once")
  func refused() {
    var healing = SelfHealing()
    #expect(healing.failed("no") == [])
    healing.connected(at: base)
    #expect(healing.failed("no") == [.reportUnavailable("no")])
    #expect(healing.failed("no") == [])
    #expect(healing.deadline == nil)
  }
}
