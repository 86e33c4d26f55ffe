import MQTTCore
import Outbox
import Plan
import Readings
import Records
import Testing

@testable import Core
@testable import LimpetInstants

/// Whatever happens, and in whatever order: the bench looks at the rules of a turn, and this at those of a life.
struct CoreWalkTests {
  private struct Walk {
    var bench: CoreBench
    var generator: SplitMix64
    /// What happened, for who has to find out why.
    var steps: [String] = []
    var heard: [String] = []
    private var plan = 0

    init(seed: UInt64) {
      generator = SplitMix64(seed: seed)
      var plan = Self.plans[0]
      if seed % 5 == 1 { plan.outbox.keepsLatest = [true, false] }
      if seed % 5 == 2 { plan.outbox.expiry = .seconds(20) }
      if seed % 5 == 3 { (plan.outbox.limit, plan.outbox.drainRate) = (4000, 10) }
      if seed % 5 == 4 { plan.link.version = .v311 }
      if seed % 3 == 1 { plan.link.inFlightLimit = 4 }
      bench = CoreBench(seed: seed, plan: plan) {
        if seed % 4 == 1 { ($0.storeError, $0.outbox) = (.bench(.busy), nil) }
        $0.watchdogInterval = .seconds(15)
      }
      bench.server.properties.receiveMaximum = [nil, 1, 2, 4][Int(seed % 4)]
    }

    private static let homie = DevicePlan.homie("a")

    static let plans: [DevicePlan] = [
      .bench(retained: ["a"]),
      .bench(["b", "c"], retained: ["b"], sensors: ["s"]) { $0.homie = homie },
      .bench(["a", "b"], status: "moved") { $0.homeAssistant = DevicePlan.homeAssistant("a") },
      .bench(["a", "b"], retained: ["a"], lease: .seconds(60), willDelay: .seconds(30)) {
        $0.homie = DevicePlan.homie("a", "b", base: "homie/5/other")
        $0.outbox.writing = .always
      },
    ]

    private mutating func pick<T>(_ all: [T]) -> T { all[Int.random(in: all.indices, using: &generator)] }

    mutating func step() {
      let name = pick([
        "level", "level", "level", "advance", "advance", "lose", "server", "store", "answer", "acknowledge", "reload",
        "clock", "network", "rival", "homie", "refuse", "connack",
      ])
      steps.append(name)
      switch name {
      case "level":
        if let input = bench.core.plan.inputs.randomElement(using: &generator) {
          bench.level(input.name, times: Int.random(in: 1...5, using: &generator))
        }
      case "advance":
        let exponent = Int.random(in: 0...12, using: &generator)
        bench.advance(by: .milliseconds(1 << exponent))
      case "lose": if bench.open[.agent] != nil { bench.lose() }
      case "homie": if bench.open[.homie] != nil { bench.lose(.homie) }
      case "server":
        bench.server.isReachable = pick([true, true, false])
        bench.server.hangs = pick([false, false, true])
        bench.server.sessionPresent = pick([true, false])
      case "connack": bench.server.connack = pick([.success, .success, .success, .serverUnavailable, nil])
      case "acknowledge":
        bench.server.acknowledges = pick([true, false])
        if bench.server.acknowledges { bench.acknowledge() }
      case "refuse": bench.server.refuses = pick([[:], [:], ["a": .notAuthorized], ["status": .notAuthorized]])
      case "store":
        bench.store.manner = pick([
          .atOnce, .atOnce, .held, .failing(.bench(.full)), .failing(.bench(.corrupt)), .failing(.bench(.fileIsGone)),
        ])
      case "answer": if bench.store.heldRequest != nil { bench.answerStore() }
      case "reload":
        let next = Int.random(in: Self.plans.indices, using: &generator)
        bench.reload(Self.plans[next], names: pick([[], ["a"]]), renewsConnection: next != plan)
        plan = next
      case "clock": bench.handle(.clockJumped)
      case "network": bench.handle(.networkChanged(pick([["10.0.0.2"], [], nil])))
      case "rival": if bench.open[.agent] != nil { bench.publish("status", "offline", instance: pick([nil, "other"])) }
      default: break
      }
      look()
    }

    /// No reading is in two places or in none; nobody says DISCONNECT over an online.
    mutating func look() {
      let core = bench.core
      let sender = core.conversation.sender
      let outbox = sender.outbox
      let places =
        UInt64(outbox.count + sender.underWay) + core.conversation.tally.delivered + sender.refused + outbox.dropped
        + outbox.superseded + outbox.expired
      #expect(core.numbering.counts.readings == places, "\(steps)")
      #expect(sender.underWay >= 0 && outbox.count >= 0 && outbox.bytes >= 0, "\(steps)")
      for line in bench.sent() where !line.hasPrefix("homie ") {
        switch line {
        case "CONNECT", "cut": heard = []
        case "DISCONNECT":
          // Before a birth there is nothing to take back.
          #expect(heard.isEmpty || heard.suffix(2).first == "presence stop", "\(heard): \(steps)")
          heard = []
        case _ where line.contains("SUBSCRIBE"): break
        default:
          let saysOnline = line.hasSuffix(" online") || line == "presence birth"
          #expect(!saysOnline || !heard.contains("presence stop"), "\(line) behind a farewell: \(steps)")
          if !line.contains("#") { heard.append(line) }
        }
      }
      bench.forget()
    }

    /// The end, in one way or the other, is there within its time.
    mutating func end() {
      if Bool.random(using: &generator) { bench.stop(because: nil) } else { bench.handle(.asked(.abort)) }
      look()
      // The question why, shutdown_timeout, a connection's end, the store.
      bench.advance(by: .milliseconds(500))
      look()
      bench.advance(by: .seconds(20))
      #expect(bench.exit != nil, "\(steps)")
      look()
    }
  }

  @Test("200 random lives: no turn breaks a rule, no reading is in two places or in none, and each comes to its end")
  func lives() {
    for seed in UInt64(0)..<200 {
      var walk = Walk(seed: seed)
      walk.bench.handle(.start)
      for _ in 0..<40 { walk.step() }
      walk.end()
      guard !walk.bench.hasFailed else { return fail("seed \(seed): \(walk.steps)") }
    }
  }
}
