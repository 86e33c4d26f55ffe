import MQTTCore
import Measuring
import NIOCore
import Outbox
import Plan
import Presence
import Readings
import Records
import Status
import Testing

@testable import Core
@testable import LimpetInstants

/// What tests do with a core, and ask of it.
extension CoreBench {
  /// Started and connected, with all that a start brings out of the way.
  static func connected(
    plan: DevicePlan = .bench(), echoes: Bool = true, _ change: (inout Beginning) -> Void = { _ in }
  ) -> CoreBench {
    var bench = CoreBench(plan: plan, change)
    bench.server.echoes = echoes
    bench.connect()
    bench.forget()
    return bench
  }

  /// Everything begins, and the server agrees.
  mutating func connect() { handle(.start) }

  /// What has come out so far is forgotten.
  mutating func forget() {
    (said, packets, orders, notes, closings) = ([], [], [], [], [])
    store.asked = []
  }

  /// What has been said since it was asked last.
  mutating func sent() -> [String] {
    defer { (said, packets) = ([], []) }
    return said
  }

  /// Of that, what is no reading.
  mutating func sentBesideReadings() -> [String] { sent().filter { !$0.contains("#") } }

  /// Readings that were sent since it was asked last: `a#1`.
  mutating func readings() -> [String] { sent().filter { $0.contains("#") } }

  /// The line of that name has another level, so often.
  mutating func level(_ name: String, times: Int = 1) {
    for _ in 0..<times {
      guard let place = (0..<99).first(where: { core.lines.request(of: LineID(place: $0)) == .bench(name) }) else {
        return fail("no line \(name)")
      }
      handle(.lines([LineReport(line: LineID(place: place), content: .level(true), time: now)], isFinished: false))
    }
  }

  mutating func measure(_ name: String, _ value: Int64) { handle(.samples([.bench(name, value, at: now)])) }

  /// The server closes the connection, without a word.
  mutating func lose(_ link: LinkID = .agent) {
    guard let attempt = open.removeValue(forKey: link) else { return fail("no connection") }
    handle(.link(link, .closed(attempt, received: true)))
  }

  /// The server ends the connection and says why.
  mutating func disconnect(_ code: ReasonCode) {
    receive(.disconnect(Disconnect(reasonCode: code)))
    if open[.agent] != nil { lose() }
  }

  /// Until there is a connection again.
  mutating func reconnect() {
    var passed = 0
    while !isConnected, passed < 600 {
      advance(by: .seconds(1))
      passed += 1
    }
    #expect(isConnected)
  }

  /// What the server has waited with is acknowledged, and from now on everything at once.
  mutating func acknowledge(_ code: ReasonCode = .success) {
    server.acknowledges = true
    while !server.unacknowledged.isEmpty {
      let (link, identifier) = server.unacknowledged.removeFirst()
      receive(.puback(Acknowledgement(identifier, reasonCode: code)), on: link)
    }
  }

  /// Only what waits longest.
  mutating func acknowledgeOne(_ code: ReasonCode = .success) {
    guard !server.unacknowledged.isEmpty else { return fail("nothing waits") }
    let (link, identifier) = server.unacknowledged.removeFirst()
    receive(.puback(Acknowledgement(identifier, reasonCode: code)), on: link)
  }

  /// Somebody publishes on a topic that is subscribed to.
  mutating func publish(_ topic: TopicName, _ payload: String, retain: Bool = false, instance: String? = nil) {
    var message = Message(topic: topic, payload: ByteBuffer(string: payload), qos: .atMostOnce, retain: retain)
    if let instance {
      message.properties.addUserProperty("instance", instance)
      message.properties.addUserProperty("epoch", "77")
    }
    receive(.publish(Publish(message)))
  }

  mutating func stop(because reason: StopReason? = .shutdown) {
    handle(.asked(reason.map { .stopBecause($0) } ?? .stop))
  }

  /// Another plan takes the place of the one that runs.
  @discardableResult
  mutating func reload(
    _ plan: DevicePlan, names: Set<String> = [], renewsConnection: Bool = false, changesAttempts: Bool = false
  ) -> [String]? {
    let difference = Difference(names: names, renewsConnection: renewsConnection, changesAttempts: changesAttempts)
    let pulses = pulses
    let words = turn { core, moment in core.reload(plan, difference, pulses: pulses, at: moment) }
    handle()
    return words
  }

  var isConnected: Bool { core.conversation.standing.connection != nil }
  var report: StatusReport {
    core.report(
      Facts(device: "board", displayName: nil, process: 1, started: Self.start, logLevel: "info"), at: moment)
  }

  func figure(_ name: String) -> Figure.Value? {
    report.figures.first { "\($0.name)" == name }?.value
  }

  /// The names of notes, without what they say.
  var noted: [String] { notes.map { String("\($0)".prefix { $0 != "(" }) } }
  var notified: [ServiceNotice] { orders.compactMap { if case .notify(let notice) = $0 { notice } else { nil } } }

  /// READY=1 was told.
  var isReady: Bool { notified.contains(.ready) }

  /// What the store was asked to write.
  var writes: [StoreChanges] {
    store.asked.compactMap { if case .write(let changes) = $0 { changes } else { nil } }
  }

  /// The presence that was published last, as fields of its JSON.
  var lastPresence: String? {
    packets.last { $0.packet.message?.topic == DevicePlan.presence }?.packet.message.map { String(buffer: $0.payload) }
  }
}

extension Sample {
  static func bench(_ name: String, _ value: Int64, at now: BootClock.Instant) -> Sample {
    Sample(sensor: SensorID(name), outcome: .success(Measurement(value: .integer(value), time: now)))
  }
}
