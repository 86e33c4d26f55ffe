import LimpetInstants
import Simulation
import Testing

@Suite struct EventQueueTests {
  @Test("events come by their time, and those of one time in the order in which they were put in")
  func order() {
    var queue = EventQueue<Int>()
    var generator = Seed(7).generator
    var expected: [(time: Int64, number: Int)] = []
    for number in 0..<1000 {
      let time = Int64(generator.number(below: 40))
      queue.push(number, at: WorldTime(nanoseconds: time))
      expected.append((time, number))
    }
    expected.sort { ($0.time, $0.number) < ($1.time, $1.number) }
    for entry in expected {
      #expect(queue.pop() == entry.number)
      #expect(queue.now == WorldTime(nanoseconds: entry.time))
    }
    #expect(queue.isEmpty)
  }

  @Test("nothing comes before its time, and time neither stands behind an event nor runs past one")
  func limits() {
    var queue = EventQueue<String>()
    queue.push("a", at: WorldTime(nanoseconds: 10))
    #expect(queue.pop(until: WorldTime(nanoseconds: 9)) == nil)
    queue.advance(to: WorldTime(nanoseconds: 50))
    #expect(queue.now == WorldTime(nanoseconds: 10))
    #expect(queue.pop(until: WorldTime(nanoseconds: 10)) == "a")
    queue.push("late", at: WorldTime(nanoseconds: 3))
    #expect(queue.deadline == WorldTime(nanoseconds: 10))
  }
}
