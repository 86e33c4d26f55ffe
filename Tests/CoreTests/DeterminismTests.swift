import MQTTCore
import Outbox
import Plan
import Readings
import Records
import Testing

@testable import Core

/// The same seed and the same events are the same life: also where dictionaries are at work, whose order is another in
/// each of them.
struct DeterminismTests {
  private static let names = (0..<40).map { "n\($0)" }

  private func life() -> [String] {
    var trace: [String] = []
    var section = OutboxSection(first: 16)
    for (index, _) in Self.names.enumerated() {
      section.append(16 + UInt64(index), stream: index + 1, bytes: StoredReading.size(ofData: 30))
    }
    let announcements = Self.names.map {
      StoredAnnouncement(
        kind: $0.hasSuffix("3") ? .homie : .homeAssistant, topic: "old/\($0)", content: "\nsensor \($0)")
    }
    var bench = CoreBench(plan: .bench(Self.names, retained: Set(Self.names))) {
      $0.outbox?.sections = [section]
      $0.state.announcements = announcements
      $0.outbox?.clearings = Self.names.map { "gone/\($0)" }
    }
    func take() {
      trace += bench.sent()
      trace += bench.store.asked.map { "\(Self.ordered($0))" }
      bench.store.asked = []
    }
    bench.connect()
    take()
    bench.server.acknowledges = false
    for name in Self.names { bench.level(name) }
    bench.advance(by: .seconds(3))
    take()
    bench.lose()
    bench.reconnect()
    bench.store.manner = .failing(.bench(.corrupt))
    bench.advance(by: .seconds(3))
    bench.store.manner = .atOnce
    bench.advance(by: .seconds(90))
    take()
    bench.acknowledge()
    bench.reload(.bench(["x"]))
    bench.server.refuses = ["x": .notAuthorized]
    bench.level("x", times: 3)
    bench.advance(by: .seconds(90))
    bench.stop()
    take()
    return trace
  }

  /// Without dictionaries, whose order says nothing.
  private static func ordered(_ request: StoreRequest) -> String {
    guard case .write(var changes) = request else { return "\(request)" }
    let reserved = changes.reserved.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let exact = (changes.exact ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    (changes.reserved, changes.exact) = ([:], nil)
    changes.readings?.numbers = [:]
    return "\(reserved) \(exact) \(changes)"
  }

  @Test("two runs of one life are alike, to the last packet and request")
  func same() {
    let first = life()
    #expect(first.count > 100)
    for _ in 0..<4 {
      let next = life()
      #expect(next.count == first.count)
      for (one, other) in zip(first, next) where one != other {
        return fail("\(one.prefix(400))\n\(other.prefix(400))")
      }
    }
  }
}
