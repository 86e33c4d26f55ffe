import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Outbox
@testable import Readings

@Suite("TimeLabels")
struct TimeLabelTests {
  private static let base = BootClock.now

  private func clock(ahead: Duration = .zero, isSynchronized: Bool = true) -> WallClock {
    WallClock(instant: Self.base, sinceEpoch: .seconds(1_795_176_000) + ahead, isSynchronized: isSynchronized)
  }

  private func microseconds(_ labels: inout TimeLabels, at distance: Duration, _ clock: WallClock) -> Int64? {
    labels.label(of: Self.base + distance, stream: 0, clock)?.time.microseconds
  }

  @Test("time stands still while a clock that was set back a little catches up")
  func setBack() throws {
    var labels = TimeLabels(streams: 2)
    let found = microseconds(&labels, at: .seconds(10), clock())
    let first = try #require(found)
    let second = microseconds(&labels, at: .seconds(11), clock(ahead: .seconds(-5)))
    #expect(second == first)
    let third = microseconds(&labels, at: .seconds(16), clock(ahead: .seconds(-5)))
    #expect(third == first + 1_000_000)
    let other = labels.label(of: Self.base, stream: 1, clock(ahead: .seconds(-5)))
    #expect(other?.isCertain == true, "of another name")
  }

  @Test("a clock that was set back by more leaves its readings uncertain until it is past them")
  func setBackFar() {
    var labels = TimeLabels(streams: 1)
    _ = labels.label(of: Self.base, stream: 0, clock(ahead: .seconds(86_400)))
    let label = labels.label(of: Self.base + .seconds(1), stream: 0, clock())
    #expect(label?.isCertain == false)
    #expect(label?.time.microseconds == 1_795_176_001_000_000)
    let past = labels.label(of: Self.base + .seconds(86_401), stream: 0, clock())
    #expect(past?.isCertain == true)
  }

  @Test("a clock that is not synchronised gives no label, and one that is by the time of sending gives the true time")
  func unsynchronized() {
    var labels = TimeLabels(streams: 1)
    let none = labels.label(of: Self.base, stream: 0, clock(isSynchronized: false))
    #expect(none == nil)
    let reading = Reading(
      stream: 0, content: .gap(lost: 1), unit: nil, time: Self.base - .seconds(30), sequence: 1, restarted: false)
    let early = labels.label(of: reading, 1) { clock(ahead: .seconds(-1_000_000), isSynchronized: false) }
    #expect(!early.isCertain)
    let late = labels.label(of: reading, 1) { clock() }
    #expect(late.isCertain && late.time.microseconds == (1_795_176_000 - 30) * 1_000_000)
  }

  @Test("one from before those that overtook it keeps the time that it was stored with, whatever its number")
  func overtaken() {
    var labels = TimeLabels(streams: 1)
    func reading(_ sequence: UInt64, _ seconds: Int64) -> Reading {
      var reading = Reading(
        stream: 0, content: .gap(lost: 1), unit: nil, time: Self.base, sequence: sequence, restarted: false)
      reading.label = TimeLabel(time: Timestamp(microseconds: seconds * 1_000_000), isCertain: true)
      return reading
    }
    #expect(labels.label(of: reading(1, 100), 50) { clock() }.time.microseconds == 100_000_000)
    // A store that was opened late: another row of numbers, from before.
    #expect(labels.label(of: reading(7, 90), 20) { clock() }.time.microseconds == 90_000_000)
    #expect(labels.label(of: reading(2, 95), 51) { clock() }.time.microseconds == 100_000_000, "the clock was set back")
  }
}
