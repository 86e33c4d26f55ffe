import LimpetInstants

/// What came of a run.
package struct Outcome: Sendable {
  package let failure: Failure?
  package let hash: UInt64
  /// How long the run took in the world's own time.
  package let length: Duration
  package let changes: [ActionKind: Int]
  package let lines: [String]
}

extension World {
  /// What seeds expand into: every fault, and constants of the core and of the world.
  package static let swarm = Swarm(
    ActionKind.allCases.filter { !$0.isOfOutputs }.map { Swarm.Choice($0, targets: 3) },
    settings: [
      ("sensors", [0, 1, 3, 10]), ("interval", [1000, 10_000, 10_000, 60_000]), ("lines", [0, 0, 1, 2, 3]),
      ("qos", [0, 1, 1, 2]), ("sync", [-1, 0, 1, 1, 10]), ("keepalive", [10, 30, 30, 60]),
      ("lease", [0, 20, 300, 300]), ("will-delay", [0, 0, 5, 60]), ("version", [0, 0, 4, 5]),
      ("window", [1, 2, 8, 100]), ("drain-rate", [20, 500]), ("brokers", [1, 2, 3]),
      ("buffer", [20_000, 10_000_000, 10_000_000]), ("keeps-latest", [0, 0, 0, 1]), ("fallback", [0, 0, 1]),
      ("session-expiry", [0, 60, 86_400, 604_800]), ("broker", [0, 1, 2, 3, 4, 5]),
      ("receive-maximum", [1, 2, 20, 20]),
      ("delay", [1, 5, 200]), ("watchdog", [0, 1]), ("shares-clock", [0, 0, 1]),
      ("block", [2, 1000, 1000]), ("batch", [1, 16, 4096]), ("drift", [0, 0, 200, -200]), ("tls", [0, 0, 1]),
      ("cluster", [0, 0, 0, 1]), ("identity", [0, 1, 2]),
      ("for-ever", Array(repeating: 0, count: 20) + Array(1...10)),
      ("home-assistant", [0, 1]), ("homie", [0, 0, 1]), ("health", [0, 0, 60]), ("clean-start", [0, 0, 0, 1]),
      ("quiet", [300, 300, 300, 300, 900, 5400]), ("prefers-first", [0, 0, 1]),
    ], actions: 1...60)

  /// The same in a life of minutes, in which things happen closer to each other, and many more in the same time.
  package static let shortSwarm = {
    var short = swarm
    short.lengths = .milliseconds(1)...(.seconds(60))
    short.actions = 1...30
    return short
  }()

  /// A device with outputs, half of whose life is commands.
  package static let outputSwarm = actingSwarm(swarm)
  package static let shortOutputSwarm = actingSwarm(shortSwarm)

  private static func actingSwarm(_ usual: Swarm) -> Swarm {
    var swarm = usual
    let own = ActionKind.allCases.filter(\.isOfOutputs)
    swarm.choices += own.map { Swarm.Choice($0, targets: 4) }
    for _ in 0..<4 {
      swarm.choices += [.commandOn, .commandOn, .commandOff, .commandSwap, .commandToggle, .commandHere].map {
        Swarm.Choice($0, targets: 4)
      }
    }
    swarm.settings += [
      ("outputs", [1, 2, 3, 4]), ("pwm", [0, 1]), ("start", [0, 1, 1, 2]), ("stop", [0, 0, 1, 2]),
      ("lost", [0, 1, 1, 1000, 60_000]), ("lost-on", [0, 0, 1]), ("heartbeat", [0, 0, 1]),
      ("max-on", [0, 0, 1000, 10_000, 300_000]), ("min-on", [0, 0, 500, 5000, 60_000]),
      ("min-off", [0, 0, 500, 5000, 60_000]), ("interlock", [0, 0, 1, 2]), ("dead-time", [0, 200, 5000]),
      ("pulse", [0, 0, 0, 500, 5000]), ("ramp", [0, 1000, 10_000]), ("obey-queued", [0, 0, 1]),
      ("max-age", [0, 0, 0, 5000, 60_000]), ("max-rate", [1, 10, 10]), ("spread", [0, 1, 2, 3]),
      ("driver-delay", [0, 5, 5, 200]),
    ]
    return swarm
  }

  /// Of so many seeds one has outputs.
  package static let outputShare: UInt64 = 3

  /// A seed's script: every other one has a short life, and a third of all have outputs.
  package static func script(_ seed: UInt64) -> Script {
    let isShort = !seed.isMultiple(of: 2)
    let hasOutputs = seed.isMultiple(of: outputShare)
    let swarm = hasOutputs ? isShort ? shortOutputSwarm : outputSwarm : isShort ? shortSwarm : swarm
    return swarm.script(Seed(seed))
  }

  /// Plays a script to its end, or to the first failure.
  package static func play(_ script: Script, keepingLines limit: Int = 0) -> Outcome {
    var world = World(script, keepingLines: limit)
    world.run()
    return Outcome(
      failure: world.failure, hash: world.trace.hash, length: WorldTime(nanoseconds: 0).duration(to: world.now),
      changes: world.changes, lines: world.trace.lines)
  }
}
