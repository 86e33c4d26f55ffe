import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import LimpetText
@testable import Measuring
@testable import Readings

struct ReadingPolicyTests {
  private static let base = BootClock.now

  /// What a policy makes of samples that are `interval` apart.
  private func published(
    _ samples: [Reading.Content], change: ChangeThreshold?, maxAge: Duration? = nil,
    interval: Duration = .seconds(10)
  ) -> [Bool] {
    var policy = ReadingPolicy(change: change, maxAge: maxAge)
    return samples.enumerated().map { policy.publishes($1, at: Self.base + interval * $0) }
  }

  private func published(
    numbers: [Double], change: ChangeThreshold?, maxAge: Duration? = nil
  ) -> [Double] {
    let decisions = published(numbers.map { .good(.number($0)) }, change: change, maxAge: maxAge)
    return zip(numbers, decisions).filter(\.1).map(\.0)
  }

  @Test("without a change every sample is published, moved or not")
  func everySample() {
    #expect(published(numbers: [1, 1, 1], change: nil) == [1, 1, 1])
    #expect(published(numbers: [1, 1, 1], change: nil, maxAge: .seconds(300)) == [1, 1, 1])
  }

  @Test("the first sample is always published", arguments: [0, 21.5, -40])
  func first(number: Double) {
    #expect(published(numbers: [number], change: .absolute(1000)) == [number])
    #expect(published(numbers: [number], change: .percent(1000)) == [number])
  }

  @Test("a change is one that moved by the step or more, up or down")
  func absolute() {
    #expect(
      published(numbers: [20, 20.25, 20.5, 20.75, 20, 19.75, 19.5], change: .absolute(0.5)) == [20, 20.5, 20, 19.5])
  }

  @Test("small steps add up: they are measured against what was published last")
  func drift() {
    let rising = stride(from: 20, through: 22, by: 0.125).map { $0 }
    #expect(published(numbers: rising, change: .absolute(0.5)) == [20, 20.5, 21, 21.5, 22])
    #expect(published(numbers: rising.reversed(), change: .absolute(0.5)) == [22, 21.5, 21, 20.5, 20])
  }

  @Test("a step as large as the change counts, although binary fractions differ by a little less")
  func decimalSteps() {
    let tenths = (0...1000).map { Double($0) / 10 }
    #expect(published(numbers: tenths, change: .absolute(0.1)) == tenths)
    #expect(published(numbers: tenths.map { -$0 }, change: .absolute(0.1)) == tenths.map { -$0 })
    // 10.1 - 10 is 0.09999999999999964.
    #expect(published(numbers: [10, 10.1], change: .percent(1)) == [10, 10.1])
    #expect(published(numbers: [10, 9.9], change: .percent(1)) == [10, 9.9])
    let energy = (0...1000).map { 1_234_567 + Double($0) / 100 }
    #expect(published(numbers: energy, change: .absolute(0.01)) == energy)
    let calibrated = (0...1000).map { Double(29_000 + 10 * $0) / 100 - 273.15 }
    #expect(published(numbers: calibrated, change: .absolute(0.1)) == calibrated)
  }

  @Test("less than the step is no change")
  func justBelow() {
    #expect(published(numbers: [20, 20.4999], change: .absolute(0.5)) == [20])
    #expect(published(numbers: [100, 100.9999], change: .percent(1)) == [100])
  }

  @Test("the same value is no change, even where the step is finer than numbers are")
  func unchanged() {
    #expect(published(numbers: [1e17, 1e17, 1e17], change: .absolute(0.5)) == [1e17])
    #expect(published(numbers: [1e17, 1e17 + 16], change: .absolute(0.5)) == [1e17, 1e17 + 16])
    #expect(published(numbers: [3, 3], change: .percent(1e-300)) == [3])
  }

  @Test("a percentage is of the value that was published last, whatever its sign")
  func percent() {
    #expect(published(numbers: [100, 104, 105, 110, 110.25, 105], change: .percent(5)) == [100, 105, 110.25])
    #expect(published(numbers: [-100, -104, -105, -100.5], change: .percent(5)) == [-100, -105])
    #expect(published(numbers: [100, 99.5, 0], change: .percent(100)) == [100, 0])
  }

  @Test("from zero every other value is a change in percent, zero itself is none")
  func percentFromZero() {
    #expect(published(numbers: [0, 0, -0.0, 1e-9, 0], change: .percent(50)) == [0, 1e-9, 0])
  }

  @Test("an unchanged value is published when the last is as old as max_age, and the age counts from then")
  func maxAge() {
    let samples = [Reading.Content](repeating: .good(.number(1)), count: 10)
    #expect(
      published(samples, change: .absolute(1), maxAge: .seconds(30))
        == [true, false, false, true, false, false, true, false, false, true])
    #expect(
      published(samples, change: .absolute(1), maxAge: .seconds(25), interval: .seconds(10))
        == [true, false, false, true, false, false, true, false, false, true])
  }

  @Test("a change starts the age anew")
  func maxAgeAfterChange() {
    #expect(
      published([1, 1, 9, 9, 9, 9].map { .good(.number($0)) }, change: .absolute(1), maxAge: .seconds(30))
        == [true, false, true, false, false, true])
  }

  @Test("without max_age an unchanged value is published once")
  func noMaxAge() {
    #expect(
      published([Reading.Content](repeating: .good(.number(1)), count: 5000), change: .absolute(1)).filter(\.self).count
        == 1)
  }

  @Test("from good to bad and back is always a change, the same failure again is none")
  func failures() {
    #expect(
      published(
        [
          .good(.number(1)), .bad("no such file"), .bad("no such file"), .bad("hangs"), .bad("hangs"),
          .bad("no such file"), .good(.number(1)), .good(.number(1)),
        ], change: .absolute(1000))
        == [true, true, false, true, false, true, true, false])
  }

  @Test("a failure that lasts is repeated after max_age")
  func failureAge() {
    #expect(
      published([Reading.Content](repeating: .bad("hangs"), count: 4), change: .percent(1), maxAge: .seconds(30))
        == [true, false, false, true])
  }

  @Test("texts and flags change when they differ")
  func texts() {
    let change = ChangeThreshold.absolute(1000)
    #expect(
      published(["Full", "Full", "Charging", "Full"].map { .good(.text($0)) }, change: change)
        == [true, false, true, true])
    #expect(published([true, true, false].map { .good(.flag($0)) }, change: change) == [true, false, true])
    #expect(published([.good(.text("1")), .good(.number(1))], change: change) == [true, true])
  }

  @Test("of several channels, one that moved is enough")
  func channels() {
    func sample(_ first: Double, _ second: Double?) -> Reading.Content {
      .good(.channels([ChannelValue("a", .number(first)), ChannelValue("b", second.map { .number($0) })]))
    }
    #expect(
      published(
        [sample(1, 1), sample(1.5, 1), sample(1, 2), sample(1.5, 2.5), sample(1, nil), sample(1, nil), sample(1, 2)],
        change: .absolute(1)) == [true, false, true, false, true, false, true])
  }

  @Test("what begins to be in doubt is a change, what stays in doubt is compared by its value")
  func doubts() {
    func doubtful(_ number: Double, _ reason: String = "r") -> Reading.Content {
      .doubtful(.number(number), Doubt(.alarm, reason))
    }
    #expect(
      published(
        [.good(.number(1)), doubtful(1), doubtful(1.5), doubtful(2), doubtful(2, "other"), .good(.number(2))],
        change: .absolute(1)) == [true, true, false, true, true, true])
  }

  @Test("an integer and a number are compared by what they are worth")
  func mixedNumbers() {
    #expect(
      published(
        [.good(.integer(20)), .good(.number(20.25)), .good(.number(20.5)), .good(.integer(21))], change: .absolute(0.5))
        == [true, false, true, true])
  }
}

struct CalibrationTests {
  @Test(
    "a value is scaled as decimal numbers are, and printed without binary dust",
    arguments: [
      (47774, 0.001, 0, "47.774"), (3, 0.1, 0, "0.3"), (7, 0.1, 0, "0.7"), (123_456_789, 1e-6, 0, "123.456789"),
      (29, 0.01, 0, "0.29"), (21, 0.5, 0, "10.5"), (21, 2, 0, "42"), (21, 1000, 0, "21000"),
      (47774, -0.001, 0, "-47.774"),
      (21, -1, 0, "-21"), (21, 1, -273.15, "-252.15"), (0, 0.1, 32, "32"), (100, 1.8, 32, "212"),
      (0, -1, 0, "0"), (5, 0.3, 0, "1.5"), (5, 1, 0, "5"),
    ] as [(Int64, Double, Double, String)])
  func integers(raw: Int64, scale: Double, offset: Double, text: String) {
    #expect(Value.integer(raw).calibrated(scale: scale, offset: offset).number?.shortestDecimal == text)
    #expect(Value.number(Double(raw)).calibrated(scale: scale, offset: offset).number?.shortestDecimal == text)
  }

  @Test("every thousandth prints with at most three decimals")
  func thousandths() {
    for raw in -50_000...50_000 as ClosedRange<Int64> {
      let number = Value.integer(raw).calibrated(scale: 0.001, offset: 0).number
      let (whole, rest) = raw.magnitude.quotientAndRemainder(dividingBy: 1000)
      let decimals = String(String(1000 + rest).dropFirst())
      #expect(number == Double("\(raw < 0 ? "-" : "")\(whole).\(decimals)"))
    }
  }

  @Test("without scale and offset a value stays what it is, an integer exact")
  func untouched() {
    for value in [Value.integer(9_007_199_254_740_993), .number(0.1), .text("Full"), .flag(true)] {
      #expect(value.calibrated(scale: 1, offset: 0) == value)
    }
  }

  @Test("what is no number is not scaled")
  func notNumbers() {
    #expect(Value.text("Full").calibrated(scale: 2, offset: 1) == .text("Full"))
    #expect(Value.flag(true).calibrated(scale: 2, offset: 1) == .flag(true))
  }

  @Test("scales at the edge of what numbers are do not turn a value into none")
  func extremes() {
    for scale in [.leastNonzeroMagnitude, .leastNormalMagnitude, 1e-17, -.leastNonzeroMagnitude] as [Double] {
      let number = Value.integer(47774).calibrated(scale: scale, offset: 0).number
      #expect(number.map { $0.isFinite && abs($0) <= 1e-12 } == true, "scale \(scale)")
    }
  }
}
