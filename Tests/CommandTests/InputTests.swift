import Foundation
import LimpetInstants
import TestScene
import Testing

@Suite("Inputs where there is no GPIO", .showsLogs, .timed)
struct InputTests {
  @Test("a board without GPIO: readings of bad quality that say so, and the rest goes on")
  func nothing() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      try board.thermalZone(0, type: "cpu-thermal", temperature: 40_000)
      var settings = scene.settings(broker)
      settings.inputs = ["{name: door, line: GPIO17}", "{name: water, line: 4, mode: counter, interval: 50ms}"]
      settings.sensors = ["{name: cpu, type: thermal, zone: cpu-thermal, interval: 50ms}"]
      let agent = try scene.agent(settings, board: board)
      for name in ["door", "water"] {
        let reading = try await subscriber.readings(name, atLeast: 1)[0]
        #expect(reading.value == nil)
        #expect(reading.quality == "bad")
        #expect(reading.error?.hasPrefix("there is no GPIO chip") == true)
      }
      // A counter says so at each interval, a state once.
      _ = try await subscriber.readings("water", atLeast: 5)
      _ = try await subscriber.readings("cpu", atLeast: 5)
      #expect(try subscriber.readings("door").count == 1)
      #expect(try await agent.end() == .exited(0))
    }
  }

  @Test("check says which line an input is, or why there is none, and is content")
  func check() async throws {
    try await withScene { scene in
      let file = try scene.write(
        "broker: {url: mqtt://localhost}\ninputs: [{name: door, line: GPIO17, pull: up, debounce: 20ms}]\n",
        to: "c.yaml")
      let outcome = try await scene.limpet("check", "--config", file, "--root", scene.folder)
      #expect(outcome.ending == .exited(0))
      #expect(
        outcome.output.contains {
          $0.contains("its level when that changes, pull up, debounced 20 ms; cannot be read now: there is no")
        })
    }
  }

  @Test("scan finds no lines there, and says so in each format")
  func scan() async throws {
    try await withScene { scene in
      for (option, expected) in [("--json", ",\"gpio\":[],\"undriven\":[]}"), ("--yaml", "found")] {
        let outcome = try await scene.limpet("scan", "--root", scene.folder, option)
        #expect(outcome.ending == .exited(0))
        #expect(outcome.output.last?.hasSuffix(expected) == true)
      }
      #expect(try await scene.limpet("scan", "--root", scene.folder).output.last == "no GPIO chips")
    }
  }
}
