import Testing

@testable import Fleet

@Suite("Which readings are missing") struct ReadingWatchTests {
  @Test("nothing is, where every number came")
  func whole() {
    var watch = ReadingWatch(slots: 2)
    for number in 1...5 { watch.heard(0, UInt64(number)) }
    #expect(watch.lost(before: [6, 1]) == 0 && watch.received == 5)
  }

  @Test("a gap is a loss until it is filled, and so is what is missing at the end")
  func gaps() {
    var watch = ReadingWatch(slots: 1)
    for number in [1, 2, 5] { watch.heard(0, UInt64(number)) }
    #expect(watch.lost(before: [6]) == 2)
    watch.heard(0, 3)
    #expect(watch.lost(before: [6]) == 1 && watch.lost(before: [8]) == 3)
    watch.heard(0, 4)
    #expect(watch.lost(before: [6]) == 0 && watch.received == 5 && watch.repeated == 0)
  }

  @Test("what came twice is no loss")
  func repeats() {
    var watch = ReadingWatch(slots: 1)
    for number in [1, 2, 2, 1] { watch.heard(0, UInt64(number)) }
    #expect(watch.repeated == 2 && watch.received == 2)
  }

  @Test("what a broker has not kept for the subscriber is excused once")
  func sessions() {
    var watch = ReadingWatch(slots: 2)
    for number in [1, 2] { watch.heard(0, UInt64(number)) }
    watch.sessionWasLost()
    watch.heard(0, 9)
    watch.heard(0, 11)
    #expect(watch.excused == 6 && watch.lost(before: [12, 4]) == 1)
  }

  @Test("what is no reading of theirs changes nothing")
  func strangers() {
    var watch = ReadingWatch(slots: 1)
    watch.heard(7, 1)
    #expect(watch.received == 0)
  }
}
