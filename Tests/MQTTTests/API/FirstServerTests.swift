import MQTT
import TestScene
import Testing

/// Several servers, carried out.
@Suite("MQTTClient with several servers", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct FirstServerTests {
  @Test("the first server is gone back to when it is there again, on mosquitto")
  func goesBack() async throws {
    try await withScene { scene in
      let first = try await scene.mosquitto("first")
      let second = try await scene.mosquitto("second")
      try await first.stop()
      var configuration = try settings(first)
      configuration.connection.servers.append(
        ServerAddress(transport: .tcp, host: "127.0.0.1", port: second.port))
      configuration.connection.prefersFirst = .seconds(1)
      try await MQTTClient.withClient(configuration) { client in
        try await client.publish("1", to: "t")
        #expect(second.count("Received PUBLISH from a") == 1)
        try await first.start()
        try await first.line("New client connected")
        try await second.line("Received DISCONNECT from a")
        try await client.publish("2", to: "t")
        #expect(first.count("Received PUBLISH from a") == 1)
      }
    }
  }
}
