import MQTTCore
import NIOPosix
import TestScene
import Testing

@testable import MQTT

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

  @Test("a probe looks up nothing while another look-up has not ended: attempts need their places")
  func probesTakeNoPlace() async throws {
    let hold = Gate()
    defer { hold.open() }
    var settings = Carrier.Settings()
    settings.lookUp = { _, _ in
      await hold.wait()
      return []
    }
    let preparation = Preparation(eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    let server = ServerAddress(transport: .tcp, host: "a", port: 1)
    let first = Task { [settings] in await preparation.isReachable(server, settings) }
    try await until("it looks up") { hold.arrivals == 1 }
    #expect(await preparation.isReachable(server, settings) == false)
    #expect(hold.arrivals == 1)
    hold.open()
    #expect(await first.value == false)
  }
}
