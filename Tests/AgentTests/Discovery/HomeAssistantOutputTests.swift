import Foundation
import NIOCore
import Testing

import enum TestScene.HomeAssistantSchema

@testable import Configuration
@testable import Discovery
@testable import Planning

struct HomeAssistantOutputTests {
  private static let text = """
    broker: {url: mqtt://h}
    homeassistant: {enabled: true}
    outputs:
      - {name: pump, line: GPIO27}
      - {name: gate, line: GPIO22, pulse: 500ms}
      - {name: strip, type: led, led: ACT, max: 80}
      - {name: lamp, type: pwm, device: 1-0040, channel: 0, homeassistant: {as: light}}
      - {name: porch, line: GPIO23, homeassistant: {as: light}}
      - {name: water, line: GPIO24, homeassistant: {as: valve}}
      - {name: heater, type: pwm, device: 1-0040, channel: 1, homeassistant: {as: switch}}
      - {name: cooling, type: fan, chip: pwmfan, channel: pwm1, min: 20}
    inputs:
      - {name: door, line: GPIO1}
      - {name: bell, line: GPIO2, mode: gesture}

    """

  private func device(_ format: String, _ more: String = "") throws -> HomeAssistantDevice {
    let result = loadConfiguration(Self.text + "format: \(format)\n\(more)")
    let configuration = try #require(result.configuration, "\(printed(result))")
    return try HomeAssistantDevice(configuration, device: "shed", board: BoardFacts())
  }

  @Test("a line is a switch, a pulse a button beside its state, a value in % a number", arguments: ["json", "plain"])
  func platforms(format: String) throws {
    let device = try device(format)
    #expect(HomeAssistantSchema.problems(topic: "\(device.topic)", payload: String(buffer: device.message)) == [])
    let message = try JSONSerialization.jsonObject(with: Data(String(buffer: device.message).utf8)) as? [String: Any]
    let components = try #require(message?["cmps"] as? [String: [String: Any]])
    #expect(components["pump"]?["p"] as? String == "switch")
    #expect(components["pump"]?["cmd_t"] as? String == "limpet/shed/pump/set")
    #expect(components["pump"]?["opt"] as? Bool == false)
    #expect(components["pump"]?["ret"] as? Bool == false)
    #expect(components["gate"]?["p"] as? String == "button")
    #expect(components["gate"]?["stat_t"] == nil)
    #expect(components["gate/state"]?["p"] as? String == "binary_sensor")
    #expect(components["strip"]?["p"] as? String == "number")
    #expect(components["strip"]?["max"] as? Int == 80)
    #expect(components["lamp"]?["p"] as? String == "light")
    #expect(components["lamp"]?["bri_scl"] as? Int == 100)
    #expect(components["porch"]?["p"] as? String == "light")
    #expect(components["porch"]?["bri_cmd_t"] == nil)
    #expect(components["water"]?["p"] as? String == "valve")
    #expect(components["heater"]?["p"] as? String == "switch")
    #expect(components["cooling"]?["p"] as? String == "fan")
    #expect(components["cooling"]?["spd_rng_min"] as? Int == 20)
  }

  @Test("an output is available where the device is and holds it; the rest has at its own place what stood at the root")
  func availability() throws {
    let message =
      try JSONSerialization.jsonObject(with: Data(String(buffer: device("json").message).utf8)) as? [String: Any]
    #expect(message?["avty_t"] == nil && message?["pl_avail"] == nil && message?["pl_not_avail"] == nil)
    let components = try #require(message?["cmps"] as? [String: [String: Any]])
    for name in ["pump", "gate", "gate/state", "strip", "lamp", "porch", "water", "heater", "cooling"] {
      let both = try #require(components[name]?["avty"] as? [[String: String]], "\(name)")
      #expect(both.map { $0["t"] } == ["limpet/shed/status", "limpet/shed/\(name.prefix { $0 != "/" })"])
      #expect(both.last?["val_tpl"]?.contains("'offline' if value_json.value is none") == true)
      #expect(both.last?["val_tpl"]?.contains("or value_json.get('quality') == 'bad' else 'online'") == true)
      #expect(components[name]?["avty_mode"] as? String == "all")
    }
    for name in ["door", "bell", "limpet/connection"] {
      #expect(components[name]?["avty_t"] as? String == "limpet/shed/status", "\(name)")
      #expect(components[name]?["pl_avail"] as? String == "online")
    }
    #expect(components["bell/single"]?["avty_t"] == nil, "no entity")
    #expect(components["pump"]?["qos"] as? Int == 1)
  }

  @Test("with commands: off outputs are shown, and nothing of them takes a command", arguments: ["json", "plain"])
  func withoutCommands(format: String) throws {
    let device = try device(format, "commands: off\n")
    #expect(HomeAssistantSchema.problems(topic: "\(device.topic)", payload: String(buffer: device.message)) == [])
    let message = try JSONSerialization.jsonObject(with: Data(String(buffer: device.message).utf8)) as? [String: Any]
    let components = try #require(message?["cmps"] as? [String: [String: Any]])
    #expect(!"\(components)".contains("/set"))
    for (name, kind) in [
      ("pump", "binary_sensor"), ("gate", "binary_sensor"), ("strip", "sensor"), ("lamp", "sensor"),
      ("porch", "binary_sensor"), ("water", "binary_sensor"), ("heater", "binary_sensor"), ("cooling", "sensor"),
    ] {
      #expect(components[name]?["p"] as? String == kind, "\(name)")
      #expect(components[name]?["stat_t"] as? String == "limpet/shed/\(name)")
    }
    #expect(components["gate/state"] == nil)
  }

  @Test("an output that is not held is not shown as off", arguments: ["json", "plain"])
  func unheld(format: String) throws {
    let message =
      try JSONSerialization.jsonObject(with: Data(String(buffer: device(format).message).utf8)) as? [String: Any]
    let components = try #require(message?["cmps"] as? [String: [String: Any]])
    for (name, field) in [("pump", "val_tpl"), ("strip", "val_tpl"), ("porch", "stat_val_tpl"), ("heater", "val_tpl")] {
      #expect((components[name]?[field] as? String)?.contains("'None'") == true, "\(name)")
    }
    #expect((components["water"]?["val_tpl"] as? String)?.contains("None") == false, "a valve warns of other words")
    #expect((components["lamp"]?["bri_val_tpl"] as? String)?.contains("None") == false, "a brightness is a number")
  }

  @Test(
    "what an output is shown as has to fit it",
    arguments: [
      (
        "{name: a, line: GPIO1, pulse: 1s, homeassistant: {as: light}}",
        "outputs[0].homeassistant.as: a pulse is a button"
      ),
      ("{name: a, type: fan, chip: x, channel: pwm1, homeassistant: {as: light}}", "light does not fit type fan"),
      ("{name: a, type: led, led: x, homeassistant: {as: valve}}", "valve does not fit type led"),
      ("{name: a, line: GPIO1, homeassistant: {as: sensor}}", "outputs[0].homeassistant.as: "),
      ("{name: a, line: GPIO1, homeassistant: {class: outlet}}", "outputs[0].homeassistant.class: "),
    ])
  func unfit(_ output: String, _ message: String) {
    let lines = printed(loadConfiguration("broker: {url: mqtt://h}\noutputs:\n  - \(output)\n"))
    #expect(lines.count == 1 && lines.first?.contains(message) == true, "\(lines)")
  }

  @Test("an output has a title, an icon, a category and an entity that is not enabled at first, as a reading has")
  func presentation() throws {
    let text = """
      broker: {url: mqtt://h}
      device: {id: board}
      homeassistant: {enabled: true}
      outputs:
        - name: pump
          line: GPIO1
          title: Pond pump
          homeassistant: {icon: "mdi:pump", category: diagnostic, enabled: false}
      """
    let configuration = try #require(loadConfiguration(text).configuration)
    let fields = try #require(
      HomeAssistantComponents(configuration: configuration, device: "board").all.first { $0.id == "pump" }?.fields)
    let json = "\(fields)"
    for word in ["Pond pump", "mdi:pump", "diagnostic"] { #expect(json.contains(word), "\(word)") }
  }

  @Test("what acts comes back with a topic for commands, without which Home Assistant does not take it")
  func revival() throws {
    let kinds = ["switch", "number", "button", "light", "fan", "valve", "sensor"]
    let payload = try device("json").revival(of: kinds.map { Announcement.Entry(kind: $0, name: $0) })
    let message = try JSONSerialization.jsonObject(with: Data(String(buffer: payload).utf8)) as? [String: Any]
    let components = try #require(message?["cmps"] as? [String: [String: Any]])
    for kind in kinds { #expect((components[kind]?["cmd_t"] != nil) == (kind != "sensor"), "\(kind)") }
  }
}
