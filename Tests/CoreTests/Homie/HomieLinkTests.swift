import MQTTCore
import Plan
import Records
import Testing

@testable import Core

/// The Homie device's connection, and the one device after another.
struct HomieLinkTests {
  private static func plan(_ homie: HomiePlan? = DevicePlan.homie("a")) -> DevicePlan { .bench { $0.homie = homie } }

  private static func homie(_ lines: [String]) -> [String] {
    lines.filter { $0.hasPrefix("homie ") }.map {
      String($0.dropFirst(6)).replacing("homie/5/board/", with: "")
    }.filter { !$0.hasPrefix("$description") }
  }

  @Test("it connects when the agent has, with lost as its will, and is ready when every reading has been taken once")
  func lifecycle() throws {
    var bench = CoreBench(plan: Self.plan())
    bench.server.connack = nil
    bench.connect()
    #expect(Self.homie(bench.sent()) == [], "the server has not agreed to the agent yet")
    bench.server.connack = .success
    bench.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    #expect(Self.homie(bench.sent()) == ["CONNECT", "$state init"])
    let will = try #require(bench.connects.last?.will)
    #expect(will.topic == "homie/5/board/$state" && will.payload.readableBytesView.elementsEqual("lost".utf8))
    #expect(will.retain)
    bench.level("a")
    #expect(Self.homie(bench.sent()).suffix(3).contains("$state ready"))
    #expect(bench.noted.contains("homieConnected"))
  }

  @Test("readings that do not come are not waited for longer than 5 s")
  func patience() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.advance(by: .seconds(5))
    #expect(Self.homie(bench.sent()) == ["$state ready"])
  }

  @Test("its connection is its own: a loss of one says nothing about the other, and each comes back")
  func independent() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.level("a")
    bench.forget()
    bench.lose(.homie)
    #expect(bench.isConnected && bench.noted == ["homieLost"])
    bench.advance(by: .seconds(5))
    #expect(Self.homie(bench.sent()).first == "CONNECT")
    bench.lose()
    bench.reconnect()
    #expect(!Self.homie(bench.sent()).contains("CONNECT"))
  }

  @Test("an outage of the Homie device alone is told again after 10 minutes; beside the agent's own it is not")
  func reminders() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.level("a")
    bench.server.unreachable[.homie] = DevicePlan.server("a")
    bench.lose(.homie)
    #expect(bench.milestonesOfHomie == 0)
    bench.advance(by: .seconds(900))
    #expect(bench.isConnected && bench.milestonesOfHomie == 1)
    bench.server.isReachable = false
    bench.lose()
    bench.advance(by: .seconds(7200))
    #expect(!bench.isConnected && bench.milestonesOfHomie == 1)
  }

  @Test("the broker is reached by the Homie device: the agent's own connection waits no longer (U6)")
  func wakesTheAgent() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.level("a")
    // Long waits.
    for _ in 0..<8 {
      bench.lose()
      bench.reconnect()
    }
    bench.lose(.homie)
    bench.lose()
    // The Homie device comes back within its first round; alone the agent would wait for up to 2 minutes.
    bench.advance(by: .seconds(3))
    #expect(bench.isConnected)
  }

  @Test(
    "so too where the Homie device had connected shortly before, beside the agent (U6)",
    arguments: [Duration.seconds(21), .seconds(5)])
  func wakesTheAgentSoon(_ outage: Duration) {
    var bench = CoreBench.connected(plan: Self.plan())
    for _ in 0..<6 {
      bench.server.isReachable = false
      for link in [LinkID.agent, .homie] where bench.open[link] != nil { bench.lose(link) }
      bench.advance(by: outage)
      bench.server.isReachable = true
      var passed = 0
      while bench.open[.homie] == nil, passed < 3000 {
        bench.advance(by: .milliseconds(100))
        passed += 1
      }
      // Between two calls of the agent there are 20 s.
      bench.advance(by: .seconds(outage < .seconds(20) ? 21 : 1))
      #expect(bench.isConnected, "the Homie device is back after \(passed) tenths of a second")
    }
  }

  @Test("a broker that agrees and closes, again and again, is not kept busy by two connections that wake each other")
  func neitherWakesTheOtherForEver() {
    var bench = CoreBench.connected(plan: Self.plan())
    let before = bench.connects.count
    for _ in 0..<600 {
      for link in [LinkID.agent, .homie] where bench.open[link] != nil { bench.lose(link) }
      bench.advance(by: .milliseconds(100))
    }
    #expect(bench.connects.count - before < 40, "in a minute")
  }

  @Test("two with one client identifier slow down")
  func takeOver() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.receive(.disconnect(Disconnect(reasonCode: .sessionTakenOver)), on: .homie)
    bench.forget()
    bench.advance(by: .seconds(59))
    #expect(Self.homie(bench.sent()) == [])
    bench.advance(by: .seconds(62))
    #expect(Self.homie(bench.sent()).first == "CONNECT")
  }

  @Test("a stop says disconnected on it, and waits for that")
  func stop() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.level("a")
    bench.forget()
    bench.stop()
    #expect(Self.homie(bench.sent()) == ["$state disconnected", "DISCONNECT"])
    #expect(bench.exit == true)
  }

  @Test("where its farewell is not answered the end comes with the shutdown's time, without a busy loop")
  func stopHangs() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 3)
    bench.server.acknowledges = false
    bench.server.ignores = ["homie/5/board/$state"]
    bench.stop()
    #expect(bench.exit == nil)
    bench.advance(by: .milliseconds(4999))
    #expect(bench.exit == nil)
    bench.advance(by: .milliseconds(1))
    #expect(bench.exit == true)
    #expect(bench.said.contains("homie cut"))
    #expect(bench.store.rows.count == 3)
  }

  @Test("an abort cuts it too")
  func abort() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.handle(.asked(.abort))
    #expect(bench.sent().sorted() == ["cut", "homie cut"])
    #expect(bench.exit == false)
  }

  @Test("other nodes under the same base go on over the same connection: init, what left is taken away, ready")
  func adopts() {
    var bench = CoreBench.connected(plan: Self.plan(DevicePlan.homie("a", "b")))
    bench.level("a")
    bench.level("b")
    bench.advance(by: .seconds(5))
    bench.forget()
    bench.reload(Self.plan(DevicePlan.homie("a")))
    let said = Self.homie(bench.sent())
    #expect(said.first == "$state init" && said.last == "$state ready")
    #expect(said.contains("b/value -") && !said.contains("DISCONNECT"))
    #expect(said.contains("a/value true"), "what was read last is there again")
  }

  @Test("another base: the old device says good-bye, the new one begins, and the old topics are cleared")
  func replaced() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.level("a")
    bench.forget()
    bench.reload(Self.plan(DevicePlan.homie("a", base: "homie/5/new")))
    let said = bench.sent()
    #expect(said.prefix(2) == ["homie homie/5/board/$state disconnected", "homie DISCONNECT"])
    #expect(said.contains("homie homie/5/new/$state ready"))
    let cleared = said.filter { $0.hasPrefix("homie/5/board/") }
    #expect(cleared.prefix(2) == ["homie/5/board/$state -", "homie/5/board/$description -"])
    bench.advance(by: .seconds(5))
    #expect(bench.writes.flatMap(\.forgotten).map(\.topic) == ["homie/5/board"])
  }

  @Test("a device that is gone for good says good-bye and is cleared; it comes back as its own affair")
  func removed() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.level("a")
    bench.forget()
    bench.reload(Self.plan(nil))
    #expect(bench.sent().contains("homie/5/board/$state -"))
    bench.forget()
    bench.reload(Self.plan())
    #expect(Self.homie(bench.sent()).first == "CONNECT")
  }

  @Test("a farewell that is not answered at a reload is cut after 2 s, and the next device begins all the same")
  func replacedWithoutAnswer() {
    var bench = CoreBench.connected(plan: Self.plan())
    bench.server.ignores = ["homie/5/board/$state"]
    bench.reload(Self.plan(DevicePlan.homie("a", base: "homie/5/new")))
    bench.advance(by: .seconds(2))
    let said = bench.sent()
    #expect(said.contains("homie cut"))
    #expect(said.contains("homie homie/5/new/$state init"))
  }

  @Test("what a broker may keep of it is on the disk before it is published")
  func stored() throws {
    var bench = CoreBench(plan: Self.plan())
    bench.connect()
    let first = try #require(bench.writes.first)
    #expect(first.announcements.map(\.topic) == ["homie/5/board"])
    bench.level("a")
    bench.forget()
    bench.store.manner = .held
    bench.reload(Self.plan(DevicePlan.homie("a", "b")))
    #expect(bench.sent() == [])
    bench.answerStore()
    #expect(Self.homie(bench.sent()).first == "$state init")
  }

  @Test("another device begins when the store knows of it, be it that it can take nothing")
  func storedBeforeTheNext() {
    for isFailing in [false, true] {
      var bench = CoreBench.connected(plan: Self.plan())
      bench.level("a")
      bench.forget()
      bench.store.manner = .held
      bench.reload(Self.plan(DevicePlan.homie("a", base: "homie/5/new")))
      #expect(bench.sent() == ["homie homie/5/board/$state disconnected", "homie DISCONNECT"])
      bench.store.manner = isFailing ? .failing(.bench(.full)) : .atOnce
      bench.answerStore(failing: isFailing ? .bench(.full) : nil)
      #expect(bench.sent().contains("homie homie/5/new/$state ready"))
    }
  }

  @Test("a store that is closed or late is not waited for by the device that follows")
  func noStore() {
    for isLate in [false, true] {
      var bench = CoreBench.connected(plan: Self.plan())
      bench.server.ignores = ["a"]
      bench.level("a")
      bench.store.manner = isLate ? .held : .failing(.bench(.cannotOpen))
      if !isLate { bench.store.manner = .failing(.bench(.corrupt)) }
      bench.advance(by: .seconds(4))
      bench.forget()
      bench.reload(Self.plan(DevicePlan.homie("a", base: "homie/5/new")))
      #expect(bench.sent().contains("homie homie/5/new/$state init"))
      #expect(bench.store.asked.count <= 1)
    }
  }

  // MARK: The first server

  private static let servers = [DevicePlan.server("a"), DevicePlan.server("b")]

  /// The agent is at the first server, and the Homie device at the second.
  private func apart() -> CoreBench {
    let usual = DevicePlan.homie("a")
    var link = usual.link
    (link.servers, link.prefersFirst, link.leavesByHand) = (Self.servers, .seconds(60), true)
    let homie = HomiePlan(device: usual.device, link: link, connect: usual.connect)
    var bench = CoreBench.connected(
      plan: .bench { plan in
        (plan.homie, plan.link.servers) = (homie, Self.servers)
      })
    bench.level("a")
    bench.server.unreachable[.homie] = Self.servers[0]
    bench.lose(.homie)
    bench.advance(by: .seconds(30))
    #expect(bench.open[.homie] != nil && bench.server.dialled == [.agent: Self.servers[0], .homie: Self.servers[1]])
    bench.server.unreachable = [:]
    bench.isFirstReachable = true
    bench.forget()
    return bench
  }

  @Test("it returns to the first server by itself, and says disconnected where it was")
  func returnsToFirst() {
    var bench = apart()
    bench.advance(by: .seconds(120))
    let said = Self.homie(bench.sent())
    #expect(said.prefix(4) == ["$state disconnected", "DISCONNECT", "CONNECT", "$state init"])
    #expect(said.last == "$state ready")
    #expect(bench.server.dialled == [.agent: Self.servers[0], .homie: Self.servers[0]])
  }

  @Test("a server that does not acknowledge disconnected publishes the will: the connection is cut")
  func returnsUnheard() {
    var bench = apart()
    bench.server.ignores = ["homie/5/board/$state"]
    bench.advance(by: .seconds(120))
    #expect(Self.homie(bench.sent()).prefix(3) == ["$state disconnected", "cut", "CONNECT"])
    #expect(bench.server.dialled[.homie] == Self.servers[0])
  }

  @Test("one that is lost on its way goes on to the first server")
  func returnsLost() {
    var bench = apart()
    bench.server.ignores = ["homie/5/board/$state"]
    leave(&bench)
    bench.server.ignores = []
    bench.lose(.homie)
    bench.advance(by: .seconds(10))
    #expect(Self.homie(bench.sent()).last == "$state ready" && bench.server.dialled[.homie] == Self.servers[0])
  }

  @Test("a stop on its way to the first server says disconnected once, and ends")
  func stopsOnItsWay() {
    var bench = apart()
    bench.server.ignores = ["homie/5/board/$state"]
    leave(&bench)
    bench.stop()
    bench.advance(by: .seconds(5))
    #expect(Self.homie(bench.sent()).count { $0 == "$state disconnected" } == 1)
    #expect(bench.exit == true && bench.server.dialled[.homie] == Self.servers[1])
  }

  /// Until it says `disconnected`.
  private func leave(_ bench: inout CoreBench) {
    for _ in 0..<200 where !bench.said.contains("homie homie/5/board/$state disconnected") {
      bench.advance(by: .milliseconds(500))
    }
    #expect(bench.said.contains("homie homie/5/board/$state disconnected") && bench.open[.homie] != nil)
  }
}

extension CoreBench {
  fileprivate var milestonesOfHomie: Int {
    notes.count { if case .homieLost(_, _, .reminder(_, _, isMilestone: true)) = $0 { true } else { false } }
  }
}
