import LimpetInstants
import MQTTCore
import NIOCore
import Plan
import Readings
import Testing

@testable import Core

/// Commands and heartbeats over a reload, and before the first turn.
extension CommandingTests {
  @Test("a reload of nothing but a heartbeat subscribes to it, and disturbs no commands")
  func otherHeartbeat() throws {
    var bench = bench()
    bench.connect()
    bench.server.subscribed = []
    bench.reload(self.bench(heartbeat: "house/alive").core.plan, names: ["pump"])
    #expect(bench.server.subscribed == ["house/alive"])
    bench.receive(try command("on", 100))
    #expect(bench.isDriven == [true])
  }

  @Test("a command is acknowledged when the line has the level, after a reload that changes how to connect too")
  func acknowledgedAfterReload() throws {
    var bench = bench()
    bench.connect()
    bench.reload(bench.core.plan, changesAttempts: true)
    bench.drivesOutputs = false
    bench.receive(try command("on", 100))
    #expect(bench.isDriven == [true])
    #expect(bench.acknowledged == [])
  }

  @Test("a time of lost that is over by a reload is over at once, and not in the past")
  func shorterLoss() throws {
    var bench = bench(heartbeat: "house/alive")
    bench.connect()
    bench.receive(try command("on", 100))
    bench.advance(by: .seconds(30))
    var plan = bench.core.plan
    plan.outputs[0].rules.lost?.after = .seconds(10)
    // The bench fails where a deadline is in the past.
    bench.reload(plan, names: ["pump"])
    #expect(bench.isDriven == [true, false])
  }

  @Test("a heartbeat that a reload brings counts from the reload, not from the start of the process")
  func newHeartbeat() throws {
    var bench = bench()
    bench.connect()
    bench.receive(try command("on", 100))
    bench.advance(by: .seconds(3600))
    var plan = bench.core.plan
    plan.outputs[0].rules.lost = .init(after: .seconds(60), isOn: false, heartbeat: "house/alive")
    bench.reload(plan, names: ["pump"])
    #expect(bench.isDriven == [true])
    bench.advance(by: .seconds(61))
    #expect(bench.isDriven == [true, false])
  }

  @Test("a machine that was suspended before the first turn finds a time of lost that is over in that turn")
  func lostBeforeTheFirstTurn() {
    var bench = bench(heartbeat: "house/alive")
    bench.now += .seconds(100)
    bench.slept = .seconds(100)
    // The bench fails where a deadline is in the past.
    bench.handle(.start)
    let isNoted = bench.notes.contains { if case .output(.controllerLost) = $0 { true } else { false } }
    #expect(isNoted)
  }

  @Test("a reload that brings another output leaves the subscription to commands as it is")
  func otherNames() throws {
    var bench = bench()
    bench.connect()
    bench.server.subscribed = []
    var plan = bench.core.plan
    let commands = try #require(plan.commands)
    plan.commands = CommandsPlan(
      filters: commands.filters, fence: commands.fence, names: ["limpet/d/valve/set": "valve"],
      ownPrefixes: commands.ownPrefixes)
    bench.reload(plan)
    #expect(bench.server.subscribed == [])
    bench.receive(try command("on", 100))
    #expect(bench.isDriven.isEmpty)
  }

  @Test("no answer goes into the device's own topics, to another command, or to the broker's topics")
  func answerTopics() throws {
    let plan = CommandsPlan(
      filters: [], fence: "limpet/d/fence/set", names: [:], ownPrefixes: ["limpet/d/", "presence/"],
      ownTopics: ["fleet/d"])
    for topic in ["limpet/d/pump", "presence/d", "fleet/d", "other/set", "$SYS/x"] {
      #expect(!plan.mayAnswer(on: topic))
    }
    for topic in ["house/answers", "fleet/d2", "fleet/controller/answers"] { #expect(plan.mayAnswer(on: topic)) }
  }

  @Test("a name of no output is another device's where topics have no device in them", arguments: [true, false])
  func unknownNames(areFiltersOwn: Bool) throws {
    var plan = plan(heartbeats: [])
    let commands = try #require(plan.commands)
    plan.commands = CommandsPlan(
      filters: commands.filters, fence: commands.fence, names: commands.names, ownPrefixes: commands.ownPrefixes,
      areFiltersOwn: areFiltersOwn)
    var bench = CoreBench(plan: plan)
    bench.connect()
    bench.receive(try command("on", 100, topic: "valve", response: "house/answers"))
    #expect(bench.answers.count { $0.hasPrefix("house/answers ") } == (areFiltersOwn ? 1 : 0))
    #expect(bench.acknowledged == [100])
  }

  @Test("each reason to refuse a command is counted from 0, so that a rate can be made of the first")
  func countsFromTheStart() {
    var bench = bench()
    bench.connect()
    guard case .counts(_, let counts)? = bench.figure("refused_commands") else { return fail() }
    #expect(counts.count == Objection.Kind.allCases.count && counts.values.allSatisfy { $0 == 0 })
  }

  private func fail() { Issue.record("there is no such figure") }
}
