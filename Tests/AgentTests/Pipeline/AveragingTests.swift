import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Measuring
@testable import Readings

struct AveragingTests {
  private static let base = BootClock.now

  /// What samples that are a second apart come to.
  private func averages(
    _ samples: [Reading.Content], _ statistic: Average.Statistic = .mean, window: Duration,
    jitter: [Duration] = []
  ) -> [Reading.Content] {
    var averaging = Averaging(.init(statistic: statistic, window: window), interval: .seconds(1))
    return samples.enumerated().compactMap { index, sample in
      let late = jitter.isEmpty ? .zero : jitter[index % jitter.count]
      return averaging.take(sample, at: Self.base + .seconds(index) + late)
    }
  }

  private func numbers(_ numbers: Double...) -> [Reading.Content] { numbers.map { .good(.number($0)) } }

  @Test(
    "a window gives one value, then the next begins",
    arguments: [
      (.mean, [2.25, 6]), (.median, [2, 6]), (.min, [1, 5]), (.max, [4, 7]),
    ] as [(Average.Statistic, [Double])])
  func statistics(statistic: Average.Statistic, expected: [Double]) {
    let samples = numbers(1, 4, 2, 2, 5, 7, 6, 6, 100)
    #expect(averages(samples, statistic, window: .seconds(4)) == expected.map { .good(.number($0)) })
  }

  @Test("the median of an odd number of samples is one of them")
  func oddMedian() {
    #expect(averages(numbers(9, 1, 3), .median, window: .seconds(3)) == numbers(3))
  }

  @Test("a mean has two digits more than its samples, and no binary dust")
  func digits() {
    #expect(averages(numbers(0.1, 0.2, 0.3, 0.3), window: .seconds(4)) == numbers(0.225))
    #expect(averages(numbers(1, 1, 2), window: .seconds(3)) == numbers(1.33))
    #expect(averages([.good(.integer(3)), .good(.integer(4))], window: .seconds(2)) == numbers(3.5))
  }

  @Test("reads that are a little early or late stay in their window")
  func jitter() {
    let samples = [Reading.Content](repeating: .good(.number(1)), count: 60)
    let jitter: [Duration] = [.zero, .milliseconds(300), .milliseconds(20), .milliseconds(450)]
    #expect(averages(samples, window: .seconds(10), jitter: jitter).count == 6)
  }

  @Test("a window of one interval lets every sample through")
  func everySample() {
    #expect(averages(numbers(1, 2, 3), window: .seconds(1)) == numbers(1, 2, 3))
  }

  @Test("samples that could not be read are left out; a window of nothing else is bad")
  func failures() {
    let samples: [Reading.Content] = [
      .good(.number(1)), .bad("no"), .good(.number(3)), .bad("no"), .bad("no"), .bad("why"),
    ]
    #expect(averages(samples, window: .seconds(3)) == [.good(.number(2)), .bad("why")])
  }

  @Test("a doubt about one sample is one about the window, and about no other")
  func doubts() {
    let doubt = Doubt(.alarm, "a")
    let samples: [Reading.Content] = [
      .doubtful(.number(1), doubt), .good(.number(3)), .good(.number(5)), .good(.number(5)),
    ]
    #expect(averages(samples, window: .seconds(2)) == [.doubtful(.number(2), doubt), .good(.number(5))])
  }

  @Test("texts have no average")
  func texts() {
    #expect(
      averages([.good(.text("Full")), .good(.text("Full"))], window: .seconds(2))
        == [.bad("no number, so there is no average of it")])
  }

  @Test("extremes do not become infinite")
  func extremes() {
    #expect(averages(numbers(1e308, 1e308), window: .seconds(2)) == numbers(1e308))
  }
}
