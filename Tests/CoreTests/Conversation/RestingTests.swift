import MQTTCore
import Plan
import Testing

@testable import Core

/// Topics that the broker takes nothing on: what waits for them waits, and nothing else does.
struct RestingTests {
  @Test("a topic that is refused is passed over, and nothing else; its readings wait and none is lost")
  func passedOver() {
    var bench = CoreBench.connected()
    bench.server.refuses = ["a": .notAuthorized]
    bench.level("a", times: 3)
    bench.level("b", times: 3)
    #expect(bench.readings() == ["a#1", "b#1", "b#2", "b#3"])
    #expect(bench.noted == ["rests"])
    #expect(bench.report.buffer.readings == 3)
    bench.server.refuses = [:]
    bench.advance(by: .seconds(60))
    #expect(bench.readings() == ["a#1", "a#2", "a#3"])
    #expect(bench.noted == ["rests", "takesAgain"])
    #expect(bench.report.buffer.readings == 0)
  }

  @Test("one message finds out whether it is over: refused again, the topic rests longer")
  func trials() {
    var bench = CoreBench.connected()
    bench.server.refuses = ["a": .notAuthorized]
    bench.level("a", times: 3)
    bench.forget()
    bench.advance(by: .seconds(61))
    #expect(bench.readings() == ["a#1"])
    bench.advance(by: .seconds(470))
    #expect(bench.readings() == [])
    bench.advance(by: .seconds(20))
    #expect(bench.readings() == ["a#1"])
  }

  @Test("each server has rights of its own, and what one refuses rests when the agent comes back to it")
  func ofEachServer() {
    let plan = DevicePlan.bench { $0.link.servers = [DevicePlan.server("a"), DevicePlan.server("b")] }
    var bench = CoreBench.connected(plan: plan)
    let first = bench.core.server
    bench.server.refuses = ["a": .notAuthorized]
    bench.level("a")
    #expect(bench.readings() == ["a#1"])
    while bench.core.server == first {
      bench.lose()
      bench.reconnect()
    }
    #expect(bench.readings() == ["a#1"], "of the other one nothing is known")
    while bench.core.server != first {
      bench.lose()
      bench.reconnect()
    }
    bench.level("a")
    #expect(bench.readings() == [])
    // Nobody looks at what rests elsewhere; it is due when the agent is there again.
    while bench.core.server == first {
      bench.lose()
      bench.reconnect()
    }
    bench.advance(by: .seconds(600))
    while bench.core.server != first {
      bench.lose()
      bench.reconnect()
    }
    #expect(bench.readings().contains("a#1"))
  }

  @Test("a refusal that is about the message alone costs the message alone")
  func aboutTheMessage() {
    var bench = CoreBench.connected()
    bench.server.refuses = ["a": .payloadFormatInvalid]
    bench.level("a", times: 2)
    #expect(bench.readings() == ["a#1", "a#2"])
    #expect(bench.noted == ["readingRefused", "readingRefused"])
    #expect(bench.report.buffer.readings == 0)
    #expect(bench.figure("refused_readings") == .count(2))
  }

  @Test("another server has rights of its own: there nothing rests")
  func anotherServer() {
    var plan = DevicePlan.bench()
    plan.link.servers.append(DevicePlan.server("b"))
    var bench = CoreBench.connected(plan: plan)
    bench.server.refuses = ["a": .notAuthorized]
    bench.level("a")
    bench.server.refuses = [:]
    bench.forget()
    // The same server comes first after a loss, and its rights are what they were.
    bench.lose()
    bench.reconnect()
    #expect(bench.readings() == [])
    // After another loss that soon it is the next one's turn.
    bench.lose()
    bench.reconnect()
    #expect(bench.readings() == ["a#1"])
  }

  @Test("a refused status rests too: readings go on, and online is said again when the rest is over")
  func status() {
    var bench = CoreBench()
    bench.server.refuses = ["status": .notAuthorized]
    bench.connect()
    bench.level("a")
    #expect(bench.readings() == ["a#1"])
    bench.server.refuses = [:]
    bench.advance(by: .seconds(60))
    #expect(bench.sent() == ["status online", "presence birth"])
    #expect(bench.report.presence.birth == .acknowledged)
  }

  @Test("what is under way to a topic that rests is not sent again with the next connection")
  func withdrawn() {
    var bench = CoreBench.connected()
    bench.server.acknowledges = false
    bench.level("a", times: 3)
    bench.level("b")
    bench.acknowledgeOne(.notAuthorized)
    bench.server.acknowledges = true
    bench.server.sessionPresent = true
    bench.forget()
    bench.lose()
    bench.reconnect()
    #expect(bench.readings() == ["again b#1"])
    bench.advance(by: .seconds(61))
    #expect(bench.readings() == ["a#1", "a#2", "a#3"])
  }

  @Test("a stop does not wait for what rests, and what rests is kept for the next start")
  func stop() {
    var bench = CoreBench.connected()
    bench.server.refuses = ["a": .notAuthorized]
    bench.level("a", times: 2)
    bench.stop()
    #expect(bench.exit == true)
    #expect(bench.noted.contains("keptForNextStart") && !bench.noted.contains("lostWithProcess"))
    #expect(bench.store.rows.count == 2)
  }
}
