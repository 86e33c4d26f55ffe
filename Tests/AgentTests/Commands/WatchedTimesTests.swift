import NIOCore
import Testing

@testable import Fleet
@testable import LimpetInstants

@Suite("When somebody saw what devices were") struct WatchedTimesTests {
  private static func time(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: seconds * 1_000_000) }

  private static func span(_ from: Int64, _ until: Int64) -> WatchedTimes.Span {
    WatchedTimes.Span(from: time(from), until: time(until))
  }

  private func times(_ earlier: [WatchedTimes.Span] = []) -> WatchedTimes {
    WatchedTimes(earlier, age: .seconds(86_400))
  }

  @Test("nothing was seen before the first connection, nor between two; one that is there goes on")
  func connections() {
    var times = times()
    times.beat(at: Self.time(1))
    #expect(times.spans.isEmpty && String(buffer: times.json) == "[]")
    times.connected(at: Self.time(10))
    times.beat(at: Self.time(70))
    #expect(String(buffer: times.json) == "[[10000,null]]")
    times.lost(at: Self.time(75))
    times.beat(at: Self.time(130))
    times.connected(at: Self.time(200))
    #expect(String(buffer: times.json) == "[[10000,75000],[200000,null]]")
    times.connected(at: Self.time(210))
    #expect(times.spans == [Self.span(10, 75), Self.span(200, 210)])
  }

  @Test("a process that was suspended did not see that time, though its connection was never lost")
  func suspended() {
    var times = times()
    times.connected(at: Self.time(0))
    times.beat(at: Self.time(60))
    times.beat(at: Self.time(4000))
    #expect(times.spans == [Self.span(0, 60), Self.span(4000, 4000)])
    times.lost(at: Self.time(9000))
    #expect(times.spans.map(\.until) == [Self.time(60), Self.time(4000), Self.time(9000)])
    #expect(times.spans.last?.from == Self.time(9000))
  }

  @Test("a killed process said so until its last beat; what an earlier one saw comes before")
  func earlier() {
    var times = times([Self.span(0, 60)])
    #expect(String(buffer: times.json) == "[[0,60000]]", "it does not go on by itself")
    times.connected(at: Self.time(100))
    #expect(String(buffer: times.json) == "[[0,60000],[100000,null]]")
  }

  @Test("a clock that is put back makes no time twice, and none that goes backwards")
  func clock() {
    var times = times()
    times.connected(at: Self.time(1000))
    times.beat(at: Self.time(1060))
    times.beat(at: Self.time(500))
    times.beat(at: Self.time(560))
    #expect(times.spans == [Self.span(500, 560)])
    times.beat(at: Self.time(530))
    #expect(times.spans == [Self.span(500, 530), Self.span(530, 530)])
  }

  @Test("what is older than a day is forgotten, and the shortest where there are too many: it counts as not seen")
  func bounds() {
    var times = times()
    for number in 0..<200 {
      let start = Int64(number * 100)
      times.connected(at: Self.time(start))
      times.lost(at: Self.time(start + (number % 10 == 0 ? 50 : 5)))
    }
    #expect(times.spans.count == WatchedTimes.limit)
    #expect(times.spans.count { $0.until.microseconds - $0.from.microseconds == 50_000_000 } == 20)
    #expect(times.spans.allSatisfy { $0.until.microseconds - $0.from.microseconds <= 50_000_000 })
    times.connected(at: Self.time(200_000))
    #expect(times.spans == [Self.span(200_000, 200_000)])
  }
}
