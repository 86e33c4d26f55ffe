import Foundation
import LimpetInstants
import LimpetPlatform
import MQTT
import NIOCore
import TestScene
import Testing

/// A cell that is being played: a broker, who watches it, an agent, and the way between them.
final class Trial {
  let cell: Cell
  let scene: Scene
  let broker: any Broker
  private let device: String
  private let gate: Gate?
  private let network: BoardNetwork?
  let witness: Witness
  private let settings: Settings
  private(set) var agent: Agent
  private var twin: Agent?
  /// When the last step was done.
  private var since = ContinuousClock.now
  /// How long it took until it was right, for each time that was asked.
  private(set) var times: [Duration] = []

  init(
    _ cell: Cell, _ scene: Scene, brokers: [any Broker], _ certificates: Certificates
  ) async throws {
    (self.cell, self.scene) = (cell, scene)
    broker = try #require(brokers.first)
    device = "board-\(UUID().uuidString.prefix(8).lowercased())"
    network = Run.hasNetworks ? try await BoardNetwork(scene) : nil
    gate = cell.fault.needsGate ? try Gate(to: try broker.port(cell.transport)) : nil
    if let gate {
      try await gate.open()
      scene.atEnd { await gate.end() }
    }
    witness = try await Witness(
      "limpet/\(device)/status", cell.broker, port: try (brokers.last ?? broker).port(.tcp), scene)
    let host = network?.host ?? "127.0.0.1"
    let ports = try gate.map { [$0.port] } ?? brokers.map { try $0.port(cell.transport) }
    let path = cell.transport == .webSocket || cell.transport == .secureWebSocket ? "/mqtt" : ""
    let urls = ports.map { "\"\(cell.transport.scheme)://\(host):\($0)\(path)\"" }
    settings = Self.settings(
      cell, device, url: "[\(urls.joined(separator: ", "))]", certificates, scene)
    agent = try scene.agent(settings, name: "agent", program: Run.program, under: network?.launcher ?? [])
    try await seen(.online)
  }

  private static func settings(
    _ cell: Cell, _ device: String, url: String, _ certificates: Certificates, _ scene: Scene
  ) -> Settings {
    var settings = Settings(device: device, url: url, version: cell.versionText, storage: scene.folder + "/storage")
    let backOff = cell.fault.backsOffForHours ? "{min: 4h, max: 4h}" : "{min: 200ms, max: 2s, stable_after: 5s}"
    settings.broker = [
      "keepalive: \(Bound.keepAlive)s", "connect_timeout: 3s", "reconnect: \(backOff)",
    ]
    if cell.transport == .tls || cell.transport == .secureWebSocket {
      settings.broker.append("tls: {ca: \(certificates.authority), server_name: localhost}")
    }
    if let username = cell.broker.traits.username {
      settings.broker += ["username: \(username)", "password: anything"]
    }
    settings.sensors = ["{name: load, type: system, value: load1, interval: 500ms}"]
    cell.fault.change(&settings)
    return settings
  }

  /// Does what a cell is about. What is wrong is recorded.
  func play() async throws {
    for step in cell.fault.steps(cell) {
      try await perform(step)
      switch step {
      case .right, .says, .seen: break
      default: since = .now
      }
    }
    for agent in [agent, twin] {
      guard case .exited(let status)? = agent?.process.ending else { continue }
      #expect(status == 0 || (cell.fault == .aborted && status == 1), "the agent ended with \(status)")
    }
  }

  private func perform(_ step: Step) async throws {
    switch step {
    case .signal(let number): agent.process.signal(number)
    case .ends: try await agent.process.end()
    case .starts: agent = try scene.agent(settings, program: Run.program, under: network?.launcher ?? [])
    case .forgets: try FileManager.default.removeItem(atPath: settings.storage)
    case .says(let line): try await agent.line(line)
    case .way(let mode): gate?.set(mode)
    case .packets(let areDropped):
      if areDropped { try await network?.drop() } else { try await network?.passAgain() }
    case .moves: try await network?.move()
    case .brokerSaves: try await (broker as? MosquittoBroker)?.mosquitto.save()
    case .brokerStops(let signal): try await broker.stop(signal)
    case .brokerStarts:
      try await broker.start()
      // It may listen for a while before it answers.
      try await until("the broker answers", within: .seconds(30)) { try await witness.look() != .noAnswer }
    case .twinStarts:
      var settings = settings
      settings.storage += "-twin"
      twin = try scene.agent(settings, name: "twin", program: Run.program, under: network?.launcher ?? [])
    case .twinsFindOut: _ = try await whoWaits()
    case .twinEnds(let which): try await endTwin(which)
    case .clock(let hours): try await setClock(by: hours)
    case .seen(let truth): try await seen(truth)
    case .right(let truth, let limit): times.append(try await right(truth, within: limit))
    }
  }

  // MARK: Seeing

  private func seen(_ truth: Truth) async throws {
    try await until("the status is \(truth)", within: .seconds(30)) { truth.holds(witness.status(at: .now)) }
  }

  /// How long it has to stay right.
  private static let hold = Duration.seconds(10)

  /// Waits until it is right and has been so for a while.
  private func right(_ truth: Truth, within limit: Duration) async throws -> Duration {
    let start = since
    var wrong = start
    var sight = Witness.Look.saw(nil)
    var looked: ContinuousClock.Instant?
    while ContinuousClock.now - wrong < Self.hold {
      let now = ContinuousClock.now
      if let last = witness.lastWrong(truth, since: start, at: now) { wrong = max(wrong, last) }
      let isDue = looked.map { now - $0 > (now - wrong < .seconds(1) ? .milliseconds(200) : .seconds(1)) } ?? true
      if isDue {
        sight = try await witness.look()
        looked = .now
        let isRight = if case .saw(let status) = sight { truth.holds(status) } else { false }
        // A first look that is late says nothing about the time before it.
        if !isRight { wrong = .now }
      }
      guard wrong - start <= limit else {
        Issue.record(
          """
          \(cell): not \(truth) \(limit) after it happened: who watches knows \
          \(witness.status(at: .now) ?? "nothing"), who comes: \(sight)
          """)
        throw Abandoned()
      }
      try await pause(for: .milliseconds(20))
    }
    return wrong - start
  }

  // MARK: Twins

  /// The one of two that gives way says so.
  private func whoWaits() async throws -> (waiting: Agent, connected: Agent) {
    let twin = try #require(twin)
    return try await eventually("one of the two waits for minutes", within: .seconds(30)) {
      let waiting = [agent, twin].filter { agent in
        agent.log.last { $0.contains("next try in ") || $0.contains("connected to ") }?.contains("uses this client id")
          == true
      }
      guard waiting.count == 1 else { return nil }
      return waiting[0] === agent ? (agent, twin) : (twin, agent)
    }
  }

  private func endTwin(_ which: Step.Twin) async throws {
    let (waiting, connected) = try await whoWaits()
    try await (which == .waiting ? waiting : connected).end()
    agent = which == .waiting ? connected : waiting
    twin = nil
  }

  private func setClock(by hours: Int) async throws {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    now.tv_sec += time_t(hours * 3600)
    try #require(clock_settime(CLOCK_REALTIME, &now) == 0, "errno \(errno)")
  }
}
