import MQTT
import TestScene
import Testing

/// Request and response (MQTT 5.0 §4.10).
@Suite("Requests of MQTTClient", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct RequestTests {
  @Test("requests are answered by their correlation data, over one subscription, on mosquitto")
  func answers() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      try await MQTTClient.withClient(try settings(broker, "server")) { server in
        let requests = try await server.subscribe(to: "double")
        async let served: Void = {
          for try await request in requests {
            try await server.respond(to: request, with: "\((Int(request.text) ?? 0) * 2)")
          }
        }()
        try await MQTTClient.withClient(try settings(broker, "client")) { client in
          let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for number in 1...20 {
              group.addTask { (number, try await client.request("\(number)", to: "double").text) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
          }
          #expect(answers == Dictionary(uniqueKeysWithValues: (1...20).map { ($0, "\($0 * 2)") }))
          #expect(broker.count("Received SUBSCRIBE from client") == 1)
        }
        try await server.unsubscribe(requests)
        try await served
      }
    }
  }

  @Test("a request that nobody answers ends in time, and a late answer is nobody's")
  func timesOut() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: FakeBroker.obliging)
      try await MQTTClient.withClient(settings(broker)) { client in
        await #expect {
          try await client.request("1", to: "t", within: .milliseconds(50))
        } throws: {
          if case .timedOut? = $0 as? RequestError { true } else { false }
        }
        let connection = try await broker.connection(1)
        let request = try await connection.arrival("the request") { $0.type == .publish }
        guard case .publish(let publish) = request.packet else { return }
        let properties = publish.message.properties
        #expect(properties.responseTopic == "responses/a")
        var answer = Message(topic: "responses/a", text: "late", qos: .atMostOnce)
        answer.properties.correlationData = properties.correlationData
        connection.send(.publish(Publish(answer)))
        try await until("it has come") { await client.counts.unrouted == 1 }
      }
    }
  }

  @Test("on 3.1.1 there are no requests")
  func old() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: FakeBroker.obliging)
      var configuration = settings(broker)
      configuration.connection.version = .v311
      try await MQTTClient.withClient(configuration) { client in
        await #expect {
          try await client.request("1", to: "t")
        } throws: {
          if case .notSupported? = $0 as? RequestError { true } else { false }
        }
      }
    }
  }

  @Test("who waits for a response is told when the client ends, or the task is cancelled")
  func ends() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: FakeBroker.obliging)
      let client = MQTTClient(settings(broker))
      let run = Task { try await client.run() }
      let cancelled = Task { try await client.request("1", to: "t") }
      let waiting = Task { try await client.request("2", to: "t") }
      try await broker.connection(1).arrival("both") {
        if case .publish(let p) = $0 { p.message.text == "2" } else { false }
      }
      cancelled.cancel()
      guard case .failure(let error) = await cancelled.result, case .cancelled? = error as? RequestError else {
        Issue.record("not cancelled")
        return
      }
      await client.abort()
      guard case .failure(let end) = await waiting.result, case .closed? = end as? RequestError else {
        Issue.record("not closed")
        return
      }
      _ = await run.result
    }
  }
}
