import MQTTCore
import Plan
import Readings
import Status
import Testing

@testable import Core

/// What there is to say of the agent.
struct ReportTests {
  private static let facts = Facts(
    device: "board", displayName: "Board", process: 7, started: CoreBench.start, logLevel: "info")

  @Test("online is said only where it was acknowledged on a connection that is there")
  func connection() {
    var bench = CoreBench()
    #expect(bench.figure("connected") == .count(0))
    bench.connect()
    #expect(bench.figure("connected") == .count(1))
    #expect(bench.report.presence.birth == .acknowledged && bench.report.presence.epoch == 5)
    #expect(bench.report.presence.lastsToNotice == 51)
    bench.lose()
    #expect(bench.figure("connected") == .count(0) && bench.report.presence.birth == .none)
    #expect(bench.report.presence.lastsToNotice == nil)
  }

  @Test("each reading is counted in one place: waiting, under way, or delivered")
  func counts() {
    var bench = CoreBench.connected()
    bench.level("a", times: 2)
    bench.server.ignores = ["b"]
    bench.level("b", times: 3)
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 4)
    #expect(bench.figure("readings") == .count(9))
    #expect(bench.figure("delivered_readings") == .count(2))
    #expect(bench.figure("under_way_messages") == .count(3))
    #expect(bench.figure("buffer_readings") == .count(4))
    #expect(bench.report.buffer.readings == 4 && bench.report.buffer.underWay == 3)
    #expect(bench.core.unsent == 7)
  }

  @Test(
    "a total that may fall is no counter of Prometheus, whose rate() takes a fall for a new beginning",
    arguments: [
      (LinePlan.Measure.Quantity.total, 1.0, "limpet_counter_total"), (.total, -1, "limpet_reading_value"),
      (.position(stepsPerPeriod: 4), 1, "limpet_reading_value"),
    ])
  func fallingTotals(_ quantity: LinePlan.Measure.Quantity, _ scale: Double, _ family: String) {
    var bench = CoreBench(
      plan: .bench(["a"]) { plan in
        plan.inputs[0] = LinePlan(
          name: "a", stream: plan.inputs[0].stream, request: .bench("a", mode: .counter),
          measure: LinePlan.Measure(quantity, interval: .seconds(10), scale: scale, unit: "L"))
      })
    bench.answersLines = true
    bench.pulses = [LineID(place: 0): 7]
    bench.connect()
    bench.advance(by: .seconds(30))
    let lines = String(buffer: Prometheus.text(bench.report)).split(separator: "\n").filter {
      $0.contains("name=\"a\"")
    }
    #expect(lines.contains { $0.hasPrefix(family) }, "\(lines)")
    #expect(lines.count { $0.hasPrefix("limpet_counter_total") || $0.hasPrefix("limpet_reading_value") } == 1)
  }

  @Test("the report says to which address of a name the connection is, and why to this server")
  func address() {
    var bench = CoreBench()
    bench.connect()
    var facts = Self.facts
    facts.serverAddress = "192.0.2.7"
    let report = bench.core.report(facts, at: bench.moment)
    let json = String(buffer: report.json)
    #expect(json.contains(#""address":"192.0.2.7","reason":"first""#), "\(json)")
    #expect(report.text(columns: 200).contains(" (192.0.2.7) for "))
  }

  @Test("each name has a row with its last reading, sensors first; names that left have none")
  func rows() {
    var bench = CoreBench(plan: .bench(["a", "b"], sensors: ["s"]))
    bench.connect()
    bench.level("b")
    bench.measure("s", 5)
    #expect(bench.report.rows.map(\.name) == ["s", "a", "b"])
    #expect(bench.report.rows.map { $0.reading?.sequence } == [1, nil, 1])
    bench.reload(.bench(["b"]))
    #expect(bench.report.rows.map(\.name) == ["b"])
    #expect(bench.report.rows.map { $0.reading?.sequence } == [1])
  }

  @Test(
    "health is asked for with each connection and in its interval, and published once, without waiting for anything")
  func health() {
    let health = HealthPlan(
      topic: "health", interval: .seconds(60), metricsFile: nil, metricsInterval: .seconds(15), device: "board")
    var bench = CoreBench(plan: .bench { $0.health = health })
    bench.connect()
    func asked() -> Int { bench.orders.count { if case .publishHealth = $0 { true } else { false } } }
    #expect(asked() == 1)
    bench.turn { core, moment in core.publishHealth(Self.facts, at: moment) }
    #expect(bench.said.last?.hasPrefix(#"health {"time":"#) == true)
    #expect(bench.packets.last?.packet.message?.qos == .atMostOnce)
    bench.advance(by: .seconds(120))
    #expect(asked() == 3)
    bench.server.isReachable = false
    bench.lose()
    bench.advance(by: .seconds(600))
    #expect(asked() == 3)
    bench.forget()
    bench.turn { core, moment in core.publishHealth(Self.facts, at: moment) }
    #expect(bench.sent() == [])
  }

  @Test("who says farewell tells nothing of its health")
  func healthAtTheEnd() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.stop()
    bench.forget()
    bench.turn { core, moment in core.publishHealth(Self.facts, at: moment) }
    #expect(bench.sent() == [])
  }

  @Test("numbers for Prometheus are asked for in their interval")
  func metrics() {
    let health = HealthPlan(
      topic: "health", interval: .zero, metricsFile: "/run/metrics", metricsInterval: .seconds(15), device: "board")
    var bench = CoreBench(plan: .bench { $0.health = health })
    bench.connect()
    bench.advance(by: .seconds(60))
    #expect(bench.orders.count { if case .writeMetrics = $0 { true } else { false } } == 5)
  }

  @Test("a page for Prometheus has the last value of each reading, in the format that was asked for")
  func page() {
    var bench = CoreBench(plan: .bench(["a"], sensors: ["s", "t"]))
    bench.connect()
    bench.level("a")
    bench.measure("s", 5)
    let (type, text) = Prometheus.page(bench.report, accept: "*/*")
    #expect(type == "text/plain; version=0.0.4; charset=utf-8")
    let lines = String(buffer: text).split(separator: "\n")
    #expect(lines.contains(#"limpet_reading_value{device="board",name="s"} 5"#))
    #expect(lines.contains { $0.hasPrefix(#"limpet_reading_value{device="board",name="a"}"#) })
    #expect(lines.contains(#"limpet_reading_good{device="board",name="s"} 1"#))
    #expect(lines.contains { $0.hasPrefix(#"limpet_reading_timestamp_seconds{device="board",name="s"} 1"#) })
    let ofAnother = lines.filter { $0.contains(#"name="t""#) }
    #expect(
      ofAnother == [#"limpet_sensor_skipped_rounds_total{device="board",name="t"} 0"#], "there is no reading yet")
    let other = Prometheus.page(bench.report, accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    #expect(other.type.hasPrefix("application/openmetrics-text"))
    #expect(String(buffer: other.text).hasSuffix("# EOF\n"))
  }

  @Test("figures have names of their own")
  func names() {
    let names = CoreBench().report.figures.map { "\($0.name)" }
    #expect(Set(names).count == names.count && names.count > 40)
  }
}
