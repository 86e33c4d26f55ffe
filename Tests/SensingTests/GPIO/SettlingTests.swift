import Testing

@testable import Sensing

@Suite struct SettlingTests {
  @Test("a level rests when it has been the same for a millisecond; one that never is, is taken after 20")
  func rests() {
    var settling = Settling(at: 0)
    let levels: [(Int64, Bool, Bool)] = [
      (10_000, false, false), (500_000, true, false), (900_000, true, false), (1_499_999, true, false),
      (1_500_000, true, true),
    ]
    for (time, level, isResting) in levels { #expect(settling.take(level: level, at: time) == isResting, "\(time)") }
    settling = Settling(at: 0)
    var time: Int64 = 0
    while time < 20_000_000 {
      #expect(settling.take(level: time % 400_000 == 0, at: time) == false)
      time += 200_000
    }
    #expect(settling.take(level: true, at: time) == true)
  }
}
