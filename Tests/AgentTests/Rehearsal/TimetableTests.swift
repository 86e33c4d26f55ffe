import LimpetInstants
import Testing

@testable import Fleet

@Suite("One heap of deadlines") struct TimetableTests {
  private func at(_ number: Int) -> BootClock.Instant { BootClock.Instant(nanoseconds: Int64(number)) }

  @Test("the earliest comes first, each device once, at its last word")
  func order() {
    var table = Timetable(count: 4)
    table.set(0, at(50))
    table.set(1, at(20))
    table.set(2, at(30))
    table.set(1, at(60))
    table.set(2, nil)
    table.set(3, nil)
    #expect(table.next == at(50))
    #expect(table.takeDue(at: at(49)) == nil)
    #expect(table.takeDue(at: at(100)) == 0 && table.takeDue(at: at(100)) == 1 && table.takeDue(at: at(100)) == nil)
  }

  @Test("it agrees with a list that is searched, whatever is set when")
  func walk() {
    var generator = SplitMix64(seed: 7)
    var table = Timetable(count: 40)
    var model: [Int: Int] = [:]
    for now in 0..<20_000 {
      let device = Int.random(in: 0..<40, using: &generator)
      let due = Int.random(in: 0..<8, using: &generator) == 0 ? nil : now + Int.random(in: 1...300, using: &generator)
      table.set(device, due.map(at))
      model[device] = due
      #expect(table.next == model.values.min().map(at))
      while let found = table.takeDue(at: at(now)) {
        #expect(model[found].map { $0 <= now && $0 == model.values.min() } ?? false)
        model[found] = nil
      }
      #expect(!model.values.contains { $0 <= now })
    }
  }
}
