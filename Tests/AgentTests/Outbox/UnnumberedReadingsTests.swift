import Readings
import Testing

@testable import Agent
@testable import LimpetInstants
@testable import Outbox

struct UnnumberedReadingsTests {
  private func reading(_ number: Int, of stream: StreamID = 0, text: Int = 0) -> UnnumberedReading {
    UnnumberedReading(
      stream: stream,
      content: text == 0 ? .good(.integer(Int64(number))) : .good(.text(String(repeating: "x", count: text))),
      unit: nil, time: BootClock.Instant(nanoseconds: Int64(number)))
  }

  private func taken(_ waiting: inout UnnumberedReadings) -> [UnnumberedReading] {
    var all: [UnnumberedReading] = []
    while let first = waiting.first {
      all.append(first)
      waiting.removeFirst()
    }
    return all
  }

  @Test("they come in their order, and nothing else")
  func order() {
    var waiting = UnnumberedReadings()
    for number in 0..<5 { waiting.append(reading(number, of: StreamID(number % 2))) }
    #expect(waiting.giveUp(beyond: waiting.bytes) == [])
    #expect(taken(&waiting) == (0..<5).map { reading($0, of: StreamID($0 % 2)) })
    #expect(waiting.bytes == 0 && waiting.isEmpty)
  }

  @Test("their texts count: a limit holds in bytes")
  func bytes() {
    var waiting = UnnumberedReadings()
    let limit = 1_000_000
    for number in 0..<1000 {
      waiting.append(reading(number, text: 16_384))
      _ = waiting.giveUp(beyond: limit)
      #expect(waiting.bytes <= limit)
    }
    #expect(waiting.count < limit / 16_384)
    #expect(waiting.count > limit / 18_000)
    #expect(waiting.bytes == waiting.readings.reduce(0) { $0 + $1.cost })
  }

  @Test("those that were given up are a gap before the next one of their name, told once")
  func gap() {
    var waiting = UnnumberedReadings()
    let cost = reading(0).cost
    for number in 0..<6 { waiting.append(reading(number, of: StreamID(number % 2))) }
    #expect(waiting.giveUp(beyond: 3 * cost).map(\.stream) == [0, 1, 0])
    let all = taken(&waiting)
    #expect(all.map(\.stream) == [1, 1, 0, 0, 1])
    #expect(
      all.map(\.content) == [
        .gap(lost: 1), .good(.integer(3)), .gap(lost: 2), .good(.integer(4)), .good(.integer(5)),
      ])
    #expect(all[0].time == all[1].time, "a gap is as old as what follows it")
  }

  @Test("a name of which nothing is left has its gap before the next reading, whenever that comes; gaps add up")
  func laterGap() {
    var waiting = UnnumberedReadings()
    waiting.append(reading(1))
    waiting.append(
      UnnumberedReading(stream: 0, content: .gap(lost: 40), unit: nil, time: BootClock.Instant(nanoseconds: 2)))
    #expect(waiting.giveUp(beyond: 0).count == 2)
    #expect(waiting.first == nil)
    waiting.append(reading(3))
    #expect(waiting.giveUp(beyond: 0).count == 1)
    waiting.append(reading(4))
    #expect(taken(&waiting).map(\.content) == [.gap(lost: 42), .good(.integer(4))])
    waiting.append(reading(5))
    #expect(taken(&waiting).map(\.content) == [.good(.integer(5))])
  }
}
