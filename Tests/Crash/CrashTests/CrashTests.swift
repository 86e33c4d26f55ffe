import Foundation
import MQTT
import Readings
import TestScene
import Testing

/// Kills in all, of LIMPET_CRASHES; without it this is no crash test.
private let kills = ProcessInfo.processInfo.environment["LIMPET_CRASHES"].flatMap { Int($0) }

/// The agent under load, killed at random moments again and again, while its broker comes and goes.
@Suite("Crashes", .enabled(if: kills != nil), .showsLogs, .serialized)
struct CrashTests {
  private static let names = (0..<5).map { "fast\($0)" }
  /// Of each name; together 500 a second.
  private static let interval = "10ms"

  struct Case: CustomStringConvertible, Sendable {
    let sync: String
    let qos: Int
    var description: String { "sync: \(sync), QoS \(qos)" }
  }
  static let cases = ["always", "1s"].flatMap { sync in [1, 2].map { Case(sync: sync, qos: $0) } }

  @Test("nothing that was promised is missing, twice or out of order", arguments: cases)
  func crashes(_ this: Case) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(
        savesAtOnce: false, logs: ["error", "warning", "notice", "information"],
        lines: ["max_queued_messages 0", "max_inflight_messages 200"])
      let subscriber = try await scene.subscriber(to: broker, isDurable: true, qos: .exactlyOnce)
      var settings = scene.settings(broker)
      settings.lines = ["qos: \(this.qos)"]
      settings.storage = "\(scene.folder)/storage, sync: \(this.sync), drain_rate: 2000"
      settings.sensors = Self.names.map { "{name: \($0), type: system, value: load1, interval: \(Self.interval)}" }
      let moments = try await kill(settings, broker, scene)
      let agent = try scene.agent(settings)
      try await agent.line("connected to", within: .seconds(30))
      try await until("everything has arrived", within: .seconds(120)) {
        try await drained(subscriber, after: Date())
      }
      let ending = try await agent.end(within: .seconds(60))
      #expect(ending == .exited(0))
      #expect(agent.log.allSatisfy { !$0.contains(" error: ") })
      for name in Self.names { try judge(Arrivals(try subscriber.readings(name)), this, moments, name) }
    }
  }

  /// Kills the agent at random moments, with the broker up and down meanwhile; when they were.
  private func kill(_ settings: Settings, _ broker: Mosquitto, _ scene: Scene) async throws -> [Date] {
    let weather = Task {
      // What is begun is ended: when this is over, the broker runs.
      while (try? await Task.sleep(for: .milliseconds(Int.random(in: 500...3000)))) != nil {
        try await Task {
          try await broker.stop()
          try await Task.sleep(for: .milliseconds(Int.random(in: 200...2000)))
          try await broker.start()
        }.value
      }
    }
    var moments: [Date] = []
    for _ in 0..<(kills ?? 0) / Self.cases.count {
      let agent = try scene.agent(settings)
      try await agent.line("limpet")
      try await Task.sleep(for: .milliseconds(Int.random(in: 50...2500)))
      moments.append(Date())
      try await agent.end(SIGKILL)
    }
    weather.cancel()
    try await weather.value
    return moments
  }

  /// Readings arrive as they are taken: there is no backlog any more.
  private func drained(_ subscriber: Subscriber, after start: Date) async throws -> Bool {
    for name in Self.names {
      guard let last = try subscriber.records(of: "limpet/board/\(name)").last.map({ try Reading(json: $0.payload) }),
        try last.date > start.addingTimeInterval(-0.5)
      else { return false }
    }
    return true
  }

  private func judge(_ arrivals: Arrivals, _ this: Case, _ moments: [Date], _ name: String) throws {
    #expect(arrivals.first.count > 100 * moments.count / 10, "\(name)")
    #expect(arrivals.outOfOrder == 0, "\(name): numbers that came before a lower one came first")
    if this.qos == 2 { #expect(arrivals.repeats == 0, "\(name)") }
    if this.sync == "always" {
      #expect(arrivals.missing == [], "\(name)")
      #expect(arrivals.first.allSatisfy { $0.restarted == nil }, "\(name): numbers go on exactly")
    } else {
      #expect(arrivals.unmarkedGaps.isEmpty, "\(name): \(arrivals.unmarkedGaps)")
      // The second of `sync`, and what a busy machine takes to write.
      let loss = try arrivals.loss(before: moments)
      #expect(loss < 2, "\(name)")
    }
  }
}
