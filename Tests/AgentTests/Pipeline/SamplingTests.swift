import LimpetInstants
import Readings
import Testing

@testable import Core
@testable import LimpetInstants
@testable import Measuring
@testable import Plan

struct SamplingTests {
  private static let start = BootClock.now
  private static let id = SensorID("dht")

  private func sampling(retries: Int) -> Sampling {
    let plan = SensorPlan(id: Self.id, name: "dht", stream: 0, interval: .seconds(10), retries: retries)
    return Sampling([plan], [], start: Self.start)
  }

  private func due(_ sampling: inout Sampling, _ milliseconds: Int) -> Int {
    var effects: [Sampling.Effect] = []
    sampling.tick(at: Self.start + .milliseconds(milliseconds), awake: .milliseconds(milliseconds), into: &effects)
    return effects.count
  }

  private func take(
    _ sampling: inout Sampling, _ outcome: Result<Measurement, SensorError>, _ milliseconds: Int
  ) -> Reading.Content? {
    var notes: [ReadingNote] = []
    let now = Self.start + .milliseconds(milliseconds)
    return sampling.take(Sample(sensor: Self.id, outcome: outcome), isWanted: true, at: now, into: &notes)?.content
  }

  private let failure = Result<Measurement, SensorError>.failure(.noValue("no answer", path: "/x"))
  private let value = Result<Measurement, SensorError>.success(Measurement(value: .integer(1), time: start))

  @Test("a read that fails is tried again a second later, and told when it still does")
  func retry() {
    var sampling = sampling(retries: 2)
    #expect(due(&sampling, 0) == 1)
    #expect(take(&sampling, failure, 10) == nil && !sampling.haveAnswered && !sampling.isReading)
    #expect(sampling.deadline == Self.start + .milliseconds(1_010))
    #expect(due(&sampling, 1_010) == 1)
    #expect(take(&sampling, value, 1_020) == .good(.integer(1)) && sampling.haveAnswered)
    #expect(sampling.deadline == Self.start + .seconds(10))

    #expect(due(&sampling, 10_000) == 1)
    for attempt in 1...2 {
      #expect(take(&sampling, failure, 10_000 + attempt * 1_000 - 999) == nil)
      #expect(due(&sampling, 10_000 + attempt * 1_000 + 1) == 1)
    }
    guard case .bad? = take(&sampling, failure, 12_500) else { return #expect(Bool(false), "it is told") }
    #expect(sampling.deadline == Self.start + .seconds(20))
  }

  @Test("what hangs is not tried again")
  func hanging() {
    var sampling = sampling(retries: 2)
    _ = due(&sampling, 0)
    guard case .bad? = take(&sampling, .failure(.timedOut(after: .seconds(5))), 5_000) else {
      return #expect(Bool(false), "it is told")
    }
  }

  @Test("a sensor that is due while it is read is left out, and that is counted")
  func skipped() {
    var sampling = sampling(retries: 0)
    #expect(due(&sampling, 0) == 1 && due(&sampling, 10_000) == 0 && due(&sampling, 20_000) == 0)
    #expect(sampling.skipped == 2 && sampling.skippedRounds.values.sorted() == [2])
  }

  @Test("what the kernel tells of is read at once, and once more where it was being read")
  func notified() {
    var sampling = sampling(retries: 0)
    _ = due(&sampling, 0)
    #expect(sampling.notified([Self.id], awake: .zero) == [])
    #expect(sampling.takeChanged(awake: .zero) == [], "the first read is under way")
    _ = take(&sampling, value, 10)
    #expect(sampling.takeChanged(awake: .zero) == [Self.id])
    _ = take(&sampling, value, 20)
    #expect(sampling.takeChanged(awake: .zero) == [])
    #expect(sampling.notified([Self.id, SensorID("other")], awake: .zero) == [Self.id])
  }
}
