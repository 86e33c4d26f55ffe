import LimpetPlatform
import TestScene
import Testing

@Suite("ConditionLock", .timeLimit(.minutes(1)))
struct ConditionLockTests {
  @Test("a wait with a limit ends when it is over, to less than half a second, and not before")
  func limit() {
    let lock = ConditionLock(0)
    let limit = Duration.milliseconds(120)
    let start = SuspendingClock.now
    lock.wait { looks -> ConditionLock<Int>.Poll<Void> in
      let left = limit - start.duration(to: .now)
      looks += 1
      return left > .zero ? .waitAtMost(left) : .ready(())
    }
    let took = start.duration(to: .now)
    #expect(took >= limit)
    #expect(took < limit + .milliseconds(500))
    // It slept in between.
    #expect(lock.withLock { $0 } < 20)
  }

  @Test("a signal ends a wait that has no limit")
  func signal() {
    let lock = ConditionLock(false)
    #expect(
      DetachedThread.start("signal") {
        lock.withLock { $0 = true }
        lock.signal()
      } == 0)
    lock.wait { $0 ? .ready(()) : .wait }
  }

  @Test("a signal of one condition wakes nobody who waits for another, a broadcast all who wait for its own")
  func conditions() async throws {
    struct State {
      var isOpen = false
      var looks = [0, 0]
      var done = 0
    }
    let lock = ConditionLock(State(), conditions: 2)
    for condition in [0, 0, 1] {
      #expect(
        DetachedThread.start("wait-\(condition)") {
          lock.wait(for: condition) { state -> ConditionLock<State>.Poll<Void> in
            state.looks[condition] += 1
            guard state.isOpen else { return .wait }
            state.done += 1
            return .ready(())
          }
        } == 0)
    }
    try await until("all three wait") { lock.withLock { $0.looks == [2, 1] } }
    lock.withLock { $0.isOpen = true }
    lock.broadcast(0)
    try await until("two go on") { lock.withLock { $0.done == 2 } }
    #expect(lock.withLock { $0.looks[1] } == 1)
    lock.signal(1)
    try await until("the third goes on") { lock.withLock { $0.done == 3 } }
  }

  @Test("an endless limit is no trap")
  func endless() {
    let lock = ConditionLock(0)
    lock.wait { looks -> ConditionLock<Int>.Poll<Void> in
      looks += 1
      guard looks == 1 else { return .ready(()) }
      let failure = DetachedThread.start("signal") {
        // Not before the other one waits, and so has let go of the lock.
        lock.withLock { _ in }
        lock.signal()
      }
      #expect(failure == 0)
      return .waitAtMost(.seconds(Int64.max))
    }
  }
}
