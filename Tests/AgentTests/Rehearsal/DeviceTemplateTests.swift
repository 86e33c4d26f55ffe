import MQTTCore
import Plan
import Testing

@testable import Configuration
@testable import Fleet

@Suite("What simulated devices are made of") struct DeviceTemplateTests {
  private func template(_ lines: String, readings: Rate? = nil) throws -> DeviceTemplate {
    let result = Configuration.load(
      bytes: Array(("broker: {url: mqtt://localhost, session_expiry: 7d}\n" + lines).utf8), path: "limpet.yaml")
    return try DeviceTemplate(try #require(result.configuration, "\(result.diagnostics)"), readings: readings)
  }

  private static let everything = """
    device: {id: greenhouse, name: Greenhouse}
    topic: plant/{device}/{name}
    presence: {topic: "plant/{device}/status", online: "1", offline: "0"}
    homeassistant: {enabled: true}
    homie: {enabled: true}
    health: {interval: 30s}
    sensors:
      - {name: load, type: system, value: load1, interval: 2s, change: 0.5, scale: 3}
      - {name: uptime, type: system, value: uptime, interval: 1m, retain: true}
    inputs: [{name: door, chip: gpiochip0, line: 3}]
    outputs: [{name: pump, chip: gpiochip0, line: 4}]

    """

  @Test("topics and client ids are its own, whatever the configuration says")
  func names() throws {
    let plan = try template(Self.everything).device(41, instance: "x")
    #expect(plan.connect.clientIdentifier == "sim-00042" && plan.device == "00042")
    let topics = [plan.presence.status, plan.presence.presence, plan.health.topic] + plan.streams.map(\.topic)
    #expect(
      topics.map(\.description) == [
        "limpet-sim/00042/status", "limpet-sim/00042/presence", "limpet-sim/00042/health", "limpet-sim/00042/load",
        "limpet-sim/00042/uptime",
      ])
    #expect(plan.presence.online == "1" && plan.presence.instance == "x")
  }

  @Test("of several servers the devices begin with each in turn, and go on in the order that is written")
  func servers() throws {
    let result = Configuration.load(
      bytes: Array("broker: {url: [mqtt://a, mqtt://b, mqtt://c], shares_sessions: true}\n".utf8), path: "limpet.yaml")
    let template = try DeviceTemplate(try #require(result.configuration, "\(result.diagnostics)"), readings: nil)
    let hosts = try (0..<4).map { try template.device($0, instance: "x").link.servers.map(\.host) }
    #expect(hosts == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]])
  }

  @Test("GPIO, outputs, discovery and storage are not used, sessions end by themselves")
  func parts() throws {
    let plan = try template(Self.everything).device(0, instance: "x")
    #expect(plan.inputs.isEmpty && plan.outputs.isEmpty && plan.commands == nil)
    #expect(plan.homeAssistant == nil && plan.homie == nil && plan.countCheckpoint == nil)
    #expect(plan.outbox.writing == .never && plan.outbox.keepsLatest.count == plan.streams.count)
    #expect(plan.connect.properties.sessionExpiryInterval == 600)
    #expect(plan.sensors.map(\.interval) == [.seconds(2), .seconds(60)] && plan.streams[1].isRetained)
  }

  @Test("rates of readings take the place of intervals, and none are none")
  func rates() throws {
    let fast = try template(Self.everything, readings: Rate(perSecond: 4)).device(0, instance: "x")
    #expect(fast.sensors.map(\.interval) == [.milliseconds(250), .milliseconds(250)])
    #expect(try template(Self.everything, readings: Rate(perSecond: 0)).device(0, instance: "x").sensors.isEmpty)
    let bare = try template("").device(0, instance: "x")
    #expect(bare.sensors.map(\.interval) == [.seconds(10)] && bare.streams.map(\.name) == ["reading"])
  }

  @Test("an id says which device it is")
  func ids() {
    #expect([0, 9998, 99_999].map(DeviceTemplate.id(of:)) == ["00001", "09999", "100000"])
    #expect(
      ["00001", "100000", "0", "-3", "x", ""].map { DeviceTemplate.index(ofID: $0) } == [0, 99_999, nil, nil, nil, nil])
  }

  @Test("a reading's number is found in its payload or beside it")
  func numbers() {
    func message(_ text: String) -> Message { Message(topic: TopicName("t"), text: text) }
    #expect(ReadingNumber.of(message(#"{"time":"x","value":"\"seq\":3","unit":"C","seq":1042}"#)) == 1042)
    #expect(ReadingNumber.of(message(#"{"seq":7,"restarted":true}"#)) == 7)
    #expect(ReadingNumber.of(message("21.5")) == nil && ReadingNumber.of(message(#"{"seq":}"#)) == nil)
    var plain = message("21.5")
    plain.properties.addUserProperty("seq", "12")
    #expect(ReadingNumber.of(plain) == 12)
  }
}
