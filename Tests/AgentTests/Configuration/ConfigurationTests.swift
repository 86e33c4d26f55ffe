import Testing

@testable import Configuration
@testable import LimpetText
@testable import Measuring
@testable import Readings

struct ConfigurationTests {
  @Test("a broker's URL is all that must be written; the rest has DESIGN's defaults")
  func defaults() throws {
    let result = loadConfiguration(minimalConfiguration)
    #expect(result.diagnostics == [])
    let configuration = try #require(result.configuration)
    #expect(configuration.device == .init(id: .automatic, name: nil))
    let broker = configuration.broker
    #expect(broker.urls.map(\.description) == ["mqtt://h:1883"])
    #expect(broker.version == .automatic)
    #expect(broker.clientID == .automatic)
    #expect(broker.username == nil)
    #expect(broker.password == nil)
    #expect(!broker.cleanStart)
    #expect(broker.sessionExpiry == .after(.days(7)))
    #expect(broker.keepalive == .seconds(30))
    #expect(broker.connectTimeout == .seconds(10))
    #expect(!broker.sharesSessions)
    #expect(broker.shutdownTimeout == .seconds(5))
    #expect(broker.reconnect == .init(min: .seconds(1), max: .seconds(120), stableAfter: .seconds(60)))
    #expect(broker.tls == .init(ca: nil, certificate: nil, key: nil, serverName: nil, insecure: false))
    let presence = configuration.presence
    #expect(presence.topic.description == "limpet/{device}/status")
    #expect(presence.online == "online")
    #expect(presence.offline == "offline")
    #expect(presence.qos == 1)
    #expect(presence.willDelay == .zero)
    #expect(presence.lease == .seconds(300))
    #expect(!presence.isLeaseWritten)
    #expect(
      configuration.storage
        == .init(
          path: "/var/lib/limpet", maxSize: 64_000_000, sync: .within(.seconds(1)), syncOutage: .seconds(30),
          drainRate: 500))
    #expect(configuration.expiry == nil)
    #expect(configuration.topic.description == "limpet/{device}/{name}")
    #expect(configuration.topic.expanded(device: "d", name: "n") == "limpet/d/n")
    #expect(configuration.format == .json)
    #expect(configuration.qos == 1)
    #expect(configuration.inputs == [])
    #expect(configuration.sensors == [])
    #expect(configuration.control == "/var/lib/limpet/limpet.sock")
  }

  /// DESIGN, section 1, as it stands there.
  static let sample = """
    device:
      id: auto                  # auto: from the board's serial number; 22 characters, letters and digits
      name: Greenhouse 3        # for people
    broker:
      url: mqtts://mqtt.example.com:8883      # mqtt, mqtts, ws, wss, unix; or a list, tried in turn
      version: auto             # auto: 5, and 3.1.1 where a broker cannot; or "5", "3.1.1"
      client_id: auto           # auto: the device id
      username: greenhouse
      password_file: /etc/limpet/password     # or password; or the systemd credential "password"
      clean_start: false
      session_expiry: 7d
      keepalive: 30s
      connect_timeout: 10s
      shutdown_timeout: 5s      # for the clean shutdown; past it, abort
      reconnect: {min: 1s, max: 2m, stable_after: 60s}
      tls: {ca: /etc/ssl/certs, certificate: c.pem, key: k.pem, server_name: x, insecure: false}
    presence:
      topic: limpet/{device}/status
      online: online
      offline: offline
      qos: 1
      will_delay: 0s            # MQTT 5
      lease: 5m                 # MQTT 5
    storage:
      path: /var/lib/limpet     # session.db lives here
      max_size: 64MB            # oldest readings go first, and are counted
      sync: 1s                  # always | never | how long an unsent reading may be in memory only
    topic: limpet/{device}/{name}             # where readings go
    format: json                # json | plain
    qos: 1
    inputs:                     # GPIO
      - name: door
        # chip: pinctrl-bcm2711 # label, name or path
        line: GPIO17            # line name, or offset in `chip`
        pull: up                # up | down | none | as-is
        active_low: true
        debounce: 20ms
        mode: state             # state | event | counter
        retain: true
      - name: water
        line: GPIO4
        mode: counter           # totals survive restarts
        scale: 0.5              # per pulse
        unit: L
        interval: 10s
    sensors:                    # sysfs
      - name: cpu_temperature
        type: thermal           # thermal | hwmon | iio | w1 | power_supply | system | file
        zone: cpu-thermal
        interval: 10s
        change: 0.5             # publish when it moved this much (without it: every sample) ...
        max_age: 5m             # ... or this long has passed
        unit: °C
      - {name: cpu_fan, type: hwmon, chip: pwmfan, channel: fan1, interval: 30s}       # or label: instead of channel
      - {name: soil, type: iio, device: ads1015, channel: in_voltage0, interval: 1m}
      - {name: tank, type: w1, id: 28-0316a2795bff, interval: 30s}
      - {name: battery, type: power_supply, supply: BAT0, property: capacity, interval: 1m}
      - {name: load, type: system, value: load1, interval: 10s}
      - {name: leds, type: file, path: /sys/class/leds/led0/brightness, scale: 1, offset: 0, interval: 10s}

    """

  @Test("DESIGN's sample is a configuration; what is not served yet is a warning")
  func designSample() throws {
    let result = loadConfiguration(Self.sample)
    #expect(printed(result) == [])
    let configuration = try #require(result.configuration)
    #expect(configuration.device.name == "Greenhouse 3")
    #expect(configuration.broker.username == "greenhouse")
    #expect(configuration.broker.password == Secret("s3cret".utf8))
    #expect(
      configuration.broker.tls
        == .init(
          ca: "/etc/ssl/certs", certificate: "/etc/limpet/c.pem", key: "/etc/limpet/k.pem", serverName: "x",
          insecure: false))
    #expect(configuration.presence.isLeaseWritten)
    #expect(
      configuration.inputs == [
        InputConfiguration(
          name: "door",
          gpio: GPIOInput(
            chip: nil, line: .name("GPIO17"), bias: .up, isActiveLow: true, debounce: .milliseconds(20), mode: .state,
            isForced: false, maxRate: 2000),
          levels: LevelTexts(on: "true", off: "false"), isRetained: true, scale: 1, unit: nil, interval: .seconds(10),
          keep: .all),
        InputConfiguration(
          name: "water",
          gpio: GPIOInput(
            chip: nil, line: .name("GPIO4"), bias: .asIs, isActiveLow: false, debounce: .zero, mode: .counter,
            isForced: false, maxRate: 2000),
          levels: LevelTexts(on: "true", off: "false"), isRetained: false, scale: 0.5, unit: "L",
          interval: .seconds(10), keep: .all),
      ])
    #expect(
      configuration.sensors.map(\.source) == [
        .thermal(zone: "cpu-thermal"),
        .hwmon(chip: "pwmfan", selector: .channel("fan1")),
        .iio(device: "ads1015", channel: "in_voltage0"),
        .w1(id: "28-0316a2795bff"),
        .powerSupply(supply: "BAT0", property: "capacity"),
        .system(.load1),
        .file(path: "/sys/class/leds/led0/brightness"),
      ])
    #expect(
      configuration.sensors[0]
        == SensorConfiguration(
          name: "cpu_temperature", source: .thermal(zone: "cpu-thermal"), interval: .seconds(10),
          timeout: .seconds(5), change: .absolute(0.5), maxAge: .seconds(300), unit: "°C", scale: 1, offset: 0,
          isRetained: false, keep: .all))
  }

  @Test(
    "what is written is what is meant",
    arguments: [
      ("presence: {online: ON, offline: off}\n", \.presence.online, "ON"),
      ("presence: {online: 1, offline: 0}\n", \.presence.offline, "0"),
      ("presence: {online: 'null'}\n", \.presence.online, "null"),
      ("control: run/x.sock\n", \.control, "/etc/limpet/run/x.sock"),
      ("control: /run/x.sock\n", \.control, "/run/x.sock"),
      ("storage: {path: /data}\n", \.control, "/data/limpet.sock"),
    ] as [(String, KeyPath<Configuration, String> & Sendable, String)])
  func texts(text: String, key: KeyPath<Configuration, String> & Sendable, expected: String) {
    #expect(loadConfiguration(minimalConfiguration + text).configuration?[keyPath: key] == expected)
  }

  @Test(
    "an input's state is retained by default, and nothing else",
    arguments: [
      ("mode: state", true), ("retain: no", false), ("mode: event", false), ("mode: counter", false),
      ("mode: event, retain: ON", true),
    ])
  func retained(text: String, expected: Bool) {
    let result = loadConfiguration(minimalConfiguration + "inputs: [{name: a, line: 4, \(text)}]\n")
    #expect(result.configuration?.inputs.first?.isRetained == expected)
  }

  @Test("an input's line is an offset where it is a number, quoted or not")
  func line() {
    let result = loadConfiguration(
      minimalConfiguration + "inputs: [{name: a, line: 4}, {name: b, line: '5', chip: x}, {name: c, line: GPIO4}]\n")
    #expect(result.configuration?.inputs.map(\.gpio.line) == [.offset(4), .offset(5), .name("GPIO4")])
  }

  @Test("what an input may say besides")
  func inputOptions() throws {
    let text = "mode: event, force: true, max_rate: 50, on: open, off: shut, pull: down, chip: /dev/gpiochip0"
    let result = loadConfiguration(minimalConfiguration + "inputs: [{name: a, line: 4, \(text)}]\n")
    let input = try #require(result.configuration?.inputs.first)
    #expect(input.levels == LevelTexts(on: "open", off: "shut"))
    #expect(
      input.gpio
        == GPIOInput(
          chip: "/dev/gpiochip0", line: .offset(4), bias: .down, isActiveLow: false, debounce: .zero, mode: .event,
          isForced: true, maxRate: 50))
  }

  @Test(
    "each type's keys name what is read",
    arguments: [
      ("type: system, value: uptime", .system(.uptime)),
      ("type: system, value: memory_available", .system(.memoryAvailable)),
      ("type: system, value: disk_free, path: /", .system(.diskFree(path: "/"))),
      ("type: system, value: wifi_signal, interface: wlan0", .system(.wifiSignal(interface: "wlan0"))),
      ("type: system, value: tx_errors, interface: eth0", .system(.network(.sendErrors, interface: "eth0"))),
      ("type: system, value: operstate, interface: eth0", .system(.operationalState(interface: "eth0"))),
      ("type: system, value: life_time, device: mmcblk0", .system(.lifeTime(device: "mmcblk0"))),
      (
        "type: hwmon, chip: c, device: 1-0048, channel: in0",
        .hwmon(chip: "c", device: "1-0048", selector: .channel("in0"))
      ),
      ("type: iio, device: /sys/devices/x, channel: in_temp", .iio(device: "/sys/devices/x", channel: "in_temp")),
      ("type: w1, id: 28-0316A2795BFF", .w1(id: "28-0316a2795bff")),
      ("type: file, path: /a, text: yes", .file(path: "/a", content: FileContent(isText: true))),
      ("type: file, path: /a, map: {x: 1}", .file(path: "/a", content: FileContent(isText: true))),
      (
        "type: hwmon, chip: c, channels: [temp1, humidity1]",
        .channels(["temp1", "humidity1"].map { .init($0, .hwmon(chip: "c", selector: .channel($0))) })
      ),
      (
        "type: iio, device: d, channels: [in_temp, in_pressure]",
        .channels(["in_temp", "in_pressure"].map { .init($0, .iio(device: "d", channel: $0)) })
      ),
      (
        "type: power_supply, supply: BAT0, properties: [status, temp]",
        .channels(["status", "temp"].map { .init($0, .powerSupply(supply: "BAT0", property: $0)) })
      ),
      ("type: hwmon, chip: c, label: Core 0", .hwmon(chip: "c", selector: .label("Core 0"))),
    ] as [(String, SensorKind)])
  func sources(text: String, expected: SensorKind) {
    #expect(
      loadConfiguration(minimalConfiguration + "sensors: [{name: a, \(text)}]\n").configuration?.sensors.map(\.source)
        == [expected])
  }

  @Test(
    "a change is a number or a percentage",
    arguments: [("0.5", .absolute(0.5)), ("5%", .percent(5)), ("'1e1%'", .percent(10))]
      as [(String, ChangeThreshold)])
  func change(text: String, expected: ChangeThreshold) {
    let result = loadConfiguration(
      minimalConfiguration + "sensors: [{name: a, type: thermal, zone: z, change: \(text)}]\n")
    #expect(result.configuration?.sensors.first?.change == expected)
  }

  @Test("every value of system is one that Sensing has", arguments: SystemWord.allCases)
  func systemWords(word: SystemWord) {
    let subject = word.subject.map { ", \($0.rawValue): /x" } ?? ""
    let path = word.subject == .path ? subject : subject.replacing("/", with: "")
    let result = loadConfiguration(
      minimalConfiguration + "sensors: [{name: a, type: system, value: \(word.rawValue)\(path)}]\n")
    guard case .one(.system, let settings)? = result.configuration?.sensors.first?.source else {
      Issue.record("\(printed(result))")
      return
    }
    #expect("\(SystemValue(settings))".split(separator: " ").first.map(String.init) == word.rawValue)
  }

  @Test("what becomes of a value between its source and the broker")
  func policy() {
    let result = loadConfiguration(
      minimalConfiguration + """
        sensors:
          - name: a
            type: file
            path: /a
            match: 't=([0-9]+)'
            timeout: 2s
            scale: 0.001
            range: {min: -40, max: 85}
            average: median
            window: 1m
            round: 1
          - {name: b, type: file, path: /b, map: {on: true, off: false, "1": 1.5, other: other, quoted: "2", many: 7}}
          - {name: c, type: file, path: /c, range: {max: 5}}

        """)
    #expect(printed(result) == [])
    let sensors = result.configuration?.sensors ?? []
    #expect(sensors.count == 3)
    #expect(sensors.first?.timeout == .seconds(2))
    #expect(sensors.first?.range == .init(min: -40, max: 85))
    #expect(sensors.first?.average == .init(statistic: .median, window: .seconds(60)))
    #expect(sensors.first?.decimals == 1)
    #expect(
      sensors.dropFirst().first?.map == [
        "on": .flag(true), "off": .flag(false), "1": .number(1.5), "other": .text("other"), "quoted": .text("2"),
        "many": .integer(7),
      ])
    #expect(sensors.last?.range == .init(min: nil, max: 5))
  }

  @Test("broker.url may be a list of every transport")
  func urls() {
    let result = loadConfiguration(
      "broker:\n  url:\n    - mqtts://[::1]\n    - wss://h/x?y=z\n    - unix:///run/m.sock\n")
    #expect(
      result.configuration?.broker.urls.map(\.description) == [
        "mqtts://[::1]:8883", "wss://h:443/x?...", "unix:///run/m.sock",
      ])
    #expect(printed(result) == [])
  }

  @Test("merge keys and anchors share what entries have in common")
  func anchors() {
    let result = loadConfiguration(
      minimalConfiguration + """
        sensors:
          - &base {name: a, type: thermal, zone: z, interval: 1m}
          - {<<: *base, name: b, zone: y}

        """)
    #expect(result.diagnostics == [])
    #expect(result.configuration?.sensors.map(\.interval) == [.seconds(60), .seconds(60)])
    #expect(result.configuration?.sensors.map(\.name) == ["a", "b"])
  }

  @Test("the control socket is in systemd's runtime folder where there is one")
  func control() {
    let result = loadConfiguration(minimalConfiguration, environment: ["RUNTIME_DIRECTORY": "/run/limpet:/run/other"])
    #expect(result.configuration?.control == "/run/limpet/limpet.sock")
  }

  @Test("a file that cannot be read is one diagnostic that says what to do")
  func unreadable() {
    func diagnostics(_ path: String) -> [String] {
      Configuration.load(path: path, environment: [:], files: testFiles).diagnostics.map(\.description)
    }
    #expect(
      diagnostics("nope.yaml") == [
        "nope.yaml:1:1: cannot be read: No such file or directory; create it, or name another with --config"
      ])
    #expect(
      diagnostics("/etc/limpet/denied") == [
        "/etc/limpet/denied:1:1: cannot be read: Permission denied; let the user that runs limpet read it"
      ])
  }

  @Test("this machine's files are read, folders and missing ones refused")
  func realFiles() {
    let folder = Configuration.load(path: "/tmp", environment: [:])
    #expect(
      folder.diagnostics.map(\.description) == [
        "/tmp:1:1: cannot be read: Is a directory; name a file with --config"
      ])
    #expect((try? ConfigurationFiles.real.open("/proc/self/stat", 3).get())?.bytes.count == 3)
    #expect((try? ConfigurationFiles.real.open("/dev/zero", 100_000).get())?.bytes.count == 100_000)
    #expect((try? ConfigurationFiles.real.open("/tmp", 0).get()) != nil)
  }

  @Test("the sample, cut off or damaged anywhere, is read or refused, never a crash")
  func damaged() {
    let bytes = Array(Self.sample.utf8)
    let noise = Array("\t\n:{}[]*&#\"'!%@|-0".utf8) + [0x00, 0xFF]
    for place in stride(from: 0, to: bytes.count, by: 11) {
      var damaged = bytes
      damaged[place] = noise[place % noise.count]
      for text in [Array(bytes[..<place]), damaged] {
        let result = Configuration.load(bytes: text, path: "/etc/limpet/limpet.yaml", files: testFiles)
        #expect((result.configuration == nil) == result.diagnostics.contains { $0.severity == .error })
      }
    }
  }
}
