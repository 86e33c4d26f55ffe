import Foundation
import LimpetInstants
import MQTT
import MQTTCore
import TestScene
import Testing

@Suite("A broker that misbehaves", .showsLogs, .timed)
struct BadBrokerTests {
  @Test(
    "bytes that are no MQTT: says so in one line, and tries again with a back-off",
    arguments: [
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "\0\0\0\0\0\0\0\0", "\u{20}\u{02}",
      "SSH-2.0-OpenSSH_9.2p1\r\n",
    ])
  func garbage(_ text: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        connection.send(Array(text.utf8))
        if text.utf8.count < 8 { connection.close() }
      }
      let agent = try scene.agent(scene.settings(port: broker.port, version: "5"))
      _ = try await broker.connection(4)
      #expect(agent.process.ending == nil)
      let lines = agent.log.filter { $0.contains("not connected: ") }
      #expect(lines.count >= 3)
      #expect(lines.allSatisfy { $0.contains("; next try in ") })
      if text.utf8.count > 8 {
        // Who speaks first in words is named.
        let text =
          text.hasPrefix("HTTP")
          ? " answers with HTTP, not MQTT"
          : text.hasPrefix("SSH") ? " answers with SSH, not MQTT" : "the broker broke the protocol: "
        #expect(lines.allSatisfy { $0.contains(text) }, "\(lines)")
      }
      #expect(broker.connections.prefix(3).allSatisfy { $0.packets.count == 1 }, "a CONNECT and nothing else")
    }
  }

  @Test("a broker that sends its clients to another one (0x9C) is left for that")
  func reference() async throws {
    try await withScene { scene in
      let other = try await scene.fakeBroker { packet, connection in FakeBroker.obliging(packet, connection) }
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet else { return }
        var properties = Properties()
        properties.serverReference = "127.0.0.1:\(other.port)"
        connection.send(
          .connack(ConnAck(sessionPresent: false, reasonCode: .useAnotherServer, properties: properties)))
        connection.close()
      }
      let agent = try scene.agent(scene.settings(port: broker.port, version: "5"))
      let second = try await other.connection(1)
      try await until("readings flow") { second.publishes("load").count > 3 }
      #expect(agent.log.contains { $0.contains("connected to mqtt://127.0.0.1:\(other.port)") })
    }
  }

  @Test("a CONNACK in the format of 3.1.1 that refuses the version: 3.1.1 is taken at once [behaviour 25]")
  func oldCONNACK() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet, connection.version == .v5 else { return FakeBroker.obliging(packet, connection) }
        connection.send([0x20, 0x02, 0x00, 0x01])
        connection.close()
      }
      var settings = scene.settings(port: broker.port)
      settings.broker = ["reconnect: {min: 1h, max: 1h}"]
      let agent = try scene.agent(settings)
      let second = try await broker.connection(2)
      try await agent.line("MQTT 3.1.1, session present: false")
      #expect(broker.connections[0].version == .v5 && second.version == .v311)
      #expect(second.connect?.cleanStart == false && second.connect?.will?.properties.isEmpty == true)
      try await until("readings flow") { second.publishes("load").count > 3 }
      // It is remembered.
      second.close()
    }
  }

  @Test("two closes without a word after a CONNECT of 5: 3.1.1 is taken, and remembered [behaviour 25]")
  func silentCloses() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet, connection.version == .v5 else { return FakeBroker.obliging(packet, connection) }
        connection.close()
      }
      let agent = try scene.agent(scene.settings(port: broker.port))
      let third = try await broker.connection(3)
      try await agent.line("MQTT 3.1.1, session present: false")
      #expect(broker.connections.prefix(3).map(\.version) == [.v5, .v5, .v311])
      third.close()
      let fourth = try await broker.connection(4)
      try await fourth.arrival("CONNECT") { if case .connect = $0 { true } else { false } }
      #expect(fourth.version == .v311)
    }
  }

  @Test("version: \"5\" never takes 3.1.1")
  func noFallback() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { _, connection in
        connection.send([0x20, 0x02, 0x00, 0x01])
        connection.close()
      }
      var settings = scene.settings(port: broker.port, version: "5")
      settings.broker = ["reconnect: {min: 50ms, max: 200ms}"]
      let agent = try scene.agent(settings)
      let third = try await broker.connection(3)
      try await third.arrival("CONNECT") { if case .connect = $0 { true } else { false } }
      #expect(broker.connections.allSatisfy { $0.version == .v5 })
      try await agent.line("0x84 unsupported protocol version")
    }
  }

  @Test(
    "CONNECT is never answered: an error within connect_timeout, and a back-off [behaviour 18]",
    arguments: ["5", "3.1.1"])
  func mute(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { _, _ in }
      var settings = scene.settings(port: broker.port, version: version)
      settings.broker = ["connect_timeout: 400ms", "reconnect: {min: 50ms, max: 200ms}"]
      let started = ContinuousClock.now
      let agent = try scene.agent(settings)
      let fourth = try await broker.connection(4)
      for connection in broker.connections.prefix(3) {
        let end = try await connection.end()
        #expect(end - started >= .milliseconds(400) * connection.number)
        #expect(end - connection.opened < .seconds(3) * Patience.factor)
        #expect(connection.packets.count == 1)
      }
      #expect(fourth.opened - started >= .milliseconds(3 * 400))
      let line = try await agent.line("not connected: ")
      #expect(line.contains("did not answer within") && line.contains("waiting for CONNACK"))
      #expect(agent.process.ending == nil)
    }
  }

  @Test(
    "a packet over the stated maximum: DISCONNECT 0x95 on 5, and a new connection [behaviour 62]",
    arguments: ["5", "3.1.1"])
  func tooLarge(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        FakeBroker.obliging(packet, connection)
        guard case .connect = packet, connection.number == 1 else { return }
        // PUBLISH with a remaining length of 1,048,576, of which the header alone is sent.
        connection.send([0x30, 0x80, 0x80, 0x40, 0x00, 0x01, 0x61, 0x00])
      }
      let agent = try scene.agent(scene.settings(port: broker.port, version: version))
      let first = try await broker.connection(1)
      try await first.end()
      #expect(first.connect?.properties.maximumPacketSize == (version == "5" ? 1_048_576 : nil))
      #expect(first.disconnect?.reasonCode == (version == "5" ? .packetTooLarge : nil))
      try await agent.line("1048576 are the most")
      let second = try await broker.connection(2)
      try await until("readings flow again") { second.publishes("load").count > 3 }
      let numbers = try (first.publishes("load") + second.publishes("load"))
        .map { try Reading(json: String(buffer: $0.message.payload)).seq }
      #expect(Set(numbers) == Set(1...(numbers.max() ?? 0)), "nothing is lost")
    }
  }

  @Test(
    "PINGREQ after a keepalive of silence; no answer within half of one: the connection is cut, and made again",
    arguments: ["5", "3.1.1"])
  func noPingresp(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .pingreq = packet, connection.number == 1 { return }
        FakeBroker.obliging(packet, connection)
      }
      var settings = scene.settings(port: broker.port, version: version)
      settings.broker.append("keepalive: 4s")
      settings.sensors = ["{name: once, type: system, value: load1, interval: 1h}"]
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      let ping = try await first.arrival("PINGREQ") { $0 == .pingreq }
      let last = try #require(first.arrivals.last { $0.packet != .pingreq })
      #expect(Duration.seen(.seconds(4)).contains(ping.time - last.time))
      let end = try await first.end()
      #expect(Duration.seen(.seconds(2)).contains(end - ping.time))
      #expect(first.disconnect == nil, "the broker shall publish the will")
      try await agent.line("connection lost: no answer to PINGREQ")
      // The next one answers, and is kept.
      let second = try await broker.connection(2)
      try await until("two PINGREQs were answered") { second.packets.count { $0 == .pingreq } >= 2 }
      #expect(second.closed == nil)
    }
  }

  @Test("a broker that stops reading and answering is found out within one and a half keepalives [behaviour 33]")
  func stopsReading() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        FakeBroker.obliging(packet, connection)
        if connection.number == 1, connection.publishes("load").count == 5 { connection.stopReading() }
      }
      var settings = scene.settings(port: broker.port)
      settings.broker.append("keepalive: 2s")
      let agent = try scene.agent(settings)
      let second = try await broker.connection(2)
      let last = try #require(
        broker.connections[0].arrivals.filter { if case .publish = $0.packet { true } else { false } }.dropFirst(6)
          .first)
      #expect(Duration.seen(.seconds(3)).contains(second.opened - last.time))
      try await agent.line("connection lost: no answer to PINGREQ")
      try await until("everything came") { second.publishes("load").count > 60 }
      let numbers = try (broker.connections[0].publishes("load") + second.publishes("load"))
        .map { try Reading(json: String(buffer: $0.message.payload)).seq }
      #expect(Set(numbers) == Set(1...(numbers.max() ?? 0)), "nothing is lost")
    }
  }

  @Test("refused credentials: says so, and waits long [behaviour 17]", arguments: ["5", "3.1.1"])
  func refused(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet else { return }
        connection.send(.connack(ConnAck(sessionPresent: false, reasonCode: .badUserNameOrPassword)))
        connection.close()
      }
      var settings = scene.settings(port: broker.port, version: version)
      settings.broker = ["reconnect: {min: 10ms, max: 4s}", "username: greenhouse", "password: swordfish"]
      let agent = try scene.agent(settings)
      try await agent.line("not connected: refused: 0x86 bad user name or password; check broker.username")
      let second = try await broker.connection(2)
      let wait = second.opened - broker.connections[0].opened
      #expect(Duration.seen(.seconds(2), to: .seconds(4)).contains(wait), "half of the longest back-off, or more")
      #expect(second.connect.map { String(buffer: $0.password ?? .init()) } ?? "swordfish" == "swordfish")
      #expect(!agent.says("swordfish"))
      #expect(agent.process.ending == nil)
    }
  }

  @Test("a broker that agrees and closes right after is not asked ever faster [behaviour 45]")
  func agreesAndCloses() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet else { return }
        FakeBroker.obliging(packet, connection)
        connection.close()
      }
      var settings = scene.settings(port: broker.port)
      settings.broker = ["reconnect: {min: 100ms, max: 1h}"]
      let agent = try scene.agent(settings)
      // Bounds of 0.1, 0.2, 0.4 … 3.2 s: ten rounds in the time are next to impossible.
      _ = try await broker.connection(4)
      try await until("5 s pass", within: .seconds(6)) {
        ContinuousClock.now - broker.connections[0].opened > .seconds(5)
      }
      #expect(broker.connections.count <= 15)
      #expect(agent.log.count { $0.contains("connection lost: ") } >= 3)
    }
  }

  @Test(
    "acknowledgements that never come: the window is kept, the order too, and a reconnect sends the same again",
    arguments: ["5", "3.1.1"])
  func neverAcknowledges(_ version: String) async throws {
    try await withScene { scene in
      let window = version == "5" ? 10 : 100
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet else {
          if connection.number > 1 { FakeBroker.obliging(packet, connection) }
          return
        }
        var connack = ConnAck(sessionPresent: connection.number > 1, reasonCode: .success)
        if version == "5" { connack.properties.receiveMaximum = 10 }
        connection.send(.connack(connack))
      }
      var settings = scene.settings(port: broker.port, version: version)
      settings.sensors = ["{name: load, type: system, value: load1, interval: 10ms}"]
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      // Two for the presence, one place that is kept for it, readings in the rest.
      try await until("the window is full") { first.publishes.count >= window - 1 }
      let before = first.publishes("load")
      // An answer makes room for one.
      let reading = try #require(before.first?.packetIdentifier)
      first.send(.puback(Acknowledgement(reading)))
      try await until("one more comes") { first.publishes("load").count == before.count + 1 }
      let identifiers = first.publishes("load").compactMap(\.packetIdentifier)
      #expect(Set(identifiers).count == identifiers.count)

      first.close()
      let second = try await broker.connection(2)
      let unacknowledged = Array(identifiers.dropFirst())
      try await until("they are sent again") { second.publishes("load").count >= unacknowledged.count + 20 }
      let again = second.publishes("load")
      #expect(first.publishes.count <= window, "no more came after the window was full")
      #expect(again.prefix(unacknowledged.count).map(\.packetIdentifier) == unacknowledged)
      #expect(again.prefix(unacknowledged.count).allSatisfy { $0.duplicate })
      #expect(again.dropFirst(unacknowledged.count).allSatisfy { !$0.duplicate })
      #expect(
        again.prefix(unacknowledged.count).map(\.message.payload)
          == first.publishes("load").dropFirst().map(\.message.payload), "a PUBLISH that was sent never changes")
      let numbers = try again.map { try Reading(json: String(buffer: $0.message.payload)).seq }
      #expect(numbers == Array(2..<2 + numbers.count))
      // What presence said on the old connection is not said again.
      let presence = second.publishes.filter { $0.message.retain }
      #expect(presence.count == 2 && presence.allSatisfy { !$0.duplicate })
      #expect(agent.process.ending == nil)
    }
  }

  @Test("PUBACK with a refusal: the broker's word is told once, and the others go on")
  func refusedReading() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .publish(let publish) = packet, publish.message.topic.description.hasSuffix("/bad"),
          let identifier = publish.packetIdentifier
        else { return FakeBroker.obliging(packet, connection) }
        connection.send(.puback(Acknowledgement(identifier, reasonCode: .notAuthorized)))
      }
      var settings = scene.settings(port: broker.port)
      settings.sensors.append("{name: bad, type: system, value: load1, interval: 100ms}")
      let agent = try scene.agent(settings)
      try await agent.line("the broker refuses limpet/board/bad: 0x87 not authorized")
      let first = try await broker.connection(1)
      try await until("the others go on") { first.publishes("load").count > 10 }
      #expect(first.closed == nil)
    }
  }

  @Test("a second server of the list is tried when the first is away")
  func servers() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker()
      var settings = scene.settings(port: broker.port)
      settings.url = "[\"mqtt://127.0.0.1:\(try freePort())\", \"mqtt://127.0.0.1:\(broker.port)\"]"
      let agent = try scene.agent(settings)
      try await agent.line("connected to mqtt://127.0.0.1:\(broker.port)")
      #expect(agent.log.count { $0.contains("not connected: ") } == 1)
    }
  }
}
