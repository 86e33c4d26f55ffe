import Foundation
import LimpetInstants
import MQTT
import NIOCore
import TestScene
import Testing

@Suite("limpet probe, after CONNACK", .showsLogs, .timed)
struct ProbeStepsTests {
  private func probe(_ scene: Scene, _ settings: Settings, _ arguments: String...) async throws -> Scene.Outcome {
    let file = try scene.write(settings.text, to: "probe.yaml")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    let child = try await scene.run(
      "probe\(scene.nextCommand())", [Scene.program, "probe", "--config", file] + arguments, within: .seconds(40))
    return Scene.Outcome(ending: try #require(child.ending), output: child.outputLines, errors: child.errorLines)
  }

  @Test("all is well: every step is told, and nothing stays on the broker", arguments: Way.allCases)
  func well(_ way: Way) async throws {
    try await withScene { scene in
      let certificates = way.isTLS ? try await scene.certificates() : nil
      let broker = try await scene.mosquitto(tls: certificates)
      let subscriber = try await scene.subscriber(to: broker)
      let outcome = try await probe(scene, scene.settings(broker, way, certificates))
      #expect(outcome.ending == .exited(0))
      #expect(outcome.errors == [])
      var lines = outcome.output[...]
      func next() -> String { lines.popFirst() ?? "nothing" }
      #expect(next() == "reason code: 0, session present: false")
      if way == .unix5 {
        #expect(next() == "ok: connected to \(broker.url(way))")
      } else {
        if way.isTLS { #expect(next().hasPrefix("ok: DNS: localhost is ")) }
        #expect(next().hasPrefix("ok: TCP: connected to "))
      }
      if way.isTLS {
        // Made for two days.
        let line = next()
        #expect(
          line.hasPrefix("warning: TLS: TLS 1.3, the server's certificate for localhost, 127.0.0.1 is valid until "))
        #expect(line.hasSuffix(" from now; renew it"))
      }
      #expect(next() == "ok: CONNECT: MQTT \(way.version), keepalive 30 s")
      #expect(next() == "ok: may publish to limpet/board/status (status and will)")
      #expect(next() == "ok: may publish to limpet/board/load")
      #expect(next() == "ok: retained messages are kept")
      let will = next()
      #expect(
        will.hasPrefix(
          "ok: the broker publishes the will ") && will.hasSuffix(" ms after a connection is cut off"))
      #expect(lines.isEmpty)
      #expect(try await scene.retained(by: broker).isEmpty)
      #expect(subscriber.records(of: "limpet/board/status").map(\.payload) == ["offline"], "which is true")
    }
  }

  @Test("the device's status stays as it is: what is kept there is repeated, unretained, user properties and all")
  func statusStays() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let settings = scene.settings(broker)
      let agent = try scene.agent(settings)
      let before = try await eventually("the birth is kept") {
        try await scene.retained(by: broker)["limpet/board/presence"]
      }
      try await agent.end()
      let kept = try #require(try await scene.retained(by: broker)["limpet/board/status"])
      let subscriber = try await scene.subscriber(to: broker)
      let outcome = try await probe(scene, settings)
      #expect(outcome.ending == .exited(0))
      let said = try await subscriber.record(of: "limpet/board/status", "what the probe says") { !$0.isRetained }
      #expect(said.payload == "offline" && said.userProperties == kept.userProperties)
      let after = try #require(try await scene.retained(by: broker)["limpet/board/status"])
      #expect(after.payload == kept.payload && after.userProperties == kept.userProperties)
      #expect(before.isRetained)
    }
  }

  @Test("--client-id stands beside a daemon that runs: its status is left alone, and its connection too")
  func besideDaemon() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let settings = scene.settings(broker)
      let subscriber = try await scene.subscriber(to: broker)
      _ = try scene.agent(settings)
      try await subscriber.status("online")
      let outcome = try await probe(scene, settings, "--client-id", "beside")
      #expect(outcome.ending == .exited(0))
      #expect(
        outcome.output.contains(
          "skipped: the right to publish to limpet/board/status: limpet tries that under the device's own client id only"
        ))
      #expect(outcome.output.last?.hasPrefix("ok: the broker publishes the will ") == true)
      #expect(subscriber.news(of: "limpet/board/status").map(\.payload) == ["online"])
      #expect(broker.count(" as board (") == 1, "it was not taken over")
      // As in "Will message specified (14 bytes) (r0, q1)."
      #expect(broker.count("Will message specified (14 bytes)") == 1)

    }
  }

  @Test(
    "the right to commands is that to the agent's own filter, and to hear its own word there", arguments: [true, false])
  func fence(mayWrite: Bool) async throws {
    try await withScene { scene in
      let rights = try scene.write(
        """
        topic readwrite limpet/board/status
        topic readwrite limpet/board/probe
        topic readwrite limpet/board/lamp
        topic \(mayWrite ? "readwrite" : "read") limpet/board/+/set

        """, to: "acl")
      let broker = try await scene.mosquitto(lines: ["acl_file \(rights)"])
      var settings = scene.settings(broker)
      settings.sensors = []
      settings.lines = ["outputs:", "  - {name: lamp, type: led, led: lamp}"]
      let outcome = try await probe(scene, settings)
      #expect(broker.log.contains { $0.contains("limpet/board/+/set (QoS") })
      #expect(outcome.output.contains("ok: may subscribe to limpet/board/+/set"))
      #expect(outcome.ending == .exited(mayWrite ? 0 : 1), "\(outcome.output)")
      let failures = outcome.output.filter { $0.hasPrefix("failed: ") }
      if mayWrite {
        #expect(failures == [])
      } else {
        #expect(failures.count == 1 && failures[0].contains("own message on limpet/board/fence/set"), "\(failures)")
      }
    }
  }

  @Test("no right to the status topic: one sentence, exit 1", arguments: [Way.tcp5, .tcp311])
  func noRight(_ way: Way) async throws {
    try await withScene { scene in
      let rights = try scene.write("topic readwrite limpet/board/probe\ntopic read limpet/board/status\n", to: "acl")
      let broker = try await scene.mosquitto(lines: ["acl_file \(rights)"])
      let outcome = try await probe(scene, scene.settings(broker, way))
      #expect(outcome.ending == .exited(1))
      #expect(outcome.output.first == "reason code: 0, session present: false")
      let sentence =
        way.version == "5"
        ? "no right to publish to limpet/board/status (status and will): 0x87 not authorized"
        : "no right to publish to limpet/board/status (status and will), or to subscribe to it: the broker acknowledged "
          + "a message and did not pass it on"
      #expect(outcome.output.contains("failed: \(sentence)"))
      #expect(outcome.errors == ["limpet probe: \(sentence)"])
      #expect(
        outcome.output.last?.hasPrefix(
          "ok: the broker publishes the will ") == true, "the rest is told all the same")
    }
  }

  @Test("a device that may only write does without self-healing; a broker without room for the probe is no failure")
  func writeOnly() async throws {
    try await withScene { scene in
      let rights = try scene.write("topic write limpet/board/status\ntopic write limpet/board/load\n", to: "acl")
      let broker = try await scene.mosquitto(lines: ["acl_file \(rights)"])
      let outcome = try await probe(scene, scene.settings(broker))
      #expect(outcome.ending == .exited(0))
      #expect(
        outcome.output.contains(
          "warning: may publish to limpet/board/status (status and will), but not subscribe to it (the broker does "
            + "not return what the device publishes there): the device could not correct a wrong status"))
      #expect(
        outcome.output.last
          == "skipped: retained messages and the will: no right to publish to limpet/board/probe: 0x87 not authorized")
    }
  }

  @Test(
    "no right to a topic of another program, whose entity is to be carried on: it is named",
    arguments: [Way.tcp5, .tcp311])
  func noRightToHandOver(_ way: Way) async throws {
    try await withScene { scene in
      let own =
        "topic readwrite limpet/#\ntopic readwrite homeassistant/device/+/config\ntopic read homeassistant/status\n"
      let rights = try scene.write(own, to: "acl")
      let broker = try await scene.mosquitto(lines: ["acl_file \(rights)"])
      var settings = scene.settings(broker, way)
      settings.lines = ["homeassistant: {enabled: true}"]
      settings.sensors = [
        "{name: load, type: system, value: load1, "
          + "homeassistant: {unique_id: x, migrate_from: homeassistant/sensor/pi/load/config}}"
      ]
      let outcome = try await probe(scene, settings)
      #expect(outcome.ending == .exited(1))
      let sentence = "no right to publish to homeassistant/sensor/pi/load/config (migrate_from)"
      let reason =
        way.version == "5"
        ? ": 0x87 not authorized"
        : ", or to subscribe to it: the broker acknowledged a message and did not pass it on"
      #expect(outcome.errors.contains { $0.hasPrefix("limpet probe: \(sentence)\(reason)") }, "\(outcome.errors)")
      #expect(
        !outcome.output.contains { $0.hasPrefix("failed: ") && !$0.contains("migrate_from") }, "\(outcome.output)")

      let more = try scene.write(own + "topic readwrite homeassistant/+/pi/+/config\n", to: "acl-more")
      let other = try await scene.mosquitto("other", lines: ["acl_file \(more)"])
      settings.url = scene.settings(other, way).url
      #expect(try await probe(scene, settings).ending == .exited(0))
    }
  }

  @Test("a broker that keeps nothing, or says nothing of a lost connection: exit 1")
  func poorBrokers() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(lines: ["retain_available false"])
      let outcome = try await probe(scene, scene.settings(broker))
      #expect(outcome.ending == .exited(1))
      #expect(
        outcome.errors == [
          "limpet probe: retained messages: the broker says that it keeps none; a later subscriber does not see the status"
        ])

      let silent = try await scene.fakeBroker { packet, connection in
        guard case .publish = packet else { return FakeBroker.obliging(packet, connection) }
      }
      let unanswered = try await probe(scene, scene.settings(port: silent.port))
      #expect(unanswered.ending == .exited(1))
      #expect(
        unanswered.errors == [
          "limpet probe: cannot publish to limpet/board/status (status and will): the broker did not acknowledge it"
        ])
    }
  }

  @Test("a broker that ends the connection where a device may not read: the subscription is named, not the message")
  func closesOnSubscribe() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .subscribe(let subscribe) = packet,
          subscribe.subscriptions.contains(where: { "\($0.filter)" == "limpet/board/load" })
        else { return FakeBroker.obliging(packet, connection) }
        connection.close()
      }
      let outcome = try await probe(scene, scene.settings(port: broker.port))
      #expect(outcome.ending == .exited(1))
      #expect(
        outcome.errors.first?.hasPrefix(
          "limpet probe: cannot see whether it may publish to limpet/board/load (reading load): the broker ended the "
            + "connection after a subscription to it: ") == true, "\(outcome.errors)")
      #expect(!outcome.output.contains { $0.contains("after a message to") })
    }
  }
}
