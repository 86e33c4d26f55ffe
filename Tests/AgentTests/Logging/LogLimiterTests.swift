import Logging
import Testing
import Time

@testable import Agent

struct LogLimiterTests {
  private let start = BootClock.now

  private func at(_ seconds: Double) -> BootClock.Instant { start + .seconds(seconds) }

  @Test("so many at once are written, then one in a while with how many were left out")
  func burst() {
    var limiter = LogLimiter()
    for number in 0..<LogLimiter.burst {
      #expect(limiter.take(.warning, "lost \(number)", place: "a:1:", at: at(0)) == .write(leftOut: 0))
    }
    for number in 0..<5 {
      #expect(limiter.take(.warning, "lost \(number)", place: "a:1:", at: at(0)) == .leaveOut(isFirst: number == 0))
    }
    #expect(limiter.take(.warning, "lost 1", place: "a:1:", at: at(7)) == .write(leftOut: 5))
    #expect(limiter.take(.warning, "lost 1", place: "a:1:", at: at(7)) == .leaveOut(isFirst: true))
    #expect(limiter.suppressed == 6)
    // After as long as the burst takes to come back.
    for _ in 0..<LogLimiter.burst {
      #expect(limiter.take(.warning, "lost 1", place: "a:1:", at: at(200)) != .leaveOut(isFirst: true))
    }
  }

  @Test("what differs in more than digits, or comes from another place, is another event")
  func kinds() {
    var limiter = LogLimiter()
    for _ in 0..<100 { _ = limiter.take(.warning, "door: gone", place: "a:1:", at: at(0)) }
    #expect(limiter.take(.warning, "window: gone", place: "a:1:", at: at(0)) == .write(leftOut: 0))
    #expect(limiter.take(.warning, "door: gone", place: "a:2:", at: at(0)) == .write(leftOut: 0))
  }

  @Test("what was left out is told after a while when nothing follows")
  func rests() {
    var limiter = LogLimiter()
    #expect(limiter.deadline == nil)
    for _ in 0..<30 { _ = limiter.take(.error, "lost", place: "a:1:", at: at(1)) }
    #expect(limiter.deadline == at(61))
    #expect(limiter.takeRests(at: at(60)) == [])
    #expect(limiter.takeRests(at: at(61)) == [LogLimiter.Rest(level: .error, text: "lost", count: 10)])
    #expect(limiter.deadline == nil)
    #expect(limiter.takeRests(at: at(200)) == [])
  }

  @Test("however many kinds there are, memory is bounded and new ones are written")
  func bound() {
    var limiter = LogLimiter()
    for number in 0..<10_000 {
      let name = String(number).map { "abcdefghij"[$0] }.joined()
      #expect(limiter.take(.warning, name, place: "a:1:", at: at(0)) == .write(leftOut: 0))
    }
  }
}

extension String {
  fileprivate subscript(digit: Character) -> String {
    String(self[index(startIndex, offsetBy: digit.wholeNumberValue ?? 0)])
  }
}
