import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Beside the others, since they do little but wait.
@Suite("Abuse by silence", .timed, .timeLimit(.minutes(3 * Patience.factor)))
struct SilenceTests {
  @Test(
    """
    a server that stops reading and answering is found within one and a half keepalives, however much is sent to it \
    [behaviour 28] [behaviour 33]
    """,
    arguments: [false, true])
  func silence(isPublishing: Bool) async throws {
    var abuse = Abuse()
    abuse.keepAlive = 2
    try await abuse.run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      visit.oblige(packet)
      if visit.number == 1 { visit.stopReading() }
    } _: { server, client, witness in
      try await witness.connections(1)
      try await until("it is lost", within: patience) {
        if isPublishing, witness.losses.isEmpty { try? await client.publish(.numbered(1, .atMostOnce), token: 1) }
        return !witness.losses.isEmpty
      }
      let (loss, time) = witness.losses[0]
      guard case .session(.keepAliveTimeout) = loss else {
        Issue.record("\(loss)")
        return
      }
      let silence = witness.connected[0].time.duration(to: time)
      #expect(Duration.seen(.seconds(3)).contains(silence))
      try await witness.connections(2)
    }
  }

  @Test("anything received is an answer to PINGREQ, and comes in time up to half an interval later [behaviour 29]")
  func otherAnswer() async throws {
    var abuse = Abuse()
    abuse.keepAlive = 2
    try await abuse.run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      if case .pingreq = packet { visit.send(.numbered(1, .atMostOnce, nil)) } else { visit.oblige(packet) }
    } _: { server, client, witness in
      try await until("two pings", within: patience) { witness.deliveries.count >= 2 }
      #expect(witness.losses.isEmpty)
      #expect(try await server.visit(1).count(.pingreq) >= 2)
    }
  }
}
