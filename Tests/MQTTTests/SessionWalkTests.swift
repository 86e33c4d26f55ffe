import Testing

/// Long random walks of a session against `ModelServer`, over connections that are lost at any moment.
@Suite struct SessionWalkTests {
  @Test(
    "whatever is lost: QoS 1 at least once, QoS 2 exactly once, in order, within the limits",
    arguments: 0..<50 as Range<UInt64>)
  func walk(seed: UInt64) throws {
    var walk = SessionWalk(seed: seed)
    for _ in 0..<2_000 { walk.step() }
    walk.finish()
    #expect(walk.faults == [])
    #expect(walk.connections > 10 && walk.sentToServer.count > 100 && walk.sentToClient.count > 25, "it walked")
  }

  @Test(
    "whatever a server takes from one connection to the next: nothing beyond it is sent, and every message has one end",
    arguments: 0..<50 as Range<UInt64>)
  func limits(seed: UInt64) {
    var walk = LimitsWalk(WalkGenerator(seed: seed))
    for _ in 0..<2_000 { walk.step() }
    walk.finish()
    #expect(walk.faults == [])
    #expect(walk.connections > 50 && walk.taken.count > 200, "it walked")
  }

  @Test(
    """
    whatever several servers, a store and the end of a process do: nothing beyond what a server takes, every message \
    has one end, and what is delivered has arrived
    """,
    arguments: 0..<200 as Range<UInt64>)
  func servers(seed: UInt64) {
    var walk = ServersWalk(WalkGenerator(seed: seed))
    for _ in 0..<2_000 { walk.step() }
    walk.finish()
    #expect(walk.faults == [], "\(walk.rules)")
    #expect(walk.connections > 5 && walk.application.sent.count > 25, "it walked")
  }

  @Test("the walks between servers use all of them, and die on the way")
  func serversComeFar() {
    var (deaths, changes) = (0, 0)
    for seed in 0..<20 as Range<UInt64> {
      var walk = ServersWalk(WalkGenerator(seed: seed))
      for _ in 0..<2_000 { walk.step() }
      deaths += walk.deaths
      changes += walk.used.count - 1
    }
    #expect(deaths > 20 && changes > 10, "\(deaths) deaths, \(changes) changes")
  }
}
