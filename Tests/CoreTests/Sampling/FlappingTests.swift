import LimpetInstants
import Testing

@testable import Core

@Suite("A sensor that comes and goes")
struct FlappingTests {
  private let start = BootClock.Instant(nanoseconds: 0)

  @Test("the first changes are told, then fewer and fewer: a day of them is less than 20 lines")
  func day() {
    var flapping = Flapping()
    var (told, shown, now) = (0, false, false)
    for second in stride(from: 0, to: 86_400, by: 10) {
      let at = start + .seconds(second)
      now.toggle()
      flapping.changed(at: at)
      if now != shown, flapping.reports(at: at) != nil {
        told += 1
        shown = now
      }
    }
    #expect((Flapping.free...20).contains(told), "\(told)")
  }

  @Test("what is kept back says how often it changed, and a thing that keeps still begins anew")
  func counts() {
    var flapping = Flapping()
    for second in 0..<Flapping.free {
      flapping.changed(at: start + .seconds(second))
      #expect(flapping.reports(at: start + .seconds(second)) == 1)
    }
    for second in 10..<17 { flapping.changed(at: start + .seconds(second)) }
    #expect(flapping.reports(at: start + .seconds(20)) == nil)
    #expect(flapping.reports(at: start + .seconds(700)) == 7)
    flapping.changed(at: start + .seconds(10_000))
    #expect(flapping.reports(at: start + .seconds(10_000)) == 1)
  }
}
