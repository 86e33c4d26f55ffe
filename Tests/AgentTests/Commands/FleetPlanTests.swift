import Testing

@testable import Configuration
@testable import Diagnosis
@testable import Fleet
@testable import JSON

@Suite("What a fleet asks of a broker, on paper") struct FleetPlanTests {
  private func plan(_ lines: String, devices: Int = 1000, edges: Double = 36, outage: Duration = .seconds(3600)) throws
    -> FleetPlan
  {
    let text = "broker: {url: mqtt://broker.example.com}\n" + lines
    let result = Configuration.load(bytes: Array(text.utf8), path: "limpet.yaml")
    let configuration = try #require(result.configuration, "\(result.diagnostics)")
    return try FleetPlan(
      configuration, FleetPlan.Assumptions(devices: devices, edges: edges, outage: outage))
  }

  private func fields(_ plan: FleetPlan) throws -> JSONValue { try #require(JSONValue(parsing: plan.json.utf8)) }

  @Test("rates are those of sensors, edges, the lease and health")
  func rates() throws {
    let lines = """
      presence: {lease: 0s}
      inputs: [{name: door, chip: gpiochip0, line: 3}, {name: water, chip: gpiochip0, line: 4, mode: counter, interval: 10s}]
      sensors: [{name: load, type: system, value: load1, interval: 1s}]
      """
    let fields = try fields(plan(lines))
    // 1 + 0.1 + 0.01 of each.
    #expect(fields["messages_per_second"]?.amount == 1110)
    #expect(fields["connections"]?.integer == 1000)
    #expect(fields["backlog_readings"]?.amount == 3_996_000)
    #expect(fields["pings_per_second"]?.amount == 0)
    let leased = try self.fields(plan("presence: {lease: 100s}"))
    #expect(leased["messages_per_second"]?.amount == 20)
    #expect(leased["pings_per_second"]?.amount == 13.333)
    #expect(leased["backlog_readings"]?.amount == 0)
  }

  @Test("without a configuration it is one reading every 10 s; one that cannot be looked at is none that is missing")
  func rehearsed() throws {
    let configuration = try #require(Configuration.rehearsed(unlessExists: "/nowhere/limpet.yaml"))
    #expect(configuration.sensors.map(\.interval) == [.seconds(10)])
    #expect(Configuration.rehearsed(unlessExists: "/etc/passwd") == nil)
    #expect(Configuration.rehearsed(unlessExists: "/etc/passwd/limpet.yaml") == nil)
  }

  @Test("a Homie device is a connection more, and what is told to Home Assistant is kept")
  func homes() throws {
    let sensors = "sensors: [{name: load, type: system, value: load1, interval: 10s}]\n"
    #expect(try fields(plan("homie: {enabled: true}\n" + sensors))["connections"]?.integer == 2000)
    let plain = try fields(plan(sensors))
    let told = try fields(plan("homeassistant: {enabled: true}\n" + sensors))
    #expect(told["retained_topics"]?.amount == (plain["retained_topics"]?.amount ?? 0) + 1000)
  }

  @Test("limits are named where a fleet touches them, and only there")
  func limits() throws {
    let sensors = "sensors: [{name: load, type: system, value: load1, interval: 1m}]\n"
    let small = "broker: {url: mqtt://broker.example.com, session_expiry: 1h}\n"
    let few = Configuration.load(bytes: Array((small + sensors).utf8), path: "limpet.yaml")
    let configuration = try #require(few.configuration)
    let none = try FleetPlan(configuration, FleetPlan.Assumptions(devices: 10, edges: 0, outage: .seconds(60)))
    #expect(none.text.split(separator: "\n").allSatisfy { !$0.hasPrefix("mosquitto") && !$0.hasPrefix("RabbitMQ") })
    let many = try plan(sensors, devices: 20_000).text
    #expect(many.contains("LimitNOFILE=24000") && many.contains("max_queued_messages") && many.contains("86400"))
  }
}

extension JSONValue {
  /// A number, whichever way it is written.
  fileprivate var amount: Double? { Double(compact) }
}
