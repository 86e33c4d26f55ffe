import Testing

@testable import Fleet

@Suite("Percentiles of times") struct PercentilesTests {
  @Test("of nothing there is none")
  func nothing() { #expect(Percentiles().duration(at: 0.5) == nil) }

  @Test("are never too short, and at most 3 % too long", arguments: [0.01, 0.5, 0.9, 0.99, 0.999, 1])
  func precision(_ share: Double) throws {
    var percentiles = Percentiles()
    let times = (1...10_000).map { Duration.microseconds($0 * $0) }
    for time in times.shuffled() { percentiles.add(time) }
    let exact = times[max(0, Int((10_000 * share).rounded(.up)) - 1)]
    let found = try #require(percentiles.duration(at: share))
    #expect(found >= exact && found <= exact * 1.032)
  }

  @Test("the longest is exact, also beyond an hour and below a microsecond")
  func extremes() {
    var percentiles = Percentiles()
    percentiles.add(.nanoseconds(300))
    #expect(percentiles.duration(at: 1) == .zero && percentiles.longest == .nanoseconds(300))
    percentiles.add(.seconds(7200))
    percentiles.add(.seconds(-1))
    #expect(percentiles.duration(at: 1) == .microseconds(4_429_185_023 as Int64))
    #expect(percentiles.longest == .seconds(7200))
    #expect(percentiles.count == 3)
  }
}
