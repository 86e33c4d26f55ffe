import LimpetInstants
import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// What is no MQTT, or not now.
extension AbuseTests {
  /// After CONNACK; what the server is told, and the end.
  struct Violation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let code: ReasonCode

    init(_ what: String, _ bytes: String, _ code: ReasonCode) {
      (testDescription, self.bytes, self.code) = (what, hex(bytes), code)
    }
  }

  /// The same in both versions.
  static let violations = [
    Violation("packet type 0", "00 00", .malformedPacket),
    Violation("flags that are reserved", "D1 00", .malformedPacket),
    Violation("QoS 3", "36 07 00 01 74 00 01 00 00", .malformedPacket),
    Violation("a remaining length of five bytes", "30 FF FF FF FF 01", .malformedPacket),
    Violation("a remaining length of 268,435,455", "30 FF FF FF 7F", .packetTooLarge),
    Violation("a CONNACK of 268,435,455 bytes", "20 FF FF FF 7F 00 00", .packetTooLarge),
    Violation("the identifier 0", "40 02 00 00", .protocolError),
    Violation("a topic that is longer than its packet", "30 04 00 09 74 00", .malformedPacket),
    Violation("a PUBLISH that goes on after a whole one", "30 04 00 01 74 00 36 00", .malformedPacket),
    Violation("PINGRESP with a body", "D0 01 00", .malformedPacket),
    Violation("SUBSCRIBE", "82 07 00 01 00 00 01 74 00", .protocolError),
    Violation("PINGREQ", "C0 00", .protocolError),
    Violation("CONNECT of 5", "10 10 00 04 4D 51 54 54 05 02 00 00 00 00 03 61 62 63", .protocolError),
    Violation("CONNECT of 3.1.1", "10 0F 00 04 4D 51 54 54 04 02 00 00 00 03 61 62 63", .protocolError),
  ]

  @Test(
    "what breaks the rules ends the connection, on 5 with its reason, and another one is made",
    arguments: ProtocolVersion.allCases, violations)
  func violates(version: MQTTCore.ProtocolVersion, violation: Violation) async throws {
    // 3.1.1 has neither properties nor options: there these two are other packets, and wrong as well.
    let isShorter = version == .v311 && violation.testDescription == "SUBSCRIBE"
    let bytes = isShorter ? hex("82 06 00 01 00 01 74 00") : violation.bytes
    try await isEnded(version, by: bytes, violation.code)
  }

  @Test("a second CONNACK is a protocol error [MQTT-3.2.0-2]", arguments: ProtocolVersion.allCases)
  func secondCONNACK(version: MQTTCore.ProtocolVersion) async throws {
    try await isEnded(
      version, by: encode(.connack(ConnAck(sessionPresent: false, reasonCode: .success)), version), .protocolError)
  }

  private func isEnded(_ version: MQTTCore.ProtocolVersion, by bytes: [UInt8], _ code: ReasonCode) async throws {
    try await Abuse(version).run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      visit.oblige(packet)
      if visit.number == 1, case .connect = packet { visit.send(bytes) }
    } _: { server, client, witness in
      #expect(try await witness.loss().violation == code)
      let visit = try await server.visit(1)
      try await until("it is closed", within: patience) { visit.isClosed }
      #expect(visit.disconnect == (version == .v5 ? Disconnect(reasonCode: code) : nil))
      try await witness.connections(2)
      try await works(client, witness)
      #expect(witness.losses.count == 1)
    }
  }

  @Test(
    "bytes before CONNECT end the attempt at once, whatever they are", arguments: ["00 00", "20 03 00 00 00", "D0"])
  func bytesBeforeCONNECT(bytes: String) async throws {
    let bytes = hex(bytes)
    var abuse = Abuse()
    let gate = Gate()
    defer { gate.open() }
    abuse.gate = gate
    try await abuse.run { visit, occurrence in
      if case .opened = occurrence, visit.number == 1 { visit.send(bytes) }
      if case .packet(let packet) = occurrence { visit.oblige(packet) }
    } _: { server, client, witness in
      #expect(try await witness.loss().violation == .protocolError)
      gate.open()
      try await witness.connections(1)
      #expect(witness.losses.count == 1)
      #expect(try await server.visit(1).packets.isEmpty)
      try await works(client, witness)
    }
  }

  @Test(
    "random bytes before CONNECT, before CONNACK, after it and within a packet: 300 of them, and the client still works",
    arguments: ProtocolVersion.allCases)
  func garbage(version: MQTTCore.ProtocolVersion) async throws {
    let rounds = 300
    try await Abuse(version).run { visit, occurrence in
      guard visit.number <= rounds else {
        if case .packet(let packet) = occurrence { visit.oblige(packet) }
        return
      }
      var generator = SeededGenerator(seed: UInt64(visit.number))
      let agreement = encode(.connack(ConnAck(sessionPresent: false, reasonCode: .success)), version)
      let garbage = Self.garbage(&generator)
      switch (visit.number % 5, occurrence) {
      case (0, .opened): visit.send(garbage)
      case (1, .packet(.connect)): visit.send(garbage)
      case (2, .packet(.connect)): visit.send(agreement + garbage)
      case (3, .packet(.connect)): visit.send(agreement + hex("32 20 00 01 74 00") + garbage)
      case (4, .packet(.connect)): visit.send(agreement + Self.bent(version, &generator))
      default: return
      }
      // What may yet become a packet would be waited for.
      visit.closeOutput()
    } _: { server, client, witness in
      try await until("all are through", within: patience) { witness.losses.count >= rounds }
      try await works(client, witness)
      #expect(witness.losses.count == rounds)
      var violations = 0
      for (visit, loss) in zip(server.visits, witness.losses.map(\.loss)) {
        try await until("visit \(visit.number) is closed") { visit.isClosed }
        switch loss {
        case .session(.violation(let error)):
          violations += 1
          // The first fifths were not connected, and have nothing to say.
          let isConnected = visit.number % 5 >= 2 && version == .v5
          #expect(visit.disconnect?.reasonCode == (isConnected ? error.reasonCode : nil), "\(visit.number): \(error)")
        case .closed, .session(.disconnectedByServer), .session(.refused), .session(.unknownSession): break
        default: Issue.record("\(visit.number): \(loss)")
        }
      }
      #expect(violations > rounds / 2)
    }
  }

  private static func garbage(_ generator: inout SeededGenerator) -> [UInt8] {
    (0..<Int.random(in: 1...200, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  /// A packet with one byte that is another.
  private static func bent(_ version: MQTTCore.ProtocolVersion, _ generator: inout SeededGenerator) -> [UInt8] {
    let packets: [Packet] = [
      .numbered(1, .exactlyOnce, 7), .suback(SubscriptionAcknowledgement(3, reasonCodes: [.success])),
      .puback(Acknowledgement(9, reasonCode: .noMatchingSubscribers)), .pubrel(Acknowledgement(9)), .pingresp,
      .disconnect(Disconnect(reasonCode: .serverBusy, properties: Properties { $0.reasonString = "busy" })),
    ]
    var bytes = encode(packets[Int.random(in: 0..<packets.count, using: &generator)], version)
    let index = Int.random(in: 0..<bytes.count, using: &generator)
    bytes[index] ^= UInt8.random(in: 1...255, using: &generator)
    return bytes
  }

  @Test("what follows a DISCONNECT from the server is not read, and not answered")
  func packetsAfterDISCONNECT() async throws {
    try await Abuse().run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      visit.oblige(packet)
      guard visit.number == 1, case .connect = packet else { return }
      visit.send(
        .numbered(1, .atLeastOnce, 1), .disconnect(Disconnect(reasonCode: .serverBusy)),
        .numbered(2, .atLeastOnce, 2), .numbered(3, .atMostOnce, nil), .pubrel(Acknowledgement(4)))
      visit.send(hex("00 00"))
    } _: { server, client, witness in
      guard case .session(.disconnectedByServer(.serverBusy, nil, nil)) = try await witness.loss() else {
        Issue.record("\(witness.losses)")
        return
      }
      let visit = try await server.visit(1)
      try await until("it is closed") { visit.isClosed }
      #expect(visit.packets.map(\.type) == [.connect, .puback])
      #expect(witness.numbers == [1])
      try await works(client, witness)
    }
  }

  /// A message goes both ways of an acknowledgement.
  func works(
    _ client: Client, _ witness: Witness, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await until("a connection", within: patience, sourceLocation: sourceLocation) { await client.isConnected }
    try await client.publish(.numbered(999_999, .atLeastOnce), token: 999_999)
    try await until("a message is acknowledged", within: patience, sourceLocation: sourceLocation) {
      witness.outcomes(999_999) == [.delivered]
    }
  }

  func withRunning(
    _ configuration: MQTTClient.Configuration, _ server: AbusiveServer, _ body: (MQTTClient) async throws -> Void
  ) async throws {
    let client = MQTTClient(configuration, eventLoop: server.clientLoop)
    let running = Task { try await client.run() }
    do { try await body(client) } catch {
      await client.abort()
      _ = await running.result
      throw error
    }
    await client.abort()
    _ = await running.result
  }
}
