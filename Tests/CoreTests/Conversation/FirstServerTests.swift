import LimpetInstants
import MQTTCore
import Plan
import Testing

@testable import Core
@testable import Status

/// The way back to the first server of the list (`broker.prefers_first`).
struct FirstServerTests {
  private static let first = DevicePlan.server("a")
  private static let second = DevicePlan.server("b")

  /// Connected to the second server, since the first one could not be reached.
  private func onSecond(_ change: (inout DevicePlan) -> Void = { _ in }) -> CoreBench {
    var bench = CoreBench(
      plan: .bench { plan in
        plan.link.servers = [Self.first, Self.second]
        (plan.link.prefersFirst, plan.link.leavesByHand) = (.seconds(60), true)
        change(&plan)
      })
    bench.server.isReachable = false
    bench.connect()
    bench.server.isReachable = true
    bench.reconnect()
    #expect(bench.core.server == Self.second)
    bench.forget()
    return bench
  }

  @Test("the second server has an acknowledged offline before it is left, and the first one is told online")
  func returns() {
    var bench = onSecond()
    bench.isFirstReachable = true
    bench.advance(by: .seconds(90))
    #expect(bench.probed.allSatisfy { $0 == Self.first } && bench.probed.count >= 4)
    let reasons = bench.packets.compactMap(\.packet.message).filter { $0.topic == "presence" }.map {
      String(buffer: $0.payload).value(of: "reason")
    }
    #expect(reasons == ["first_server", "first_server"])
    #expect(
      bench.sent().filter { $0 != "PINGREQ" } == [
        "presence stop", "status offline", "DISCONNECT", "CONNECT", "SUBSCRIBE status presence", "status online",
        "presence birth",
      ])
    #expect(bench.core.server == Self.first)
    #expect(bench.noted.contains("returnsToFirst") && bench.noted.contains("disconnectedForFirst"))
    bench.probed = []
    bench.advance(by: .seconds(300))
    #expect(bench.probed.isEmpty, "it is where it wants to be")
  }

  @Test("a second server that does not acknowledge offline publishes the will: the connection is cut")
  func unheard() {
    var bench = onSecond()
    bench.server.ignores = ["status"]
    bench.isFirstReachable = true
    bench.advance(by: .seconds(90))
    #expect(bench.sent().filter { $0 != "PINGREQ" }.prefix(3) == ["presence stop", "status offline", "cut"])
    #expect(bench.core.server == Self.first)
  }

  @Test("a first server that comes and goes is not returned to, nor one that does not answer")
  func stays() {
    var bench = onSecond()
    for _ in 0..<20 {
      bench.isFirstReachable.toggle()
      bench.advance(by: .seconds(30))
    }
    #expect(bench.core.server == Self.second && !bench.sent().contains("status offline"))
  }

  @Test("who stops meanwhile stops, and does not return")
  func stops() {
    var bench = onSecond()
    bench.isFirstReachable = true
    bench.server.ignores = ["presence"]
    bench.advance(by: .seconds(40))
    bench.stop()
    bench.advance(by: .seconds(120))
    #expect(bench.exit == true && bench.connects.count == 1)
  }

  @Test("one that accepts no connection that lasts is tried less and less often")
  func backsOff() {
    var bench = onSecond()
    bench.isFirstReachable = true
    var moves: [Duration] = []
    var last = bench.now
    for _ in 0..<4 {
      while bench.core.server == Self.second, last.duration(to: bench.now) < .seconds(7200) {
        bench.advance(by: .seconds(5))
      }
      moves.append(last.duration(to: bench.now))
      // The first one takes connections, and closes them at once.
      var steps = 0
      while bench.core.server != Self.second, steps < 5000 {
        if bench.isConnected { bench.lose() }
        bench.advance(by: .milliseconds(200))
        steps += 1
      }
      last = bench.now
    }
    #expect(moves[1] > moves[0] * 1.5 && moves[2] > moves[1] * 1.5 && moves[3] > moves[2] * 1.5, "\(moves)")
  }

  @Test("a configuration that asks for it is followed on the connection that there is")
  func reloads() {
    var bench = onSecond { ($0.link.prefersFirst, $0.link.leavesByHand) = (nil, false) }
    bench.isFirstReachable = true
    bench.advance(by: .seconds(300))
    #expect(bench.probed.isEmpty)
    let next = DevicePlan.bench { plan in
      plan.link.servers = [Self.first, Self.second]
      (plan.link.prefersFirst, plan.link.leavesByHand) = (.seconds(60), true)
    }
    #expect(choice(bench) == .firstFailed(Self.first, returnsAfter: nil))
    #expect(bench.reload(next, changesAttempts: true) == ["broker.prefers_first"])
    #expect(choice(bench) == .firstFailed(Self.first, returnsAfter: .seconds(60)))
    bench.advance(by: .seconds(90))
    #expect(bench.core.server == Self.first)
  }

  /// Why it is not at the first server, as status has it.
  private func choice(_ bench: CoreBench) -> ConnectionRecord.Choice? {
    bench.core.conversation.standing.record.choice
  }

  /// It is tried again and again, after longer and longer times.
  private func isFirstReached(_ bench: inout CoreBench) -> Bool {
    for _ in 0..<120 where bench.core.server != Self.first || !bench.isConnected { bench.advance(by: .seconds(60)) }
    return bench.core.server == Self.first && bench.isConnected
  }

  @Test("a first server that takes a smaller will only gets it with the next return: what it refused is not forgotten")
  func smallerWill() {
    var bench = onSecond()
    bench.server.keepsNothing = [Self.first]
    bench.isFirstReachable = true
    #expect(isFirstReached(&bench))
    #expect(bench.connects.last?.will?.retain == false)
    #expect(bench.noted.count { $0 == "returnsToFirst" } == 2)
  }

  @Test("a first server that closes on version 5 is asked for 3.1.1 after two returns")
  func olderVersion() {
    var bench = onSecond { $0.link.version = nil }
    bench.server.only311 = [Self.first]
    bench.isFirstReachable = true
    #expect(isFirstReached(&bench))
    #expect(bench.server.versions[.agent] == .v311)
    #expect(bench.noted.count { $0 == "returnsToFirst" } == 3)
  }

  @Test("after a return that failed the birth at the second server says reconnected, and status the longer wait")
  func failedReturn() {
    var bench = onSecond()
    #expect(choice(bench) == .firstFailed(Self.first, returnsAfter: .seconds(60)))
    bench.isFirstReachable = true
    bench.server.unreachable[.agent] = Self.first
    bench.advance(by: .seconds(120))
    let reasons = bench.packets.compactMap(\.packet.message).filter { $0.topic == "presence" }.map {
      String(buffer: $0.payload).value(of: "reason")
    }
    #expect(reasons == ["first_server", "reconnected"] && bench.core.server == Self.second)
    #expect(choice(bench) == .firstFailed(Self.first, returnsAfter: .seconds(120)))
  }

  @Test("where the first server has sent limpet to another of the list, status does not say that limpet returns")
  func sentToAnother() {
    var bench = CoreBench.connected(
      plan: .bench { plan in
        plan.link.servers = [Self.first, Self.second]
        (plan.link.prefersFirst, plan.link.leavesByHand) = (.seconds(60), true)
        plan.link.followsServerReferences = true
      })
    var properties = Properties()
    properties.serverReference = "b:1883"
    bench.receive(.disconnect(Disconnect(reasonCode: .useAnotherServer, properties: properties)))
    if bench.open[.agent] != nil { bench.lose() }
    bench.reconnect()
    #expect(bench.core.server == Self.second && choice(bench) == .sentThere)
    bench.isFirstReachable = true
    bench.advance(by: .seconds(300))
    #expect(bench.probed.isEmpty && bench.core.server == Self.second)
  }
}
