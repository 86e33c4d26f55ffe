import Testing

@testable import Configuration
@testable import Diagnosis
@testable import Readings

struct MQTTIOImportTests {
  private func imported(_ text: String) throws -> [String] {
    try MQTTIOImport(Array(text.utf8), name: "config.yml").text.split(separator: "\n").map(String.init)
  }

  /// What `limpet check` makes of the result.
  private func check(_ lines: [String]) -> LoadResult { loadConfiguration(lines.joined(separator: "\n") + "\n") }

  private static let greenhouse = """
    mqtt:
      host: mqtt.example.com
      port: 8883
      user: greenhouse
      password: s3cret
      topic_prefix: home/greenhouse/
      keepalive: 20
      clean_session: no
      status_payload_dead: gone
      ha_discovery: {enabled: yes}
      tls: {enabled: yes, ca_certs: /etc/ssl/certs, tls_version: tlsv1.2}
    gpio_modules:
      - {name: rpi, module: raspberrypi}
      - {name: header, module: gpiod, chip: /dev/gpiochip1}
      - {name: expander, module: pcf8574, i2c_bus_num: 1, chip_addr: 0x20}
    digital_inputs:
      - {name: door, module: rpi, pin: 17, on_payload: open, off_payload: "shut", inverted: yes, pullup: on, retain: true}
      - {name: front door, module: header, pin: 4, interrupt: falling, bouncetime: 50, poll_interval: 0.5}
      - {name: relay, module: expander, pin: 2}
      - {name: again, module: rpi, pin: 17}
    digital_outputs:
      - {name: fan, module: rpi, pin: 22, initial: high, publish_initial: true, retain: true}
      - {name: gate, module: rpi, pin: 23, inverted: true, initial: high, timed_set_ms: 500, on_payload: open}
      - {name: twice, module: rpi, pin: 17, initial: low}
    sensor_modules:
      - {name: tank, module: ds18b, type: ds18b20, address: 0316A2795BFF}
      - {name: board, module: lm75, i2c_bus_num: 1, chip_addr: 0x48}
      - {name: air, module: bme280, i2c_bus_num: 1, chip_addr: 0x76}
    sensor_inputs:
      - {name: tank, module: tank, interval: 30, digits: 1}
      - {name: board, module: board, ha_discovery: {name: x}}
      - {name: humidity, module: air, type: humidity}
    logging: {version: 1}

    """

  /// Of the topic prefix, as mqtt-io makes it where none is given.
  private static let client = "mqtt-io-50b9b7e88abc72c6a22bd9074396926c5c6657cc"

  /// How an entry carries an entity on.
  private static func identity(_ component: String, _ rest: String) -> String {
    let name = rest.split(separator: "_").last ?? ""
    return "homeassistant: {unique_id: \(client)_\(rest), "
      + "migrate_from: homeassistant/\(component)/\(client)/\(name)/config}}"
  }

  @Test("broker, inputs and sensors are taken over; everything else is a comment that says why not")
  func whole() throws {
    let lines = try imported(Self.greenhouse)
    #expect(
      lines == [
        "# From config.yml of mqtt-io; `limpet check` reads it.",
        "# logging (line 33) is not imported: see --log-level",
        "homeassistant: {enabled: true}",
        "# Stop mqtt-io before limpet starts: Home Assistant then hands its entities over, with their history",
        "broker:", "  url: \"mqtts://mqtt.example.com:8883\"", "  username: greenhouse",
        "  # mqtt.password is not copied: write it into a file that only limpet may read, and name that here:",
        "  # password_file: /etc/limpet/password", "  clean_start: false", "  keepalive: 20s",
        "  tls: {ca: /etc/ssl/certs}", "  # mqtt.tls.tls_version (line 11) is not needed: TLS 1.2 or later",
        "presence:", "  topic: home/greenhouse/status", "  online: running",
        "  # \"stopped\" of a clean stop is \"gone\" too: limpet has one word for both", "  offline: gone",
        "# mqtt-io had inputs below input/, outputs below output/ and sensors below sensor/; limpet has one topic for all:",
        "topic: \"home/greenhouse/{name}\"", "format: plain", "inputs:",
        "  - {name: door, line: 17, pull: up, active_low: true, on: open, off: shut, retain: true, "
          + Self.identity("binary_sensor", "rpi_input_door"),
        "  # \"front door\" is called front_door here",
        "  # front_door: interrupt falling is not imported: limpet publishes both edges",
        "  # digital_inputs[1].poll_interval (line 18) is not needed: the kernel reports each edge",
        "  - {name: front_door, chip: /dev/gpiochip1, line: 4, debounce: 50ms, on: ON, off: OFF, retain: false}",
        "  # relay: the module \"pcf8574\" has no counterpart; with a driver of the kernel its lines are a chip of their "
          + "own, see `limpet scan`",
        "  # again: pin 17 is used above already; a line can be used only once",
        "# set_on_ms and set_off_ms are topics of mqtt-io; here a command may say how long: {\"value\": true, \"for\": \"10s\"}",
        "outputs:", "  - {name: fan, line: 22, start: on, " + Self.identity("switch", "rpi_output_fan"),
        "  # gate: on is commanded by on here, and not by \"open\"",
        "  # gate: it was a switch in Home Assistant, and is another kind of entity here: clear the topic "
          + "homeassistant/switch/\(Self.client)/gate/config to remove the old one",
        "  - {name: gate, line: 23, active_low: true, pulse: 500ms}",
        "  # twice: pin 17 is used above already; a line can be used only once",
        "sensors:",
        "  - {name: tank, type: w1, id: 28-0316a2795bff, interval: 30s, round: 1, "
          + Self.identity("sensor", "tank_sensor_tank"),
        "  # board: read by the kernel's driver; dtoverlay=i2c-sensor,lm75,addr=0x48, or: echo lm75 0x48 > "
          + "/sys/bus/i2c/devices/i2c-1/new_device",
        "  - {name: board, type: hwmon, chip: lm75, device: 1-0048, channel: temp1, interval: 60s, round: 2, title: x, "
          + Self.identity("sensor", "board_sensor_board"),
        "  # humidity: the module \"bme280\" has no counterpart; the kernel may have a driver, see `limpet scan`",
      ])
    #expect(!lines.contains { $0.contains("s3cret") })
    let result = check(lines)
    #expect(printed(result) == [])
    #expect(result.configuration?.inputs.map(\.name) == ["door", "front_door"])
    #expect(result.configuration?.outputs.map(\.name) == ["fan", "gate"])
    #expect(result.configuration?.sensors.map(\.name) == ["tank", "board"])
  }

  @Test("what the entries say for Home Assistant is taken over, where limpet has the same kind of entity")
  func homeAssistant() throws {
    let lines = try imported(
      """
      mqtt: {host: h, client_id: pi, ha_discovery: {enabled: yes, prefix: ha/, name: "Shed: 1"}}
      gpio_modules: [{name: r, module: raspberrypi}]
      digital_inputs:
        - {name: door, module: r, pin: 1, ha_discovery: {name: Front door, device_class: door, icon: "mdi:door", x: 1}}
        - {name: bell, module: r, pin: 2, ha_discovery: {component: device_automation}}
      digital_outputs:
        - {name: lamp, module: r, pin: 3, initial: low, ha_discovery: {component: light}}
      sensor_inputs: []

      """)
    #expect(lines.contains("device: {name: \"Shed: 1\"}"), "\(lines)")
    #expect(lines.contains("homeassistant: {enabled: true, prefix: ha}"))
    #expect(
      lines.contains {
        $0.hasSuffix(
          "title: \"Front door\", homeassistant: {class: door, icon: \"mdi:door\", unique_id: pi_r_input_door, "
            + "migrate_from: ha/binary_sensor/pi/door/config}}")
      }, "\(lines)")
    #expect(
      lines.contains {
        $0.hasSuffix(
          "homeassistant: {as: light, unique_id: pi_r_output_lamp, migrate_from: ha/light/pi/lamp/config}}")
      }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("  # bell: it was a device_automation in Home Assistant") })
    #expect(lines.contains("  # digital_inputs[0].ha_discovery.x (line 4) has no counterpart"))
    let result = check(lines)
    #expect(printed(result) == [])
    #expect(result.configuration?.inputs.first?.presentation.uniqueID == "pi_r_input_door")
    #expect(result.configuration?.outputs.first?.presentation.migrateFrom == "ha/light/pi/lamp/config")
    #expect(result.configuration?.homeAssistant.prefix == "ha")
  }

  @Test(
    "the least that is a configuration keeps its topics",
    arguments: [
      ("mqtt: {host: h}\n", "input/{name}"),
      ("mqtt: {host: h, topic_prefix: a}\nsensor_inputs: [{name: x, module: y}]\n", "a/sensor/{name}"),
      ("mqtt: {host: h, topic_prefix: a}\ndigital_outputs: [{name: x, module: y}]\n", "a/output/{name}"),
    ])
  func least(text: String, topic: String) throws {
    let result = check(try imported(text))
    #expect(printed(result) == [])
    #expect(result.configuration?.topic.description == topic)
    #expect(result.configuration?.format == .plain)
  }

  @Test("a pulse that began with on is imported without that, and says so")
  func pulse() throws {
    let lines = try imported(
      "mqtt: {host: h}\ngpio_modules: [{name: r, module: raspberrypi}]\n"
        + "digital_outputs: [{name: gate, module: r, pin: 4, initial: high, timed_set_ms: 500}]\n")
    #expect(lines.contains { $0.contains("name: gate") && $0.contains("pulse: 500ms") && !$0.contains("start: on") })
    #expect(lines.contains { $0.hasPrefix("  # gate: it began with on") })
    #expect(printed(check(lines)) == [])
  }

  @Test("values that mean something else here are written so that they mean themselves")
  func literals() throws {
    let result = check(
      try imported(
        "mqtt: {host: '::1', user: 'a ${B}', status_topic: \"s: #1\\\"\"}\ngpio_modules: [{name: r, module: raspberrypi}]\n"
          + "digital_inputs: [{name: 'x/y', module: r, pin: 0x11, on_payload: '~', off_payload: 'a, b}'}]\n"))
    // `#` is refused by limpet, as it is by brokers: the one thing that is left to the reader of the output.
    #expect(printed(result).map { $0.contains("wildcard") } == [true])
    let other = check(
      try imported(
        "mqtt: {host: '::1', user: 'a ${B}'}\ngpio_modules: [{name: r, module: raspberrypi}]\n"
          + "digital_inputs: [{name: 'x/y', module: r, pin: 0x11, on_payload: '~', off_payload: 'a, b}'}]\n"))
    #expect(printed(other) == [])
    #expect(other.configuration?.broker.username == "a ${B}")
    #expect(other.configuration?.inputs.first?.levels == LevelTexts(on: "~", off: "a, b}"))
    #expect(other.configuration?.inputs.first?.name == "x_y")
  }

  @Test(
    "what is no configuration of mqtt-io is refused, with the place of a syntax error",
    arguments: [
      ("qos: 1\n", "config.yml: mqtt.host is missing; this is not a configuration of mqtt-io"),
      ("mqtt:\n\thost: x\n", "config.yml:2:1: a tab; YAML indents with spaces only"),
    ])
  func refused(text: String, expected: String) {
    let error = #expect(throws: MQTTIOImport.Flaw.self) { try MQTTIOImport(Array(text.utf8), name: "config.yml") }
    #expect(error?.description == expected)
  }

  @Test("readings of one name get names of their own")
  func names() throws {
    let lines = try imported(
      "mqtt: {host: h}\ngpio_modules: [{name: r, module: raspberrypi}]\n"
        + "digital_inputs: [{name: a, module: r, pin: 1}, {name: a, module: r, pin: 2}]\n")
    #expect(check(lines).configuration?.inputs.map(\.name) == ["a", "a_2"])
  }
}
