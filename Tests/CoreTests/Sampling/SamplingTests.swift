import Testing

@testable import Core
@testable import LimpetInstants
@testable import Measuring
@testable import Outbox
@testable import Plan
@testable import Readings

private func at(_ seconds: Double) -> BootClock.Instant {
  BootClock.Instant(nanoseconds: Int64(seconds * 1e9))
}

private func plan(
  _ name: String, id: String? = nil, stream: StreamID = 0, interval: Duration = .seconds(10),
  change: ChangeThreshold? = nil, conditioning: Conditioning = Conditioning(), average: Average? = nil,
  decimals: Int? = nil
) -> SensorPlan {
  SensorPlan(
    id: SensorID(id ?? name), name: name, stream: stream, interval: interval, change: change,
    conditioning: conditioning, average: average, decimals: decimals)
}

/// A sampling, and all that it gave.
private struct Bench {
  var sampling: Sampling
  var notes: [ReadingNote] = []
  let awake = Duration.seconds(500)

  init(_ sensors: [SensorPlan], _ chores: [Chore] = []) { sampling = Sampling(sensors, chores, start: at(0)) }

  mutating func tick(_ seconds: Double) -> [Sampling.Effect] {
    var effects: [Sampling.Effect] = []
    sampling.tick(at: at(seconds), awake: awake + .seconds(seconds), into: &effects)
    return effects
  }

  mutating func take(_ value: Value, of sensor: String, _ seconds: Double, isWanted: Bool = true) -> UnnumberedReading?
  {
    let measurement = Measurement(value: value, unit: "K", time: at(seconds))
    return sampling.take(
      Sample(sensor: SensorID(sensor), outcome: .success(measurement)), isWanted: isWanted, at: at(seconds),
      into: &notes)
  }

  mutating func fail(_ error: SensorError, of sensor: String, _ seconds: Double) -> UnnumberedReading? {
    sampling.take(
      Sample(sensor: SensorID(sensor), outcome: .failure(error)), isWanted: true, at: at(seconds), into: &notes)
  }
}

private func read(_ names: String...) -> Sampling.Effect { .read(names.map { SensorID($0) }) }

struct SamplingTests {
  @Test("all is due at the start, then at whole multiples of its interval; the deadline is the next of them")
  func schedule() {
    var bench = Bench(
      [plan("a"), plan("b", interval: .seconds(20))], [Chore(interval: .seconds(60), action: .storeCounts)])
    #expect(bench.sampling.deadline == at(0))
    #expect(bench.tick(0) == [.perform(.storeCounts), read("a", "b")])
    #expect(bench.sampling.deadline == at(10))
    #expect(bench.tick(9) == [])
    for name in ["a", "b"] { _ = bench.take(.number(1), of: name, 9.5) }
    #expect(bench.tick(10) == [read("a")])
    #expect(bench.sampling.deadline == at(20))
  }

  @Test("a read that is under way is not begun again, and the oldest of them is known")
  func underWay() {
    var bench = Bench([plan("a"), plan("b")])
    #expect(!bench.sampling.isReading && bench.sampling.oldestRead == nil)
    #expect(bench.tick(0) == [read("a", "b")])
    _ = bench.take(.number(1), of: "b", 1)
    #expect(bench.tick(10) == [read("b")])
    #expect(bench.sampling.oldestRead == bench.awake)
    #expect(bench.tick(20) == [])
    _ = bench.take(.number(1), of: "a", 21)
    #expect(bench.sampling.oldestRead == bench.awake + .seconds(10))
    #expect(bench.sampling.isReading)
    _ = bench.take(.number(1), of: "b", 21)
    #expect(!bench.sampling.isReading)
  }

  @Test("a sample is conditioned and rounded; its unit is the measured one unless another is configured")
  func conditioned() {
    var bench = Bench([
      plan("a", stream: 3, conditioning: Conditioning(offset: -273.15), decimals: 1)
    ])
    #expect(
      bench.take(.number(300), of: "a", 1)
        == UnnumberedReading(stream: 3, content: .good(.number(26.9)), unit: "K", time: at(1)))
  }

  @Test("what has not moved is no reading; what failed is, once for each reason, and the log says so once")
  func failures() {
    var bench = Bench([plan("a", change: .absolute(1))])
    #expect(bench.take(.number(5), of: "a", 1) != nil)
    #expect(bench.take(.number(5.5), of: "a", 2) == nil)
    let error = SensorError.stopped
    #expect(bench.fail(error, of: "a", 3)?.content == .bad("\(error)"))
    #expect(bench.fail(error, of: "a", 4) == nil)
    #expect(bench.sampling.failing == 1)
    #expect(bench.take(.number(5), of: "a", 5)?.content == .good(.number(5)))
    #expect(bench.take(.number(5), of: "a", 6) == nil)
    #expect(bench.sampling.failing == 0)
    #expect(bench.notes == [.fails(name: "a", reason: "\(error)"), .canBeReadAgain(name: "a")])
  }

  @Test("an average is one reading for its window")
  func average() {
    var bench = Bench([
      plan("a", interval: .seconds(1), average: Average(statistic: .mean, window: .seconds(3)))
    ])
    let readings = (0..<6).map { bench.take(.number(Double($0)), of: "a", Double($0))?.content }
    #expect(readings == [nil, nil, .good(.number(1)), nil, nil, .good(.number(4))])
  }

  @Test("what comes behind the farewell is no reading, and its read is over all the same")
  func unwanted() {
    var bench = Bench([plan("a")])
    _ = bench.tick(0)
    #expect(bench.take(.number(1), of: "a", 1, isWanted: false) == nil)
    #expect(!bench.sampling.isReading)
  }

  @Test("what stays keeps its state and its times; what is another is due at once, and its old reads say nothing")
  func adopt() {
    var bench = Bench(
      [plan("a", change: .absolute(1)), plan("b", change: .absolute(1))],
      [
        Chore(interval: .seconds(60), action: .publishHealth),
        Chore(interval: .seconds(10), action: .publishMeasured(LineID(place: 4))),
      ])
    _ = bench.tick(0)
    #expect(bench.take(.number(5), of: "b", 1) != nil)
    bench.sampling.adopt(
      [plan("new", stream: 2), plan("b", stream: 1, change: .absolute(1)), plan("a", id: "a#1", change: .absolute(1))],
      [
        Chore(interval: .seconds(30), action: .publishHealth),
        Chore(interval: .seconds(20), action: .publishMeasured(LineID(place: 4))),
        Chore(interval: .seconds(20), action: .publishMeasured(LineID(place: 5))),
      ], at: at(3))
    #expect(bench.take(.number(5), of: "b", 4) == nil, "it has been published")
    #expect(bench.take(.number(5), of: "a", 4) == nil, "of the sensor before")
    #expect(
      bench.tick(4) == [.perform(.publishHealth), .perform(.publishMeasured(LineID(place: 5))), read("new", "a#1")])
    #expect(bench.take(.number(5), of: "a#1", 5)?.stream == 0)
    #expect(bench.take(.number(6), of: "b", 5)?.stream == 1)
    #expect(bench.tick(10) == [read("a#1", "b")])
    #expect(
      bench.tick(20).contains(.perform(.publishMeasured(LineID(place: 4)))), "the line is the same: its times are, too")
  }

  @Test("a read that is under way goes on over a change, and is not begun a second time")
  func adoptWhileReading() {
    var bench = Bench([plan("a"), plan("b")])
    _ = bench.tick(0)
    bench.sampling.adopt([plan("b"), plan("a")], [], at: at(5))
    #expect(bench.tick(10) == [])
    #expect(bench.take(.number(1), of: "a", 11) != nil)
    #expect(bench.tick(20) == [read("a")])
  }

  @Test("without sensors nothing is due, ever")
  func nothing() {
    var bench = Bench([])
    #expect(bench.sampling.deadline == nil)
    #expect(bench.tick(1000) == [])
    bench.sampling.adopt([plan("a")], [], at: at(1001))
    #expect(bench.tick(1001) == [read("a")])
  }
}
