import MQTTCore
import Simulation
import TestScene
import Testing

@Suite struct BrokerModelTests {
  @Test("the model does what mosquitto 2.0.11 does, but for the differences that are named", arguments: Course.all)
  func mosquitto(course: Course) async throws {
    try await withScene { scene in
      var lines = course.lines
      if let acl = course.acl { lines.append("acl_file \(try scene.write(acl, to: "acl"))") }
      let ownPort = course.listenerLines.isEmpty ? nil : try freePort()
      if let ownPort { lines += ["listener \(ownPort) 127.0.0.1"] + course.listenerLines }
      let mosquitto = try await scene.mosquitto(isPersistent: course.isPersistent, lines: lines)
      var broker = SimulatedBroker(.mosquitto2011)
      try course.prepare(&broker)
      var model = ModelPlayer(broker)
      let player = SocketPlayer(port: ownPort ?? mosquitto.port) { signal in
        try await mosquitto.stop(signal)
        try await mosquitto.start()
      }
      for (number, step) in try course.steps().enumerated() {
        let expected = model.play(step)
        let real = try await player.play(step, expecting: expected.count)
        if let difference = course.differences[number] {
          #expect(real == difference.real, "step \(number): \(step), \(difference.reason)")
          #expect(real != expected, "step \(number) is no difference any more: \(difference.reason)")
        } else {
          #expect(real == expected, "step \(number): \(step)")
        }
      }
    }
  }
}
