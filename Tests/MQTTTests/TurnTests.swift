import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Messages that end the turn of the event loop in which they are published.
@Suite("Turns", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct TurnTests {
  @Test("a message that ends its turn is sent, and so is what comes after it", arguments: QoS.allCases)
  func ends(qos: QoS) async throws {
    try await run { client, witness in
      try await client.publish(.numbered(1, qos), token: 1, endsTurn: true)
      try await client.publish(.numbered(2, qos), token: 2)
      try await client.publish(.numbered(3, qos), token: 3, endsTurn: true)
      try await until("all are settled") { witness.settled.count == 3 }
      return [1, 2, 3]
    }
  }

  @Test("one that finds no room says so, and what comes after it is sent")
  func findsNoRoom() async throws {
    // The other place is the presence's. No answer brings a turn.
    try await run(inFlightLimit: 2, isAnswered: false) { client, _ in
      try await client.publishTooMany()
      return [1, 3]
    }
  }

  /// - Parameter body: returns the messages that the server is to have seen.
  private func run(
    inFlightLimit: Int = 100, isAnswered: Bool = true, _ body: (Client, Witness) async throws -> [UInt64]
  ) async throws {
    var abuse = Abuse()
    abuse.inFlightLimit = inFlightLimit
    try await abuse.run { visit, occurrence in
      guard case .packet(let packet) = occurrence, let answer = AbusiveServer.Visit.answer(to: packet) else { return }
      if isAnswered || packet.type == .connect { visit.send(answer) }
    } _: { server, client, witness in
      try await witness.connections(1)
      let expected = try await body(client, witness)
      let visit = try await server.visit(1)
      try await until("the server has seen them") { visit.count(.publish) >= expected.count }
      let numbers = visit.packets.compactMap { packet in
        if case .publish(let publish) = packet { publish.message.number } else { nil }
      }
      #expect(numbers == expected)
    }
  }
}

extension Client {
  /// Before the server can answer the first.
  fileprivate func publishTooMany() throws {
    try publish(.numbered(1, .atLeastOnce), token: 1, endsTurn: true)
    #expect(throws: Session.Rejection.noRoom) {
      try publish(.numbered(2, .atLeastOnce), token: 2, endsTurn: true)
    }
    try publish(.numbered(3, .atMostOnce), token: 3)
  }
}
