import Foundation
import TestScene
import Testing

extension Together {
  /// The kernel's own w1_therm, on a bus that is made up (VM/w1_bench.c). One after the other: there is one.
  @Suite("Sensors: a 1-Wire bus", .serialized) struct W1BusTests {
    /// What is on the bus, and what is wrong with it.
    enum Bus {
      static func set(_ parameter: String, _ value: Int) throws {
        try SimulatedChip.write("\(value)", to: "/sys/module/w1_bench/parameters/\(parameter)")
      }

      static func reset() {
        for parameter in ["present", "shorted", "wrong", "unconverted", "stall"] { try? set(parameter, 0) }
        for (parameter, value) in [("temperature", 21 * 16), ("vad", 123), ("vdd", 487), ("current_sense", -37)] {
          try? set(parameter, value)
        }
      }

      static var conversions: Int {
        get throws { try #require(Int(SimulatedChip.read("/sys/module/w1_bench/parameters/conversions"))) }
      }

      /// As the kernel names the first device.
      static let id = id(of: 0)
      static let monitor = "26-605040302024"

      /// As the first, with other digits at its end.
      static func id(of number: Int) -> String { "28-6050403020\(String(0x10 + number, radix: 16))" }
    }

    private func agent(_ bench: Workbench, interval: String) throws {
      var settings = bench.settings([])
      settings.sensors = ["{name: tank, type: w1, id: \(Bus.id), interval: \(interval)}"]
      _ = try bench.agent(settings)
      bench.scene.atEnd { Bus.reset() }
    }

    private func reading(
      _ bench: Workbench, _ what: String, of name: String = "tank",
      sourceLocation: SourceLocation = #_sourceLocation, where condition: (LineReading) -> Bool
    ) async throws -> LineReading {
      let before = try bench.records(name).count
      return try await eventually(what, within: .seconds(30), sourceLocation: sourceLocation) {
        // The one before may have been taken before the bus changed.
        try bench.records(name).dropFirst(before).map { try LineReading(json: $0.payload) }.first(where: condition)
      }
    }

    @Test("plugged in it is read at once, and unplugged it is bad at once, whatever its interval")
    func hotPlug() async throws {
      try await withWorkbench { bench in
        try agent(bench, interval: "1h")
        try await until("it is missing") { try bench.records("tank").count == 1 }
        #expect(try LineReading(json: #require(bench.records("tank").first).payload).isBad)
        try Bus.set("present", 1)
        let found = try await reading(bench, "a temperature") { $0.total != nil }
        #expect(found.total == 21 && found.unit == "°C" && found.quality == nil)
        try Bus.set("present", 0)
        let gone = try await reading(bench, "it is gone") { $0.isBad }
        #expect(gone.error?.contains(Bus.id) == true, "\(gone.error ?? "")")
      }
    }

    @Test("a bus that is shorted to ground is no 0 °C, and zero degrees are some")
    func shorted() async throws {
      try await withWorkbench { bench in
        try Bus.set("temperature", 0)
        try Bus.set("present", 1)
        try agent(bench, interval: "1s")
        _ = try await reading(bench, "zero degrees") { $0.total == 0 && $0.quality == nil }
        try Bus.set("shorted", 1)
        let bad = try await reading(bench, "bad quality") { $0.isBad }
        #expect(bad.error?.contains("short circuit") == true, "\(bad.error ?? "")")
        #expect(try bench.readings("tank").last?.isBad == true)
        try Bus.set("shorted", 0)
        _ = try await reading(bench, "zero degrees again") { $0.total == 0 && $0.quality == nil }
      }
    }

    @Test("a wrong checksum is no temperature")
    func checksum() async throws {
      try await withWorkbench { bench in
        try Bus.set("present", 1)
        try agent(bench, interval: "1s")
        _ = try await reading(bench, "21 °C") { $0.total == 21 }
        try Bus.set("wrong", 1_000_000)
        let bad = try await reading(bench, "bad quality") { $0.isBad }
        #expect(bad.value == nil)
        try Bus.set("wrong", 0)
        _ = try await reading(bench, "21 °C again") { $0.total == 21 && $0.quality == nil }
      }
    }

    @Test("85 °C after power-up is in doubt")
    func powerUp() async throws {
      try await withWorkbench { bench in
        try Bus.set("unconverted", 1)
        try Bus.set("present", 1)
        try agent(bench, interval: "1s")
        let doubtful = try await reading(bench, "85 °C") { $0.total == 85 }
        #expect(doubtful.quality == "uncertain" && doubtful.error?.contains("power-up") == true)
        try Bus.set("unconverted", 0)
        _ = try await reading(bench, "21 °C") { $0.total == 21 && $0.quality == nil }
      }
    }

    @Test("a DS2438 beside a thermometer: temperature and voltages as they are, and no zeros of a shorted bus")
    func batteryMonitor() async throws {
      try await withWorkbench { bench in
        bench.scene.atEnd { Bus.reset() }
        try Bus.set("temperature", -10 * 16 - 8)
        try Bus.set("present", 1 << 20 | 1)
        let attributes = ["temperature", "vad", "vdd", "iad"]
        var settings = bench.settings([])
        settings.sensors =
          ["{name: tank, type: w1, id: \(Bus.id), interval: 1s}"]
          + attributes.map { "{name: \($0), type: w1, id: \(Bus.monitor), attribute: \($0), interval: 1s}" }
        _ = try bench.agent(settings)
        let first: [(String, Double, String?)] = [
          ("tank", -10.5, "°C"), ("temperature", -10.5, "°C"), ("vad", 1.23, "V"), ("vdd", 4.87, "V"),
          ("iad", -37, nil),
        ]
        for (name, value, unit) in first {
          let found = try await reading(bench, "\(value)", of: name) { $0.total == value }
          #expect(found.unit == unit && found.quality == nil, "\(name): \(found)")
        }
        // Zero volts and no current are some.
        try Bus.set("vad", 0)
        try Bus.set("current_sense", 0)
        for name in ["vad", "iad"] { _ = try await reading(bench, "zero", of: name) { $0.total == 0 } }
        try Bus.set("wrong", 1_000_000)
        for name in attributes { _ = try await reading(bench, "a wrong checksum", of: name) { $0.isBad } }
        try Bus.set("wrong", 0)
        for name in attributes { _ = try await reading(bench, "a good reading", of: name) { $0.quality == nil } }
        try Bus.set("shorted", 1)
        for name in attributes {
          let bad = try await reading(bench, "bad quality", of: name) { $0.isBad }
          #expect(bad.error?.contains("short circuit") == true, "\(name): \(bad.error ?? "")")
          #expect(try bench.readings(name).last?.isBad == true)
        }
        try Bus.set("shorted", 0)
        _ = try await reading(bench, "4.87 V again", of: "vdd") { $0.total == 4.87 && $0.quality == nil }
      }
    }

    @Test("a DS2438 that is plugged in is read at once, and one that is gone is bad at its next interval")
    func monitorComesAndGoes() async throws {
      try await withWorkbench { bench in
        bench.scene.atEnd { Bus.reset() }
        var settings = bench.settings([])
        settings.sensors = [
          "{name: once, type: w1, id: \(Bus.monitor), attribute: vdd, interval: 1h}",
          "{name: often, type: w1, id: \(Bus.monitor), attribute: vdd, interval: 1s}",
        ]
        _ = try bench.agent(settings)
        try await until("it is missing") { try bench.records("once").count == 1 }
        try Bus.set("present", 1 << 20)
        for name in ["once", "often"] { _ = try await reading(bench, "a voltage", of: name) { $0.total == 4.87 } }
        try Bus.set("present", 0)
        let gone = try await reading(bench, "it is gone", of: "often") { $0.isBad && $0.error?.contains("no") == true }
        #expect(gone.error?.contains(Bus.monitor) == true, "\(gone.error ?? "")")
      }
    }

    @Test("four thermometers convert together, and do again after all of them were gone")
    func bulk() async throws {
      try await withWorkbench { bench in
        bench.scene.atEnd { Bus.reset() }
        let names = (0..<4).map { "w\($0)" }
        try Bus.set("present", 0xF)
        var settings = bench.settings([])
        settings.sensors = names.indices.map { number in
          "{name: w\(number), type: w1, id: \(Bus.id(of: number)), interval: 2s}"
        }
        _ = try bench.agent(settings)
        for (temperature, isPlugged) in [(21, true), (22, false), (23, true)] {
          try Bus.set("temperature", temperature * 16)
          try Bus.set("present", isPlugged ? 0xF : 0)
          for name in names {
            _ = try await reading(bench, isPlugged ? "\(temperature) °C" : "it is gone", of: name) {
              isPlugged ? $0.total == Double(temperature) && $0.quality == nil : $0.isBad
            }
          }
          guard isPlugged else { continue }
          // In five rounds each would have converted five times by itself.
          let (conversions, counts) = (try Bus.conversions, try names.map { try bench.records($0).count })
          try await until("five rounds", within: .seconds(40)) {
            try zip(names, counts).allSatisfy { try bench.records($0).count >= $1 + 5 }
          }
          let readings = try zip(names, counts).map { try bench.records($0).count - $1 }.reduce(0, +)
          let converted = try Bus.conversions - conversions
          #expect(converted >= 4 && converted * 2 <= readings, "\(converted) conversions for \(readings) readings")
        }
      }
    }

    @Test(
      "20 probes at 10 s of which one hangs: the others arrive, and the rounds that were missed are counted",
      .enabled(if: Selection.isWhole))
    func many() async throws {
      try await withWorkbench { bench in
        bench.scene.atEnd { Bus.reset() }
        try Bus.set("present", 0xFFFFF)
        try Bus.set("stall", 25_000)
        var settings = bench.settings([])
        settings.sensors = (0..<20).map { number in
          "{name: w\(number), type: w1, id: \(Bus.id(of: number)), interval: 10s, timeout: 10s}"
        }
        settings.lines = ["health: {interval: 1s}"]
        _ = try bench.agent(settings)
        try await until("all but the first have arrived", within: .seconds(120)) {
          try (1..<20).allSatisfy { number in
            try bench.records("w\(number)").contains { try LineReading(json: $0.payload).total == 21 }
          }
        }
        #expect(try LineReading(json: #require(bench.records("w0").first).payload).isBad)
        try await until("rounds were missed", within: .seconds(60)) {
          guard let health = try bench.records("health").last else { return false }
          let figures = try JSONSerialization.jsonObject(with: Data(health.payload.utf8)) as? [String: Any]
          return (figures?["skipped_rounds"] as? Int ?? 0) > 0
        }
      }
    }
  }
}
