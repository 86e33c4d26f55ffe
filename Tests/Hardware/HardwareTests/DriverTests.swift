import Foundation
import TestScene
import Testing

extension Together {
  /// One after the other: the stub bus has two addresses, and there is one battery.
  @Suite("Sensors: the kernel's own drivers", .serialized) struct DriverTests {
    /// A reading of a sensor, as its JSON says.
    struct SensorReading: Decodable {
      let value: SensorValue?
      let unit: String?
      let quality: String?
      let error: String?

      var number: Double? { if case .number(let number) = value { number } else { nil } }
      var isBad: Bool { quality == "bad" && value == nil && error?.isEmpty == false }
    }

    enum SensorValue: Decodable, Equatable {
      case flag(Bool)
      case number(Double)
      case text(String)

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
          self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
          self = .number(number)
        } else {
          self = .text(try container.decode(String.self))
        }
      }
    }

    // MARK: What arrives

    private func readings(_ bench: Workbench, _ name: String) throws -> [SensorReading] {
      try bench.records(name).map { try JSONDecoder().decode(SensorReading.self, from: Data($0.payload.utf8)) }
    }

    /// Waits for a reading of a name, after the first `skipping`.
    @discardableResult
    private func reading(
      _ bench: Workbench, _ name: String, _ what: String = "a reading", skipping: Int = 0,
      sourceLocation: SourceLocation = #_sourceLocation, where condition: (SensorReading) -> Bool = { _ in true }
    ) async throws -> SensorReading {
      try await eventually("\(what) of \(name)", sourceLocation: sourceLocation) {
        try readings(bench, name).dropFirst(skipping).first(where: condition)
      }
    }

    // MARK: The agent

    private func settings(_ bench: Workbench, _ sensors: [String]) -> Settings {
      var settings = bench.settings([])
      settings.sensors = sensors
      return settings
    }

    /// A thermometer that is plugged in, until the test ends.
    private func thermometer(_ bench: Workbench, _ address: UInt8, halfDegrees: Int16) throws -> StubThermometer {
      let thermometer = try StubBus().thermometer(address)
      try thermometer.set(halfDegrees: halfDegrees)
      try thermometer.plug()
      bench.scene.atEnd { try? thermometer.unplug() }
      return thermometer
    }

    private func converter(_ bench: Workbench) throws -> DummyConverter {
      let converter = try DummyConverter(name: "adc-\(bench.mark)")
      bench.scene.atEnd { converter.remove() }
      return converter
    }

    // MARK: hwmon

    @Test("lm75: what its register holds, in °C, above and below zero")
    func lm75() async throws {
      try await withWorkbench { bench in
        let thermometer = try thermometer(bench, 0x48, halfDegrees: 47)
        _ = try bench.agent(settings(bench, ["{name: room, type: hwmon, chip: lm75, channel: temp1, interval: 100ms}"]))
        let first = try await reading(bench, "room")
        #expect(first.value == .number(23.5) && first.unit == "°C" && first.quality == nil)
        for halfDegrees: Int16 in [0, -51, 250] {
          try thermometer.set(halfDegrees: halfDegrees)
          let reading = try await reading(bench, "room", "\(halfDegrees) half degrees") {
            $0.number == Double(halfDegrees) / 2
          }
          #expect(reading.unit == "°C" && reading.quality == nil)
        }
      }
    }

    @Test("lm75: bad quality while it is unplugged; found again under another number, and not taken for its neighbour")
    func renumbered() async throws {
      try await withWorkbench { bench in
        let thermometer = try thermometer(bench, 0x48, halfDegrees: 47)
        let before = try thermometer.hwmon
        let agent = try bench.agent(
          settings(
            bench,
            [
              "{name: room, type: hwmon, chip: lm75, device: \(thermometer.device), channel: temp1, interval: 100ms}",
              "{name: load, type: system, value: load1, interval: 100ms}",
            ]))
        try await reading(bench, "room", "23.5 °C") { $0.number == 23.5 }
        try thermometer.unplug()
        let bad = try await reading(bench, "room", "bad quality") { $0.isBad }
        #expect(bad.error?.contains("lm75") == true, "\(bad.error ?? "")")

        let neighbour = try self.thermometer(bench, 0x49, halfDegrees: 160)
        // Thermometers of other tests may have the place for a while.
        try await until("the neighbour has the old place", within: .seconds(60)) {
          if try neighbour.hwmon == before { return true }
          try neighbour.unplug()
          try neighbour.plug()
          return try neighbour.hwmon == before
        }
        // What is at the old place now is somebody else.
        let seen = try readings(bench, "room").count
        try await reading(bench, "room", "bad quality", skipping: seen + 2) { $0.isBad }
        try thermometer.plug()
        try #require(try thermometer.hwmon != before)
        try await reading(bench, "room", "23.5 °C", skipping: seen) { $0.number == 23.5 }
        #expect(try readings(bench, "room").allSatisfy { $0.number == 23.5 || $0.isBad })
        #expect(try readings(bench, "load").allSatisfy { $0.quality == nil })
        #expect(agent.process.ending == nil)
      }
    }

    // MARK: iio

    @Test("iio_dummy: raw, offset and scale make volts, with a scale of its own and with one that channels share")
    func voltages() async throws {
      try await withWorkbench { bench in
        let converter = try converter(bench)
        _ = try bench.agent(
          settings(
            bench,
            ["in_voltage0", "in_voltage1-voltage2", "in_voltage3-voltage4"].enumerated().map { number, channel in
              "{name: channel\(number), type: iio, device: \(converter.name), channel: \(channel), interval: 200ms}"
            }))
        // The kernel's scale makes millivolts.
        let shared = try converter.number("in_voltage-voltage_scale") / 1000
        let expected = [
          try (converter.number("in_voltage0_raw") + converter.number("in_voltage0_offset"))
            * converter.number("in_voltage0_scale") / 1000,
          try converter.number("in_voltage1-voltage2_raw") * shared,
          try converter.number("in_voltage3-voltage4_raw") * shared,
        ]
        for (number, volts) in expected.enumerated() {
          let reading = try await reading(bench, "channel\(number)")
          let value = try #require(reading.number, "\(reading.error ?? "")")
          #expect(volts != 0 && abs(value - volts) <= abs(volts) * 1e-9, "\(value) is not \(volts)")
          #expect(reading.unit == "V" && reading.quality == nil)
        }
      }
    }

    @Test("iio_dummy: a value that its driver computed moves; bad quality when the device goes, good when it is back")
    func steps() async throws {
      try await withWorkbench { bench in
        let converter = try converter(bench)
        let agent = try bench.agent(
          settings(
            bench, ["{name: steps, type: iio, device: \(converter.name), channel: in_steps, interval: 100ms}"]))
        let start = try converter.number("in_steps_input")
        try await reading(bench, "steps", "\(start)") { $0.number == start }
        try SimulatedChip.write("1234", to: converter.path("in_steps_input"))
        try await reading(bench, "steps", "1234") { $0.number == 1234 }
        converter.remove()
        let bad = try await reading(bench, "steps", "bad quality") { $0.isBad }
        #expect(bad.error?.contains(converter.name) == true, "\(bad.error ?? "")")
        let seen = try readings(bench, "steps").count
        // The device is another one, with what it starts with.
        _ = try DummyConverter(name: converter.name)
        try await reading(bench, "steps", "\(start)", skipping: seen) { $0.number == start }
        #expect(agent.process.ending == nil)
      }
    }

    // MARK: power_supply and thermal

    @Test("test_power: a battery in %, V, A, °C and words, and its thermal zone; what the driver moves arrives")
    func battery() async throws {
      try await withWorkbench { bench in
        bench.scene.atEnd { TestBattery.reset() }
        TestBattery.reset()
        let properties = ["capacity", "voltage_now", "current_now", "status", "temp"]
        _ = try bench.agent(
          settings(
            bench,
            properties.map {
              "{name: battery_\($0), type: power_supply, supply: test_battery, property: \($0), interval: 100ms}"
            } + ["{name: zone, type: thermal, zone: test_battery, interval: 100ms}"]))
        let first: [(String, SensorValue, String?)] = [
          ("battery_capacity", .number(50), "%"), ("battery_voltage_now", .number(0.0033), "V"),
          ("battery_current_now", .number(-0.0016), "A"), ("battery_status", .text("Discharging"), nil),
          ("battery_temp", .number(2.6), "°C"),
          // The kernel makes a zone of each supply with a temperature.
          ("zone", .number(2.6), "°C"),
        ]
        for (name, value, unit) in first {
          let reading = try await reading(bench, name)
          #expect(reading.value == value && reading.unit == unit && reading.quality == nil, "\(name): \(reading)")
        }
        try TestBattery.set("battery_capacity", "17")
        try TestBattery.set("battery_voltage", "3712000")
        try TestBattery.set("battery_status", "charging")
        try await reading(bench, "battery_capacity", "17 %") { $0.value == .number(17) && $0.unit == "%" }
        try await reading(bench, "battery_voltage_now", "3.712 V") { $0.value == .number(3.712) && $0.unit == "V" }
        try await reading(bench, "battery_status", "Charging") { $0.value == .text("Charging") }
      }
    }

    @Test("a battery that changes and a chip that is plugged in are told when the kernel tells of them")
    func events() async throws {
      try await withWorkbench { bench in
        bench.scene.atEnd { TestBattery.reset() }
        TestBattery.reset()
        let thermometer = try StubBus().thermometer(0x49)
        try thermometer.set(halfDegrees: 42)
        _ = try bench.agent(
          settings(
            bench,
            [
              "{name: battery, type: power_supply, supply: test_battery, property: capacity, interval: 1h}",
              "{name: board, type: hwmon, chip: lm75, device: \(thermometer.device), channel: temp1, interval: 1h}",
            ]))
        try await reading(bench, "battery", "50 %") { $0.value == .number(50) }
        try await reading(bench, "board", "a bad reading") { $0.quality == "bad" }
        try TestBattery.set("battery_capacity", "17")
        try await reading(bench, "battery", "17 %") { $0.value == .number(17) }
        bench.scene.atEnd { try? thermometer.unplug() }
        try thermometer.plug()
        try await reading(bench, "board", "21 °C") { $0.value == .number(21) }
      }
    }

    // MARK: limpet scan

    @Test("scan --yaml lists them all; check takes it as it is, and run reads every entry of it")
    func scan() async throws {
      try await withWorkbench { bench in
        let thermometers = [
          try thermometer(bench, 0x48, halfDegrees: 47), try thermometer(bench, 0x49, halfDegrees: -3),
        ]
        let converter = try converter(bench)
        let scan = try await bench.scene.run("scan", [Rig.limpet, "scan", "--yaml"])
        #expect(scan.ending == .exited(0))
        let entries = scan.outputLines.filter { $0.hasPrefix("  - {") }
        let wanted =
          [
            ["type: iio", "device: \(converter.name)", "channel: in_voltage0}"],
            ["type: power_supply", "supply: test_battery", "property: capacity}", "# 50 %"],
            ["type: thermal", "zone: test_battery}", "# 2.6 °C"],
          ]
          + zip(thermometers, ["23.5", "-1.5"]).map {
            ["type: hwmon", "chip: lm75", "device: \($0.device)", "channel: temp1}", "# \($1) °C"]
          }
        for words in wanted {
          #expect(
            entries.count { line in words.allSatisfy(line.contains) } == 1, "\(words) in \(scan.outputLines)")
        }

        // All that a configuration still needs is a broker.
        let sensors = try entries.map { entry in
          String(try #require(entry.firstMatch(of: /- (\{.*\})  #/)).1)
        }
        let names = try sensors.map { String(try #require($0.firstMatch(of: /\{name: ([^,]+),/)).1) }
        #expect(Set(names).count == names.count)
        var settings = settings(bench, [])
        settings.lines = scan.outputLines
        let file = try bench.scene.write(settings.text, to: "scanned.yaml")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        let check = try await bench.scene.run("check", [Rig.limpet, "check", "--config", file])
        #expect(check.ending == .exited(0), "\(check.errorLines)")
        _ = try bench.agent(settings)
        // Sensors of the 1-Wire bus are taken away by its own tests meanwhile.
        for name in names where !name.hasPrefix("w1_") {
          let reading = try await reading(bench, name)
          #expect(!reading.isBad, "\(name): \(reading.error ?? "")")
        }
      }
    }
  }
}
