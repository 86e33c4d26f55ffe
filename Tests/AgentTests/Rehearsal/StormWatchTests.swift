import LimpetInstants
import Testing

@testable import Fleet

@Suite("Storms") struct StormWatchTests {
  private func at(_ seconds: Int) -> BootClock.Instant {
    BootClock.Instant(nanoseconds: Int64(seconds) * 1_000_000_000)
  }

  @Test("a tenth of the fleet at once is one, which lasts until all of it is back")
  func storm() throws {
    var watch = StormWatch(count: 200)
    for device in 0..<40 { watch.lost(device, at: at(10 + device / 20)) }
    watch.lost(0, at: at(12))
    for device in 0..<40 { watch.returned(device, at: at(20 + device)) }
    let storm = try #require(watch.storms.first)
    #expect(watch.storms.count == 1 && storm.lost == 40 && storm.firstReturn == .seconds(10))
    #expect(storm.lasted == .seconds(49) && storm.returns.count == 40)
  }

  @Test("a few are none")
  func few() {
    var watch = StormWatch(count: 20)
    for device in 0..<9 { watch.lost(device, at: at(1)) }
    #expect(watch.storms.isEmpty)
  }

  @Test("who is told to go is not waited for")
  func goers() throws {
    var watch = StormWatch(count: 20)
    for device in 0..<10 { watch.lost(device, at: at(1)) }
    for device in 0..<9 { watch.returned(device, at: at(2)) }
    #expect(watch.storms.first?.lasted == nil)
    watch.forget(9, at: at(3))
    #expect(watch.storms.first?.lasted == .seconds(2))
    for device in 0..<10 { watch.lost(device, at: at(5)) }
    #expect(watch.storms.count == 2)
  }
}
