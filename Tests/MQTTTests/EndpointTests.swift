import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

@Suite("Preparing an endpoint", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct EndpointTests {
  struct Broken: Error, CustomStringConvertible {
    let description = "the signing key has expired"
  }

  @Test("is done anew before each attempt: path, host and headers are those it gives, the server stays what it was")
  func isDoneAnew() async throws {
    try await withScriptedServer(closes: true) { server in
      let configured = ServerAddress(transport: .webSocket, host: "broker.invalid", port: 1, path: "/mqtt")
      var configuration = Client.Configuration(servers: [configured])
      configuration.webSocketHeaders = [("X-Fixed", "1")]
      configuration.reconnect.minimum = .milliseconds(10)
      let calls = Mutex<[Client.Endpoint]>([])
      configuration.prepareEndpoint = { endpoint in
        var endpoint = endpoint
        let number = calls.withLock { calls in
          calls.append(endpoint)
          return calls.count
        }
        endpoint.address.host = "127.0.0.1"
        endpoint.address.port = server.port
        endpoint.address.path += "?signature=\(number)"
        endpoint.webSocketHeaders.append(("X-Signature", "s\(number)"))
        return endpoint
      }
      try await withLife(configuration) { _, life in
        try await until("two attempts") { life.losses.count >= 2 }
        for number in 1...2 {
          let request = String(decoding: server.visits[number - 1].received, as: UTF8.self)
          #expect(request.hasPrefix("GET /mqtt?signature=\(number) HTTP/1.1\r\n"))
          for line in ["Host: 127.0.0.1:\(server.port)", "X-Fixed: 1", "X-Signature: s\(number)"] {
            #expect(request.contains("\(line)\r\n"), "\(request)")
          }
        }
        #expect(life.connecting.allSatisfy { $0 == configured })
        #expect(calls.withLock(\.self).allSatisfy { $0.address == configured && $0.webSocketHeaders.count == 1 })
        let text = "\(life.losses[0].loss)"
        #expect(!text.contains("signature"), "\(text)")
      }
    }
  }

  @Test("a session is known by the server that was configured")
  func keepsTheServer() async throws {
    try await withWayBroker { broker in
      let configured = ServerAddress(transport: .tcp, host: "broker.invalid", port: 1)
      let real = broker.address(.tcp, host: "127.0.0.1")
      var configuration = Client.Configuration(servers: [configured])
      configuration.prepareEndpoint = { endpoint in
        var endpoint = endpoint
        endpoint.address = real
        return endpoint
      }
      try await withLife(configuration) { client, life in
        try await life.connection()
        #expect(life.connected == [configured])
        #expect(await client.owner?.server == configured.description)
      }
    }
  }

  @Test("an error of it is told in its words, and it is tried again")
  func fails() async throws {
    try await withWayBroker { broker in
      var configuration = Client.Configuration(servers: [broker.address(.tcp, host: "127.0.0.1")])
      configuration.reconnect.minimum = .milliseconds(10)
      let calls = Mutex(0)
      configuration.prepareEndpoint = { endpoint in
        if calls.withLock({ calls in
          calls += 1
          return calls
        }) < 3 {
          throw Broken()
        }
        return endpoint
      }
      let address = configuration.servers[0]
      try await withLife(configuration) { _, life in
        try await until("connected") { !life.connected.isEmpty }
        #expect(life.losses.count == 2)
        for (loss, delay) in life.losses {
          #expect("\(loss)" == "the endpoint of \(address) could not be prepared: the signing key has expired")
          #expect(delay != nil)
        }
      }
    }
  }
}
