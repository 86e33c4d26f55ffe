import LimpetInstants
import TestScene
import Testing

@testable import Sensing

@Suite struct DebouncerTests {
  typealias Change = Debouncer.Change

  /// Edges at times, then silence.
  private func changes(_ edges: [(level: Bool, time: Int64)], from level: Bool, period: Int64 = 20) -> [Change] {
    var debouncer = Debouncer(period: period, level: level)
    var changes = edges.compactMap { debouncer.take(level: $0.level, at: $0.time) }
    if let deadline = debouncer.deadline, let last = debouncer.elapsed(at: deadline) { changes.append(last) }
    #expect(debouncer.deadline == nil)
    return changes
  }

  @Test("a level that lasts is settled, with the time of its edge")
  func lasts() {
    #expect(changes([(true, 100)], from: false) == [Change(level: true, time: 100)])
  }

  @Test("a burst that ends elsewhere gives the level that lasts, with the time of its last edge")
  func burst() {
    #expect(
      changes([(true, 100), (false, 105), (true, 110), (false, 112), (true, 119)], from: false)
        == [Change(level: true, time: 119)])
  }

  @Test("a burst that ends where it began gives nothing, however long it was")
  func back() {
    let edges = (0..<1000).map { (level: $0.isMultiple(of: 2), time: Int64(100 + $0 * 5)) }
    #expect(changes(edges, from: false) == [])
  }

  @Test("each level that lasted for the period counts, also where the edges come late and together")
  func several() {
    #expect(
      changes([(true, 100), (false, 120), (true, 139), (false, 200)], from: false)
        == [Change(level: true, time: 100), Change(level: false, time: 200)])
  }

  @Test("a moment before the period is over nothing is settled")
  func early() {
    var debouncer = Debouncer(period: 20, level: false)
    #expect(debouncer.take(level: true, at: 100) == nil)
    #expect(debouncer.deadline == 120)
    #expect(debouncer.elapsed(at: 119) == nil)
    #expect(debouncer.elapsed(at: 120) == Change(level: true, time: 100))
    #expect(debouncer.elapsed(at: 500) == nil)
  }

  @Test("the level that lasts is always the one that is told, whatever came before", arguments: 0..<100)
  func always(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var time: Int64 = 0
    let edges = (0..<50).map { _ in
      time += Int64.random(in: 1...40, using: &random)
      return (level: Bool.random(using: &random), time: time)
    }
    let changes = changes(edges, from: false)
    #expect(changes.last?.level ?? false == edges.last?.level, "\(edges)")
    #expect(zip(changes, changes.dropFirst()).allSatisfy { $0.time < $1.time && $0.level != $1.level })
  }
}
