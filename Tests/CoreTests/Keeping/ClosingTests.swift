import MQTTCore
import Plan
import Records
import Testing

@testable import Core

/// What must be in the store for the next start.
struct ClosingTests {
  @Test("the rest is written, then the exact numbers with the stop, and then it is over")
  func order() throws {
    var bench = CoreBench.connected()
    bench.server.ignores = ["a"]
    bench.level("a", times: 2)
    bench.store.manner = .held
    bench.stop()
    bench.advance(by: .milliseconds(2500))
    #expect(bench.sent().last == "DISCONNECT")
    while bench.exit == nil, bench.store.heldRequest != nil { bench.answerStore() }
    let writes = bench.writes
    #expect(writes.count >= 2)
    #expect(writes.dropLast().allSatisfy { $0.exact == nil && $0.lastStop == nil })
    #expect(writes.last?.exact == ["a": 3, "b": 1] && writes.last?.lastStop != nil)
    #expect(bench.exit == true)
  }

  @Test("a write that failed long ago does not keep the rest from being written")
  func failedOnce() {
    var bench = CoreBench()
    bench.store.manner = .failing(.bench(.full))
    bench.connect()
    bench.store.manner = .atOnce
    bench.advance(by: .seconds(120))
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 3)
    bench.handle(.asked(.abort))
    #expect(bench.exit == false)
    #expect(bench.store.rows.count == 3)
    #expect(!bench.noted.contains("lostWithProcess"))
  }

  @Test("a store that fails is asked once more for each, what is lost is said, and the end is as clean as it was")
  func fails() {
    var bench = CoreBench.connected()
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 3)
    bench.store.manner = .failing(.bench(.full))
    bench.forget()
    bench.stop()
    bench.advance(by: .seconds(5))
    #expect(bench.exit == true)
    #expect(bench.noted.contains("lostWithProcess"))
    #expect(bench.store.asked.count <= 4, "\(bench.store.asked.map(\.word))")
  }

  @Test("a new name that gets no number at the end does not make it ask again and again")
  func namingFails() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["c"]
    bench.store.manner = .held
    bench.reload(.bench(["a", "b", "c"]))
    bench.level("c")
    bench.forget()
    bench.handle(.asked(.abort))
    bench.store.manner = .failing(.bench(.full))
    bench.answerStore(failing: .bench(.full))
    #expect(bench.exit != nil)
    #expect(bench.store.asked.count <= 3, "\(bench.store.asked.map(\.word))")
  }

  @Test("a request from before that fails does not keep the rest from being written")
  func earlierRequestFails() {
    var bench = CoreBench.connected()
    bench.server.isReachable = false
    bench.lose()
    bench.level("a")
    bench.store.manner = .held
    bench.advance(by: .seconds(1))
    #expect(bench.store.heldRequest != nil)
    bench.level("a")
    bench.handle(.asked(.abort))
    bench.store.manner = .atOnce
    bench.answerStore(failing: .bench(.busy))
    #expect(bench.exit == false && bench.store.rows.count == 2)
  }

  @Test("a store that does not answer has 10 s at the end")
  func hangs() {
    var bench = CoreBench.connected()
    bench.store.manner = .held
    bench.stop()
    #expect(bench.said.last == "DISCONNECT" && bench.exit == nil)
    bench.advance(by: .milliseconds(9999))
    #expect(bench.exit == nil)
    bench.advance(by: .milliseconds(1))
    #expect(bench.exit == true)
    #expect(bench.noted.contains("storeDoesNotAnswer"))
  }

  @Test("a store that is not open is not waited for, and what was in memory is said to be lost")
  func closed() {
    var bench = CoreBench {
      $0.storeError = .bench(.cannotOpen)
      $0.outbox = nil
    }
    bench.server.isReachable = false
    bench.connect()
    bench.level("a")
    bench.handle(.asked(.abort))
    #expect(bench.exit == false)
    #expect(bench.noted.contains("lostWithProcess"))
    #expect(bench.store.asked.isEmpty)
  }

  @Test("counters are stored at the end with what they stood at")
  func counters() {
    let counter = LinePlan(
      name: "w", stream: 0, request: .bench("w", mode: .counter),
      measure: LinePlan.Measure(.total, interval: .seconds(10), scale: 1, unit: nil))
    var bench = CoreBench.connected(plan: .bench(["w"]) { $0.inputs = [counter] })
    bench.pulses = [LineID(place: 0): 7]
    bench.advance(by: .seconds(10))
    bench.stop()
    bench.advance(by: .seconds(1))
    #expect(bench.exit == true)
    #expect(bench.writes.compactMap { $0.counts["w"]?.pulses }.last == 7)
  }

  @Test("after the end nothing follows, whatever happens")
  func after() {
    var bench = CoreBench.connected()
    bench.stop()
    #expect(bench.exit == true)
    bench.forget()
    bench.handle(.tick, .clockJumped, .networkChanged([]), .asked(.stop), .asked(.abort))
    bench.level("a")
    bench.advance(by: .seconds(60))
    #expect(bench.sent() == [] && bench.orders.isEmpty && bench.store.asked.isEmpty)
    #expect(bench.core.deadline == nil)
  }
}
