import LimpetInstants
import Testing

@testable import Fleet

@Suite("What a subscriber sees, against what devices are") struct StateWatchTests {
  private var watch = StateWatch(count: 2)

  init() { watch.watches(at: Self.at(0)) }

  private static func at(_ seconds: Double) -> BootClock.Instant {
    BootClock.Instant(nanoseconds: Int64(seconds * 1_000_000_000))
  }

  private mutating func wrong(at seconds: Double) -> [Int] { watch.sweep(at: Self.at(seconds)) }

  @Test("an end is measured to the offline that follows")
  mutating func latency() {
    watch.isOnline(0, at: Self.at(1))
    watch.heard(0, .online, at: Self.at(1))
    watch.ended(0, by: .crash, at: Self.at(5), within: .seconds(10))
    #expect(!watch.hasSettled(0))
    watch.heard(0, .offline, at: Self.at(5.25))
    #expect(watch.hasSettled(0) && watch.latencies[.crash]?.longest == .milliseconds(250))
    watch.heard(0, .offline, at: Self.at(7))
    #expect(watch.latencies[.crash]?.count == 1)
    #expect(wrong(at: 100).isEmpty && watch.wrong == 0)
  }

  @Test("a device that is gone and online for too long is wrong, once")
  mutating func gone() {
    watch.heard(0, .online, at: Self.at(1))
    watch.ended(0, by: .halfOpen, at: Self.at(5), within: .seconds(10))
    #expect(wrong(at: 14.9).isEmpty)
    #expect(wrong(at: 15.1) == [0])
    #expect(wrong(at: 16).isEmpty && watch.wrong == 1 && watch.hasSettled(0))
  }

  @Test("a device that is there and offline for too long is wrong; what it puts right in time is not")
  mutating func there() {
    watch.isOnline(0, at: Self.at(1))
    watch.isOnline(1, at: Self.at(1))
    for device in 0..<2 {
      watch.heard(device, .online, at: Self.at(1))
      watch.heard(device, .offline, at: Self.at(10))
    }
    watch.heard(0, .online, at: Self.at(11))
    #expect(wrong(at: 29).isEmpty)
    #expect(wrong(at: 31) == [1])
    #expect(watch.corrected == 2)
  }

  @Test("a device between two states is not judged, and nothing is while the subscriber is away")
  mutating func nobodyKnows() {
    watch.heard(0, .online, at: Self.at(1))
    watch.isUndecided(0, at: Self.at(2))
    #expect(wrong(at: 1000).isEmpty)
    watch.ended(0, by: .crash, at: Self.at(1000), within: .seconds(10))
    watch.watchesNoMore()
    #expect(wrong(at: 2000).isEmpty)
    watch.watches(at: Self.at(2000))
    #expect(wrong(at: 3000).isEmpty)
    #expect(watch.unjudged == 1 && watch.hasSettled(0) && watch.notOffline == 1)
  }

  @Test("an end that nobody has seen when the rehearsal is over is counted")
  mutating func givenUp() {
    for device in 0..<2 {
      watch.heard(device, .online, at: Self.at(1))
      watch.ended(device, by: .halfOpen, at: Self.at(2), within: .seconds(60))
    }
    watch.heard(0, .offline, at: Self.at(3))
    for device in 0..<2 { watch.isGivenUp(device, at: Self.at(4)) }
    #expect(watch.unjudged == 1)
  }

  @Test("who was away looks for as long again before it judges")
  mutating func back() {
    watch.isOnline(0, at: Self.at(1))
    watch.heard(0, .offline, at: Self.at(1))
    watch.watchesNoMore()
    watch.watches(at: Self.at(100))
    #expect(wrong(at: 119).isEmpty)
    #expect(wrong(at: 121) == [0])
  }
}
