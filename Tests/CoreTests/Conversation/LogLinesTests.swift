import Discovery
import Logging
import MQTTCore
import Plan
import Testing

@testable import Agent
@testable import Core

/// How long a log becomes at the usual level, `notice`, where something goes wrong for long.
struct LogLinesTests {
  private static func shown(_ bench: CoreBench) -> [String] {
    bench.notes.map(\.line).filter { $0.level >= .notice }.map(\.text)
  }

  /// There is a Homie device, which has a connection of its own.
  private static let plan = DevicePlan.bench { $0.homie = DevicePlan.homie("a", "b") }

  @Test(
    "an outage of a day at a back-off of 2 minutes is at most 20 lines, its end included", arguments: [true, false])
  func outage(isRefused: Bool) {
    var bench = CoreBench.connected(plan: Self.plan)
    #expect(Self.plan.link.reconnect.maximum == .seconds(120))
    bench.server.isReachable = isRefused
    bench.server.connack = isRefused ? ReasonCode.notAuthorized : .success
    bench.lose()
    if bench.open[.homie] != nil { bench.lose(.homie) }
    for _ in 0..<(24 * 60) {
      bench.advance(by: .seconds(60))
      bench.level("a")
    }
    bench.server.isReachable = true
    bench.server.connack = .success
    bench.reconnect()
    bench.advance(by: .seconds(600))
    let shown = Self.shown(bench)
    #expect(shown.count <= 20, "\(shown.joined(separator: "\n"))")
    #expect(shown.contains { $0.hasPrefix("reconnected to") })
  }

  @Test(
    "10,000 refused readings are at most 20 lines, for whatever reason",
    arguments: [ReasonCode.notAuthorized, .quotaExceeded, .payloadFormatInvalid])
  func refusals(code: ReasonCode) {
    let names = (0..<80).map { "r\($0)" }
    var bench = CoreBench.connected(plan: .bench(names))
    for name in names { bench.server.refuses[TopicName(stringLiteral: name)] = code }
    for _ in 0..<130 {
      for name in names { bench.level(name) }
      // Long enough that each topic is tried again.
      bench.advance(by: .seconds(3600))
    }
    let shown = Self.shown(bench)
    #expect(shown.count <= 20, "\(shown.count): \(shown.prefix(40).joined(separator: "\n"))")
    #expect(!shown.isEmpty)
    let refused = bench.packets.count { $0.packet.message.map { names.contains("\($0.topic)") } ?? false }
    #expect(refused >= 10_000, "\(refused)")
  }
}
