import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Resets and closes.
extension AbuseTests {
  @Test(
    """
    a reset after each byte of CONNECT that was read, and of CONNACK that was written: each is a loss, nothing stays \
    behind, and a message published meanwhile is acknowledged once
    """,
    arguments: ProtocolVersion.allCases)
  func resets(version: MQTTCore.ProtocolVersion) async throws {
    var abuse = Abuse(version)
    abuse.serverReadSize = 1
    let connect = encode(.connect(abuse.connect), version).count
    let agreement = encode(.connack(ConnAck(sessionPresent: false, reasonCode: .success)), version)
    let rounds = connect + 1 + agreement.count
    try await abuse.withServer { visit, occurrence in
      let read = visit.number - 1
      switch occurrence {
      case .opened where read == 0: visit.reset()
      case .bytes(let count) where count == read && read <= connect: visit.reset()
      case .packet(.connect) where read > connect && visit.number <= rounds:
        visit.send(Array(agreement.prefix(read - connect)))
        visit.reset()
      case .packet(let packet) where visit.number > rounds: visit.oblige(packet)
      default: break
      }
    } _: { server in
      var configuration = MQTTClient.Configuration(servers: [], clientIdentifier: "")
      configuration.connection = abuse.configuration(port: server.port)
      let packet = abuse.connect
      configuration.makeConnect = { _, _ in packet }
      configuration.eventBufferLimit = 1000
      try await withRunning(configuration, server) { client in
        let events = client.events.makeAsyncIterator()
        let losses = Task {
          var (events, losses) = (events, 0)
          while let event = await events.next() {
            if case .lost = event { losses += 1 }
          }
          return losses
        }
        let result = try await client.publish(.numbered(1, .atLeastOnce))
        #expect(result.isAcknowledged)
        #expect(server.visits.count == rounds + 1)
        #expect(server.visits[rounds].publishes.map(\.message.number) == [1])
        #expect(server.visits.prefix(rounds).allSatisfy { $0.packets.count <= 1 })
        #expect(await client.counts.underWay == 0)
        #expect(try sockets(to: server.port).filter { $0 != 6 }.count == 1, "nothing but the last connection")
        await client.abort()
        #expect(await losses.value == rounds)
      }
      try await until("nothing is left") { try sockets(to: server.port).allSatisfy { $0 == 6 } }
    }
  }

  @Test(
    "a server that closes right after each kind of packet: what was under way is completed on the next connection, once",
    arguments: ProtocolVersion.allCases,
    [PacketType.connect, .subscribe, .publish, .puback, .pubrec, .pubrel, .pubcomp, .pingreq])
  func closes(version: MQTTCore.ProtocolVersion, type: PacketType) async throws {
    var abuse = Abuse(version)
    abuse.keepAlive = type == .pingreq ? 2 : 0
    let hasClosed = Mutex(false)
    let hasSession = Mutex(false)
    try await abuse.run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      if packet.type == type,
        hasClosed.withLock({ wasClosed in
          !wasClosed
            && {
              wasClosed = true
              return true
            }()
        })
      {
        return visit.close()
      }
      let sessionPresent = hasSession.withLock { hasSession in
        defer { if case .connect = packet { hasSession = true } }
        return hasSession
      }
      visit.oblige(packet, sessionPresent: sessionPresent)
      if case .subscribe = packet { visit.send(.numbered(1, .atLeastOnce, 1), .numbered(2, .exactlyOnce, 2)) }
    } _: { server, client, witness in
      var connections = 0
      var unsent: [(UInt64, QoS)] = [(10, .atLeastOnce), (11, .exactlyOnce)]
      try await until("everything is done", within: patience) {
        if witness.connected.count > connections, await client.isConnected {
          connections = witness.connected.count
          // A request ends with its connection; messages do not.
          if witness.answered.isEmpty { try? await client.subscribe([Subscription("t")], token: 100) }
        }
        // Each is taken once, unless the connection has just gone.
        while let (number, qos) = unsent.first, (try? await client.publish(number...number, qos)) != nil {
          unsent.removeFirst()
        }
        return witness.outcomes(10) == [.delivered] && witness.outcomes(11) == [.delivered]
          && !witness.answered.isEmpty && hasClosed.withLock(\.self)
      }
      try await witness.connections(type == .connect ? 1 : 2)
      #expect(witness.losses.count == 1)
      #expect(server.visits.count == 2)
      #expect(Set(witness.settled.map(\.token).filter { $0 < 100 }) == [10, 11])
      #expect(witness.numbers.count { $0 == 2 } == 1, "QoS 2 is delivered once")
    }
  }

  @Test("a server that closes upon DISCONNECT, or not at all: the client ends", arguments: [true, false])
  func closesAfterDISCONNECT(closes: Bool) async throws {
    try await Abuse().run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      if case .disconnect = packet, !closes { return }
      visit.oblige(packet)
    } _: { server, client, witness in
      try await witness.connections(1)
      await client.disconnect(within: .seconds(30))
      guard case .session(.requested) = try await witness.loss() else {
        Issue.record("\(witness.losses)")
        return
      }
      let visit = try await server.visit(1)
      try await until("it is closed") { visit.isClosed }
      #expect(visit.packets.map(\.type) == [.connect, .disconnect])
      #expect(server.visits.count == 1)
    }
  }
}
