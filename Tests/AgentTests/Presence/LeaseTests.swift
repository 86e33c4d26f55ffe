import Testing

@testable import Agent
@testable import LimpetInstants
@testable import Presence

struct LeaseTests {
  private let start = BootClock.Instant(nanoseconds: 1_000_000_000_000)

  private func at(_ seconds: Double) -> BootClock.Instant { start + .seconds(seconds) }

  @Test("online is due again after the lease, each time it was told")
  func interval() {
    var lease = Lease()
    #expect(lease.deadline == nil && !lease.isDue(at: at(0)))
    lease.published(every: .seconds(300), at: at(0))
    #expect(!lease.isDue(at: at(299)))
    #expect(lease.isDue(at: at(300)))
    lease.published(every: .seconds(300), at: at(310))
    #expect(lease.deadline == at(610))
  }

  @Test("a step of the clock or a suspend makes it due at once, for the broker may have counted by it")
  func jump() {
    var lease = Lease()
    lease.published(every: .seconds(300), at: at(0))
    lease.clockJumped(at: at(20))
    #expect(lease.isDue(at: at(20)))
    lease.published(every: .seconds(300), at: at(20))
    #expect(lease.deadline == at(320))
  }

  @Test("a suspend that lasted longer than the lease does not put it off")
  func longSuspend() {
    var lease = Lease()
    lease.published(every: .seconds(300), at: at(0))
    lease.clockJumped(at: at(4000))
    #expect(lease.deadline == at(300) && lease.isDue(at: at(4000)))
  }

  @Test("however often the clock is set, it is published once a second at most")
  func bounded() {
    var lease = Lease()
    var published = 0
    lease.published(every: .seconds(300), at: at(0))
    for step in 1...1000 {
      let now = at(Double(step) / 100)
      lease.clockJumped(at: now)
      if lease.isDue(at: now) {
        published += 1
        lease.published(every: .seconds(300), at: now)
      }
    }
    #expect(published == 10)
  }

  @Test("without a lease, and without a connection, nothing is ever due")
  func none() {
    var lease = Lease()
    lease.published(every: .zero, at: at(0))
    lease.clockJumped(at: at(1))
    #expect(lease.deadline == nil)
    lease.published(every: .seconds(1), at: at(1))
    lease.end()
    lease.clockJumped(at: at(9))
    #expect(lease.deadline == nil && !lease.isDue(at: at(9)))
  }
}
