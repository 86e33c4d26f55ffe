import Foundation
import NIOCore
import Testing

import enum TestScene.HomeAssistantSchema

@testable import Configuration
@testable import Discovery
@testable import LimpetText
@testable import Planning

/// A configuration with a reading of every kind.
let everyKindOfReading = """
  device: {id: shed.1, name: Garden shed}
  broker: {url: mqtt://h}
  homeassistant: {enabled: true}
  homie: {enabled: true}
  inputs:
    - {name: door, line: 1}
    - {name: bell, line: 2, mode: event}
    - {name: water, line: 3, mode: counter, scale: 0.5, unit: L}
    - {name: pulses, line: 4, mode: counter}
    - {name: meter, line: 5, mode: counter, scale: -1, unit: kWh}
    - {name: turbine, line: 6, mode: frequency, pulses: 2, unit: rpm}
    - {name: mains, line: 7, mode: frequency}
    - {name: heater, line: 8, mode: duty}
    - {name: servo, line: 9, mode: pulse_width}
    - {name: button, line: 10, mode: gesture}
    - {name: knob, line: 11, line_b: 12, mode: encoder}
  sensors:
    - {name: cpu_temperature, type: thermal, zone: cpu-thermal, change: 0.5, max_age: 5m, round: 1}
    - {name: fahrenheit, type: thermal, zone: a, unit: °F, scale: 1.8, offset: 32, change: 1}
    - {name: fan, type: hwmon, chip: pwmfan, channel: fan1}
    - {name: used, type: hwmon, chip: meter, channel: energy1}
    - {name: label, type: hwmon, chip: lm75, label: Core 0}
    - {name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1]}
    - {name: co2, type: iio, device: scd30, channel: in_concentration_co2}
    - {name: dust, type: iio, device: sps30, channel: in_massconcentration_pm2p5}
    - {name: pressure, type: iio, device: bmp280, channel: in_pressure, average: mean, window: 1m}
    - {name: colour, type: iio, device: veml, channel: in_colortemp}
    - {name: tank, type: w1, id: 28-0316a2795bff, range: {min: -40, max: 85}}
    - {name: capacity, type: power_supply, supply: BAT0, property: capacity}
    - {name: energy, type: power_supply, supply: BAT0, property: energy_now}
    - {name: charging, type: power_supply, supply: BAT0, property: status}
    - {name: both, type: power_supply, supply: BAT0, properties: [voltage_now, status]}
    - {name: booted, type: system, value: boot_time}
    - {name: uptime, type: system, value: uptime}
    - {name: memory, type: system, value: memory_available}
    - {name: received, type: system, value: rx_bytes, interface: eth0}
    - {name: errors, type: system, value: rx_errors, interface: eth0}
    - {name: signal, type: system, value: wifi_signal, interface: wlan0}
    - {name: link, type: system, value: operstate, interface: eth0}
    - {name: weak, type: system, value: under_voltage}
    - {name: synced, type: system, value: clock_synchronized}
    - {name: gate, type: file, path: /run/gate, map: {open: true, shut: false}}
    - {name: mode, type: file, path: /run/mode, map: {a: auto, m: manual}}
    - {name: text, type: file, path: /run/text, text: true}
    - {name: level, type: file, path: /run/level, unit: L, interval: 50ms}
    - {name: odd, type: file, path: /run/odd, unit: smoots}
    - {name: mixed, type: file, path: /run/mixed, map: {a: 1, b: two}}

  """

struct HomeAssistantTests {
  private static let board = BoardFacts(
    model: "Raspberry Pi 4 Model B", serial: "10000000a1b2c3d4", mac: "dc:a6:32:01:02:03")

  private func device(_ text: String = everyKindOfReading, board: BoardFacts = HomeAssistantTests.board) throws
    -> HomeAssistantDevice
  {
    let result = loadConfiguration(text)
    return try HomeAssistantDevice(
      try #require(result.configuration, "\(printed(result))"), device: "shed.1", board: board)
  }

  private func components(_ text: String = everyKindOfReading) throws -> [String: [String: Any]] {
    let message =
      try JSONSerialization.jsonObject(with: Data(String(buffer: try device(text).message).utf8)) as? [String: Any]
    return try #require(message?["cmps"] as? [String: [String: Any]])
  }

  @Test("a reading of every kind is described as the documented schema allows", arguments: ["json", "plain"])
  func schema(format: String) throws {
    let device = try device(everyKindOfReading + "format: \(format)\n")
    #expect(HomeAssistantSchema.problems(topic: "\(device.topic)", payload: String(buffer: device.message)) == [])
    #expect("\(device.topic)" == "homeassistant/device/limpet_shed_1_a21c32/config")
    // With a rate for each of three counters, and the connection.
    #expect(try components().count == 50)
  }

  @Test("a reading that a label names has the unit and the class of the channel that has the label")
  func labels() throws {
    let text = """
      device: {id: d}
      broker: {url: mqtt://h}
      homeassistant: {enabled: true}
      sensors:
        - {name: board, type: hwmon, chip: lm75, label: Board}
        - {name: soil, type: iio, device: ads1015, label: soil}

      """
    func content(_ channels: [String: String]) throws -> [String: Any] {
      let device = try device(text, board: BoardFacts(channels: channels))
      let message = try JSONSerialization.jsonObject(with: Data(String(buffer: device.message).utf8)) as? [String: Any]
      return try #require(message?["cmps"] as? [String: Any])
    }
    let known = try content(["board": "temp1", "soil": "in_voltage0"])
    for (name, unit, kind) in [("board", "°C", "temperature"), ("soil", "V", "voltage")] {
      let component = try #require(known[name] as? [String: Any])
      #expect(component["unit_of_meas"] as? String == unit && component["dev_cla"] as? String == kind, "\(component)")
    }
    #expect((try content([:])["board"] as? [String: Any])?["unit_of_meas"] == nil, "nothing has that label yet")
  }

  @Test("the device and the program name themselves, and availability is the status topic with its payloads")
  func head() throws {
    let text = everyKindOfReading + "presence: {online: up, offline: down}\nqos: 2\n"
    let message =
      try JSONSerialization.jsonObject(with: Data(String(buffer: try device(text).message).utf8)) as? [String: Any]
    let dev = try #require(message?["dev"] as? [String: Any])
    #expect(dev["ids"] as? [String] == ["limpet_shed.1"])
    #expect(dev["name"] as? String == "Garden shed")
    #expect(dev["mdl"] as? String == "Raspberry Pi 4 Model B")
    #expect(dev["mf"] as? String == "Raspberry Pi" && dev["sn"] as? String == "10000000a1b2c3d4")
    #expect(dev["cns"] as? [[String]] == [["mac", "dc:a6:32:01:02:03"]])
    let origin = try #require(message?["o"] as? [String: String])
    #expect(origin == ["name": "limpet", "sw": limpetVersion])
    #expect(message?["avty_t"] as? String == "limpet/shed.1/status")
    #expect(message?["pl_avail"] as? String == "up")
    #expect(message?["pl_not_avail"] as? String == "down")
    // At the root it has no effect: it stands in each component.
    #expect(message?["qos"] == nil)
    #expect(try components(text).values.allSatisfy { $0["qos"] as? Int == 2 })
  }

  @Test("ids that differ in a dot alone are two devices; one without a dot is as it was")
  func objectIDs() {
    let home = Configuration.HomeAssistant(isEnabled: true, prefix: "homeassistant")
    let topics = ["cd.e", "cd_e", "ab-1"].map { home.topic(device: $0) }
    #expect(Set(topics).count == 3)
    #expect(topics[1...] == ["homeassistant/device/limpet_cd_e/config", "homeassistant/device/limpet_ab-1/config"])
  }

  @Test("with another prefix its start is heard where it is told by default too")
  func births() {
    #expect(
      Configuration.HomeAssistant(isEnabled: true, prefix: "homeassistant").birthTopics == ["homeassistant/status"])
    #expect(
      Configuration.HomeAssistant(isEnabled: true, prefix: "ha").birthTopics == ["ha/status", "homeassistant/status"])
  }

  /// Platform, device class, state class and unit.
  private static let classes: [(String, [String?])] = [
    ("door", ["binary_sensor", nil, nil, nil]), ("bell", ["event", nil, nil, nil]),
    ("water", ["sensor", "water", "total_increasing", "L"]), ("pulses", ["sensor", nil, "total_increasing", nil]),
    ("meter", ["sensor", nil, "total", "kWh"]),
    ("turbine", ["sensor", nil, "measurement", "rpm"]), ("mains", ["sensor", "frequency", "measurement", "Hz"]),
    ("heater", ["sensor", nil, "measurement", "%"]), ("servo", ["sensor", "duration", "measurement", "ms"]),
    ("button", ["event", "button", nil, nil]), ("button/long", ["device_automation", nil, nil, nil]),
    ("knob", ["sensor", nil, "total", nil]),
    ("cpu_temperature", ["sensor", "temperature", "measurement", "°C"]),
    ("fahrenheit", ["sensor", "temperature", "measurement", "°F"]), ("fan", ["sensor", nil, "measurement", "rpm"]),
    ("used", ["sensor", "energy", "total_increasing", "J"]), ("label", ["sensor", nil, "measurement", nil]),
    ("air/temp1", ["sensor", "temperature", "measurement", "°C"]),
    ("air/humidity1", ["sensor", "humidity", "measurement", "%"]),
    ("co2", ["sensor", "carbon_dioxide", "measurement", "ppm"]), ("dust", ["sensor", "pm25", "measurement", "µg/m³"]),
    ("pressure", ["sensor", "pressure", "measurement", "hPa"]), ("colour", ["sensor", nil, "measurement", "K"]),
    ("capacity", ["sensor", "battery", "measurement", "%"]),
    ("energy", ["sensor", "energy_storage", "measurement", "Wh"]), ("charging", ["sensor", nil, nil, nil]),
    ("both/voltage_now", ["sensor", "voltage", "measurement", "V"]), ("both/status", ["sensor", nil, nil, nil]),
    ("booted", ["sensor", "timestamp", nil, nil]), ("uptime", ["sensor", "duration", "measurement", "s"]),
    ("memory", ["sensor", "data_size", "measurement", "B"]),
    ("received", ["sensor", "data_size", "total_increasing", "B"]),
    ("errors", ["sensor", nil, "total_increasing", nil]),
    ("signal", ["sensor", "signal_strength", "measurement", "dBm"]), ("link", ["sensor", nil, nil, nil]),
    ("weak", ["binary_sensor", "problem", nil, nil]), ("synced", ["binary_sensor", nil, nil, nil]),
    ("gate", ["binary_sensor", nil, nil, nil]), ("mode", ["sensor", "enum", nil, nil]),
    ("text", ["sensor", nil, nil, nil]), ("level", ["sensor", "volume_storage", "measurement", "L"]),
    ("odd", ["sensor", nil, "measurement", "smoots"]), ("mixed", ["sensor", nil, nil, nil]),
  ]

  @Test("platform, class and unit are those of what is read")
  func classified() throws {
    let components = try components()
    for (id, expected) in Self.classes {
      let component = try #require(components[id], "\(id)")
      let found = ["p", "dev_cla", "stat_cla", "unit_of_meas"].map { component[$0] as? String }
      #expect(found == expected, "\(id)")
    }
  }

  @Test("a button is an event, and a trigger for each of its gestures, in Home Assistant's words")
  func gestures() throws {
    let components = try components()
    #expect(components["button"]?["evt_typ"] as? [String] == ["press_end", "multi_press_end", "long_press_start"])
    let template = try #require(components["button"]?["val_tpl"] as? String)
    #expect(template.contains("'double': {'event_type': 'multi_press_end', 'multi_press_count': 2}"), "\(template)")
    for (word, type) in [("single", "short"), ("double", "double"), ("long", "long")] {
      let trigger = try #require(components["button/\(word)"])
      #expect(trigger["type"] as? String == "button_\(type)_press" && trigger["pl"] as? String == word)
      #expect(trigger["t"] as? String == "limpet/shed.1/button" && trigger["stype"] as? String == "Button")
      #expect(trigger["val_tpl"] as? String == "{{ value_json.value }}")
    }
  }

  @Test("a doorbell rings, whether its gestures or its edges are published, in both formats")
  func doorbell() throws {
    for (mode, format) in [("gesture", "json"), ("event", "json"), ("gesture", "plain"), ("event", "plain")] {
      let bell = "{name: bell, line: 1, mode: \(mode), homeassistant: {class: doorbell}}"
      let components = try components(
        "device: {id: shed.1}\nbroker: {url: mqtt://h}\nhomeassistant: {enabled: true}\nformat: \(format)\n"
          + "inputs:\n  - \(bell)\n")
      #expect(components["bell"]?["dev_cla"] as? String == "doorbell")
      #expect((components["bell"]?["evt_typ"] as? [String])?.first == "ring")
      #expect((components["bell"]?["val_tpl"] as? String)?.contains("'ring'") == true)
    }
  }

  @Test("a source that says None is not unknown: its own word is shown (H8)")
  func none() throws {
    let components = try components()
    let template = try #require(components["text"]?["val_tpl"] as? String)
    #expect(template.contains("'none' if (value_json.value | string)[:255] == 'None'"), "\(template)")
  }

  @Test("a total is shown with the digits of one of its steps")
  func digitsOfTotals() throws {
    let components = try components()
    #expect(components["water"]?["sug_dsp_prc"] as? Int == 1)
    #expect(components["pulses"]?["sug_dsp_prc"] as? Int == 0)
  }

  @Test("units that came to Home Assistant after 2024.11 are named, with the version that takes them (H6)")
  func lateUnits() throws {
    let device = try device(
      "device: {id: shed.1}\nbroker: {url: mqtt://h}\nhomeassistant: {enabled: true}\nsensors:\n"
        + "  - {name: drain, type: file, path: /x, unit: mW}\n  - {name: cell, type: file, path: /y, unit: V}\n")
    #expect(
      HomeAssistantUnits.needs(of: device.components)
        == ["Home Assistant takes mW of drain from 2025.3 on; for an older one write unit: W"])
  }

  @Test("micro is sent as U+00B5, which Home Assistant took before 2025.9 and takes since, however it is written")
  func micro() throws {
    let text =
      "device: {id: shed.1}\nbroker: {url: mqtt://h}\nhomeassistant: {enabled: true}\nsensors:\n"
      + "  - {name: greek, type: file, path: /x, unit: \u{3BC}V}\n  - {name: sign, type: file, path: /y, unit: \u{B5}V}\n"
    let components = try components(text)
    for id in ["greek", "sign"] {
      #expect(components[id]?["unit_of_meas"] as? String == "\u{B5}V")
      #expect(components[id]?["dev_cla"] as? String == "voltage")
    }
  }

  @Test("a value expires only where limpet publishes it again and again, and never before it should have come twice")
  func expiry() throws {
    let components = try components()
    // 2 × (10 s + 5 s timeout) + 45 s of a keepalive of 30 s.
    #expect(components["fan"]?["exp_aft"] as? Int == 76)
    #expect(components["pressure"]?["exp_aft"] as? Int == 176)
    #expect(components["cpu_temperature"]?["exp_aft"] as? Int == 676)
    #expect(components["water"]?["exp_aft"] as? Int == 66)
    #expect(components["turbine"]?["exp_aft"] as? Int == 66)
    for name in ["fahrenheit", "door", "bell", "button", "knob"] {
      #expect(components[name]?["exp_aft"] == nil, "\(name)")
    }
  }

  @Test("templates: unknown for a bad reading, nothing for a gap, channels by subscript")
  func templates() throws {
    let json = try components()
    func template(_ name: String, _ key: String = "val_tpl") -> String? { json[name]?[key] as? String }
    #expect(
      template("fan")
        == "{% if value_json.get('quality') != 'gap' %}{{ 'None' if value_json.value is none else value_json.value }}{% endif %}"
    )
    #expect(template("door") == "{% if value_json.get('quality') != 'gap' %}{{ value_json.value }}{% endif %}")
    #expect(json["door"]?["pl_on"] as? String == "True")
    #expect(template("air/temp1")?.contains("value_json['values']['temp1']") == true)
    #expect(template("booted")?.contains("timestamp_utc") == true)
    let plain = try components(everyKindOfReading + "format: plain\n")
    #expect(plain["fan"]?["val_tpl"] as? String == "{{ 'None' if value == '' else value }}")
    #expect(plain["door"]?["pl_on"] as? String == "true")
    #expect(plain["fan"]?["json_attr_t"] == nil)
    let texts = try components(
      everyKindOfReading.replacingOccurrences(of: "line: 1}", with: "line: 1, on: OPEN, off: SHUT}")
        + "format: plain\n")
    #expect(texts["door"]?["pl_on"] as? String == "OPEN" && texts["door"]?["pl_off"] as? String == "SHUT")
  }

  @Test("every unit of the tables is one that Home Assistant takes for the class")
  func units() {
    for (table, state) in [
      (HomeAssistantClass.measured, "measurement"), (HomeAssistantClass.totals, "total_increasing"),
    ] {
      for (unit, name) in table {
        let shown = unit == "%RH" ? "%" : unit
        let payload = """
          {"dev":{"ids":["a"]},"o":{"name":"b"},"cmps":{"c":{"p":"sensor","name":"d","uniq_id":"e","stat_t":"f",\
          "dev_cla":"\(name)","stat_cla":"\(state)","unit_of_meas":"\(shown)"}}}
          """
        #expect(HomeAssistantSchema.problems(topic: "homeassistant/device/a/config", payload: payload) == [])
      }
    }
  }

  @Test("the page for support is what the configuration names; without one there is none")
  func support() throws {
    func origin(_ more: String) throws -> [String: Any]? {
      let device = try device(
        "broker: {url: mqtt://h}\ndevice: {id: shed}\nhomeassistant: {enabled: true\(more)}\n")
      let payload = String(buffer: device.message)
      #expect(HomeAssistantSchema.problems(topic: "\(device.topic)", payload: payload) == [])
      let root = try JSONSerialization.jsonObject(with: Data(payload.utf8)) as? [String: Any]
      return root?["o"] as? [String: Any]
    }
    let named = try origin(", support_url: https://wiki.example.com/boards")
    #expect(named?["url"] as? String == "https://wiki.example.com/boards")
    #expect(try origin("")?.keys.sorted() == ["name", "sw"])
  }

  private static let presented = """
    device: {id: shed.1}
    broker: {url: mqtt://h}
    health: {interval: 1m}
    homeassistant: {enabled: true, suggested_area: Garden}
    inputs:
      - name: door
        line: 1
        title: Front door
        homeassistant: {class: door, icon: "mdi:door", category: diagnostic, enabled: false}
      - {name: water, line: 2, mode: counter, unit: L}
      - {name: raw, line: 3, homeassistant: {as: sensor}}
    sensors:
      - {name: load, type: system, value: load1}
      - {name: memory, type: system, value: memory_available, homeassistant: {category: none, class: none, precision: 3}}
      - {name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1], title: Greenhouse}
      - {name: rain, type: file, path: /run/rain, homeassistant: {as: binary_sensor, class: moisture}}

    """

  @Test("title, class, icon, category, enabled, precision and platform are what the entry says")
  func presentation() throws {
    let device = try device(Self.presented)
    #expect(HomeAssistantSchema.problems(topic: "\(device.topic)", payload: String(buffer: device.message)) == [])
    let all = try components(Self.presented)
    func text(_ id: String, _ key: String) -> String? { all[id]?[key] as? String }
    #expect(text("door", "name") == "Front door" && text("door", "dev_cla") == "door")
    #expect(text("door", "ic") == "mdi:door" && text("door", "ent_cat") == "diagnostic")
    #expect(all["door"]?["en"] as? Bool == false)
    #expect(text("door", "def_ent_id") == "binary_sensor.shed_1_door")
    #expect(text("load", "ent_cat") == "diagnostic", "a system value is")
    #expect(text("memory", "ent_cat") == nil && text("memory", "dev_cla") == nil)
    #expect(all["memory"]?["sug_dsp_prc"] as? Int == 3)
    #expect(text("air/temp1", "name") == "Greenhouse temperature")
    #expect(text("air/humidity1", "name") == "Greenhouse humidity")
    #expect(all["air/temp1"]?["sug_dsp_prc"] as? Int == 1)
    #expect(text("rain", "p") == "binary_sensor" && text("rain", "dev_cla") == "moisture")
    #expect(text("raw", "p") == "sensor")
  }

  @Test("the connection is an entity with a history of its own, a counter has its rate, and health is diagnostic")
  func diagnostics() throws {
    let all = try components(Self.presented)
    let connection = try #require(all["limpet/connection"])
    #expect(connection["p"] as? String == "binary_sensor" && connection["dev_cla"] as? String == "connectivity")
    #expect(connection["stat_t"] as? String == "limpet/shed.1/status")
    #expect(connection["avty_tpl"] as? String == "{{ 'online' }}", "available whatever the status says")
    #expect(connection["json_attr_t"] as? String == "limpet/shed.1/presence")
    #expect((connection["json_attr_tpl"] as? String)?.contains("gone_for") == true)
    let rate = try #require(all["water/rate"])
    #expect(rate["unit_of_meas"] as? String == "L/min" && rate["dev_cla"] as? String == "volume_flow_rate")
    #expect((rate["val_tpl"] as? String)?.contains("value_json.rate * 60") == true)
    for id in ["uptime", "waiting", "dropped", "losses", "memory"] {
      #expect(all["limpet/\(id)"]?["ent_cat"] as? String == "diagnostic", "\(id)")
    }
  }

  @Test(
    "channels have words for people",
    arguments: [
      ("temp1", "temperature"), ("temp2", "temperature 2"), ("humidity1", "humidity"), ("in0", "voltage 0"),
      ("in_voltage0", "voltage 0"), ("in_temp", "temperature"), ("in_humidityrelative", "humidity"), ("fan2", "fan 2"),
      ("voltage_now", "voltage now"),
    ])
  func channels(_ channel: String, _ words: String) {
    #expect(DescribedValue.words(ofChannel: channel) == words)
  }
}
