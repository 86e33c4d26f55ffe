import LimpetInstants
import MQTTCore
import Simulation
import Testing

@Suite struct TraceTests {
  private let time = WorldTime(nanoseconds: 1_500_000_000)

  @Test("the same happenings give the same number, and any other one another")
  func hash() throws {
    func trace(_ payload: String, _ kind: UInt64 = 1, at time: WorldTime) throws -> UInt64 {
      var trace = Trace()
      trace.note(kind, at: time, 2, 3, "x")
      trace.note(publish(try message("t", payload)), .v5, on: ConnectionID(1), to: .broker, at: time)
      return trace.hash
    }
    let first = try trace("a", at: time)
    #expect(try trace("a", at: time) == first)
    #expect(try trace("b", at: time) != first)
    #expect(try trace("a", 2, at: time) != first)
    #expect(try trace("a", at: time + .nanoseconds(1)) != first)
  }

  @Test("lines are kept where they are asked for, the last of them, and are no part of the number")
  func lines() {
    var silent = Trace()
    var spoken = Trace(keepingLines: 10)
    for number in 0..<100 {
      silent.note(1, at: time, UInt64(number), 0, "never made")
      spoken.note(1, at: time, UInt64(number), 0, "line \(number)")
    }
    #expect(silent.hash == spoken.hash && silent.lines.isEmpty)
    #expect(spoken.lines.count >= 10 && spoken.lines.count <= 20)
    #expect(spoken.lines.last == "1.500000000 line 99")
  }
}
