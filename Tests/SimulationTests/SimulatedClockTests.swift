import LimpetInstants
import Simulation
import Testing

@Suite struct SimulatedClockTests {
  private let start = WorldTime(nanoseconds: 5_000_000_000)

  @Test("a step moves the wall clock alone")
  func step() {
    var clock = SimulatedClock(startedAt: start, wall: 1_700_000_000_000_000_000)
    let later = start + .seconds(60)
    clock.step(by: .seconds(-3600), at: later)
    #expect(clock.boot(at: later) == BootClock.Instant(nanoseconds: 60_000_000_000))
    #expect(clock.wall(at: later) == 1_700_000_000_000_000_000 + 60_000_000_000 - 3_600_000_000_000)
  }

  @Test("a board without a battery starts in 1970 until somebody sets its clock")
  func battery() {
    var clock = SimulatedClock(startedAt: start, wall: 1_700_000_000_000_000_000)
    clock.restart(hasBattery: false, at: start + .seconds(1))
    #expect(clock.wall(at: start + .seconds(3)) == 2_000_000_000)
    #expect(!clock.isSynchronized)
    clock.setWall(to: 1_700_000_100_000_000_000, at: start + .seconds(3))
    #expect(clock.isSynchronized && clock.wall(at: start + .seconds(4)) == 1_700_000_101_000_000_000)
    #expect(clock.boot(at: start + .seconds(4)) == BootClock.Instant(nanoseconds: 3_000_000_000))
  }

  @Test("the moment of a deadline is the first at which the clock shows it", arguments: [0, 50, -50, 99_999, -99_999])
  func deadlines(drift: Int64) {
    var clock = SimulatedClock(startedAt: start, wall: 0, drift: drift)
    clock.setDrift(drift / 2, at: start + .seconds(100))
    var generator = Seed(3).generator
    for _ in 0..<2000 {
      let wanted =
        BootClock.Instant(nanoseconds: 100_000_000_000 + 20_000_000_000)
        + generator.duration(from: .nanoseconds(1), to: .seconds(400_000_000))
      let moment = clock.moment(ofBoot: wanted)
      #expect(clock.boot(at: moment) >= wanted)
      #expect(clock.boot(at: moment - .nanoseconds(1)) < wanted)
    }
  }
}
