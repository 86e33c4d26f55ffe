import Foundation
import TestScene
import Testing

extension Alone {
  /// The kernel's lm90, on the stub bus and with its alerts (VM/smbus_bench.c): it announces what changes of its alarms
  /// when the chip pulls the wire, and looks every second afterwards, until they are over.
  @Suite("Sensors: alarms that the kernel announces") struct AlarmTests {
    @Test("each alarm is told within 100 ms, its end when the kernel has seen it, and none is missed")
    func alarms() async throws {
      try await withWorkbench { bench in
        let chip = try StubBus().alarmingThermometer(0x4C)
        try chip.set(isTooHot: false)
        try chip.plug()
        bench.scene.atEnd { try? chip.unplug() }
        var settings = bench.settings([])
        settings.sensors = [
          "{name: hot, type: hwmon, chip: adm1032, attribute: temp1_max_alarm, interval: 1h}",
          "{name: cold, type: hwmon, chip: adm1032, attribute: temp1_min_alarm, interval: 1h}",
        ]
        let agent = try bench.agent(settings)
        #expect(try await bench.reading("hot").level == false)
        #expect(try await bench.reading("cold").level == false)
        try await until("the attributes are waited for") { Self.isWaiting(agent.process.pid) }
        var delays: [Double] = []
        for round in 1...6 {
          try chip.set(isTooHot: true)
          let began = wallTime()
          try chip.alert()
          try await bench.level("hot", true)
          delays.append(try #require(bench.records("hot").last).received - began)
          try chip.set(isTooHot: false)
          let ended = wallTime()
          try await bench.level("hot", false)
          let end = try #require(bench.records("hot").last).received - ended
          // The driver looks after a second, by the kernel's timer wheel.
          #expect(end < 1.25, "round \(round): \(end) s")
        }
        #expect(delays.allSatisfy { $0 < 0.1 }, "\(delays)")
        let levels = try bench.readings("hot").compactMap(\.level)
        let changes = levels.indices.filter { $0 == 0 || levels[$0] != levels[$0 - 1] }.map { levels[$0] }
        #expect(changes == (0...12).map { $0 % 2 == 1 }, "\(levels)")
        // Nothing was announced of the other.
        #expect(try bench.readings("cold").count == 1)
      }
    }

    /// Its thread is in poll(2).
    private static func isWaiting(_ process: pid_t) -> Bool {
      let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
      return tasks.contains { task in
        (try? SimulatedChip.read("/proc/\(process)/task/\(task)/comm")) == "limpet-alarms"
          && (try? SimulatedChip.read("/proc/\(process)/task/\(task)/wchan"))?.contains("poll") == true
      }
    }
  }
}
