import Logging
import Testing

@testable import Agent
@testable import LimpetInstants
@testable import LimpetPlatform

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

  /// A text without digits that is no other number's.
  private func text(_ number: Int) -> String { String(number).map { "abcdefghij"[$0] }.joined() }

  @Test("texts of one place that never repeat: so many at once, then one in a while, and all others counted")
  func neverTheSame() {
    var limiter = LogLimiter()
    for number in 0..<10_000 {
      let verdict = limiter.take(.warning, text(number), place: "a:1:", at: at(0))
      #expect(
        verdict
          == (number < LogLimiter.limit ? .write(leftOut: 0) : .leaveOut(isFirst: number == LogLimiter.limit)))
    }
    #expect(limiter.suppressed == UInt64(10_000 - LogLimiter.limit))
    #expect(limiter.take(.warning, "something else", place: "a:1:", at: at(7)) == .write(leftOut: 9744))
    // An hour of a hundred a second.
    var written = 0
    for second in 0..<3600 {
      for number in 0..<100 {
        let verdict = limiter.take(.warning, text(second * 100 + number), place: "a:1:", at: at(8 + Double(second)))
        if case .write = verdict { written += 1 }
      }
    }
    // What was known at the start goes by its own budget.
    #expect(written < LogLimiter.limit * LogLimiter.burst + 3600 / 6 + 1)
    #expect(limiter.take(.warning, "new", place: "b:1:", at: at(3608)) == .write(leftOut: 0), "another place is free")
  }

  @Test("what is left out of a place is told after a while, by its last text")
  func restsOfAPlace() {
    var limiter = LogLimiter()
    for number in 0..<LogLimiter.limit + 3 { _ = limiter.take(.error, text(number), place: "a:1:", at: at(1)) }
    #expect(limiter.deadline == at(61))
    #expect(
      limiter.takeRests(at: at(61)) == [
        LogLimiter.Rest(level: .error, text: text(LogLimiter.limit + 2), count: 3)
      ])
    #expect(limiter.deadline == nil)
  }

  @Test("however many places there are, memory is bounded, and those beyond it share a budget")
  func bound() {
    var limiter = LogLimiter()
    var written = 0
    for number in 0..<10_000 {
      let verdict = limiter.take(.warning, "lost", place: "file:\(number):", at: at(0))
      if case .write = verdict { written += 1 }
    }
    #expect(written == 2 * LogLimiter.limit)
    #expect(limiter.suppressed == UInt64(10_000 - written))
  }
}

extension String {
  fileprivate subscript(digit: Character) -> String {
    String(self[index(startIndex, offsetBy: digit.wholeNumberValue ?? 0)])
  }
}
