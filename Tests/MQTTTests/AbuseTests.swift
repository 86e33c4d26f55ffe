import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// What a server may do to a client, by malice or by mistake, over TCP. One after the other: some are heavy, and tests of
/// other suites look at the clock.
@Suite("Abuse", .timed, .serialized, .timeLimit(.minutes(3 * Patience.factor)))
struct AbuseTests {
  // MARK: Pieces and heaps

  @Test("packets that come byte by byte are read and answered as if whole", arguments: ProtocolVersion.allCases)
  func byteByByte(version: MQTTCore.ProtocolVersion) async throws {
    var abuse = Abuse(version)
    abuse.clientReadSize = 1
    try await abuse.run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      if let answer = AbusiveServer.Visit.answer(to: packet) { visit.dribble(answer) }
      if case .subscribe = packet {
        visit.dribble(
          .numbered(1, .atMostOnce, nil), .numbered(2, .atLeastOnce, 1), .numbered(3, .exactlyOnce, 2), .pingresp)
      }
    } _: { server, client, witness in
      try await witness.connections(1)
      try await client.subscribe([Subscription("t", qos: .exactlyOnce), Subscription("u")], token: 100)
      try await until("the messages") { witness.deliveries.count == 3 }
      let visit = try await server.visit(1)
      try await until("they are answered") { visit.count(.pubcomp) == 1 }
      try await client.publish(10...10, .atLeastOnce)
      try await client.publish(11...11, .exactlyOnce)
      try await until("both are acknowledged") { witness.settled.count == 2 }
      #expect(witness.answered == [100: [.grantedQoS2, .grantedQoS1]])
      #expect(witness.numbers == [1, 2, 3])
      #expect(witness.outcomes(10) == [.delivered] && witness.outcomes(11) == [.delivered])
      #expect(
        visit.packets.map(\.type) == [.connect, .subscribe, .puback, .pubrec, .pubcomp, .publish, .publish, .pubrel])
      guard version == .v5 else { return }
      visit.dribble(
        .disconnect(
          Disconnect(reasonCode: .serverShuttingDown, properties: Properties { $0.reasonString = "for the night" })))
      guard case .session(.disconnectedByServer(.serverShuttingDown, "for the night", nil)) = try await witness.loss()
      else {
        Issue.record("\(witness.losses)")
        return
      }
    }
  }

  @Test(
    "5,000 packets in one segment arrive in order and are all answered in order [behaviour 58]",
    arguments: ProtocolVersion.allCases, QoS.allCases)
  func heap(version: MQTTCore.ProtocolVersion, qos: QoS) async throws {
    let identifiers = (1...5000).map { PacketIdentifier(rawValue: $0) }
    var abuse = Abuse(version)
    // As much as a socket may ever hand over at once.
    abuse.clientReadSize = 1 << 20
    try await abuse.run { visit, occurrence in
      guard case .packet(.connect) = occurrence else { return }
      var bytes = encode(.connack(ConnAck(sessionPresent: false, reasonCode: .success)), version)
      for (number, identifier) in identifiers.enumerated() {
        bytes += encode(.numbered(UInt64(number), qos, qos == .atMostOnce ? nil : identifier), version)
      }
      visit.send(bytes)
    } _: { server, _, witness in
      try await until("the messages", within: patience) { witness.deliveries.count == 5000 }
      #expect(witness.numbers == (0..<5000).map { UInt64($0) })
      let visit = try await server.visit(1)
      guard qos != .atMostOnce else { return }
      try await until("the answers", within: patience) { visit.packets.count == 5001 }
      let answers = visit.packets.dropFirst().map { packet -> PacketIdentifier? in
        switch packet {
        case .puback(let answer) where qos == .atLeastOnce: answer.packetIdentifier
        case .pubrec(let answer) where qos == .exactlyOnce: answer.packetIdentifier
        default: nil
        }
      }
      #expect(answers == identifiers)
      #expect(witness.losses.isEmpty)
    }
  }

  @Test("5,000 answers in one segment settle 5,000 messages in their order [behaviour 58]")
  func heapOfAnswers() async throws {
    var abuse = Abuse()
    abuse.inFlightLimit = 5001
    abuse.clientReadSize = 1 << 20
    try await abuse.run { visit, occurrence in
      switch occurrence {
      case .packet(.connect(let connect)): visit.oblige(.connect(connect))
      case .packet(.publish(let publish)) where publish.message.number == 5000:
        visit.send(visit.publishes.flatMap { encode(AbusiveServer.Visit.answer(to: .publish($0)) ?? .pingresp) })
      default: break
      }
    } _: { _, client, witness in
      try await witness.connections(1)
      try await client.publish(1...5000, .atLeastOnce)
      try await until("all are acknowledged", within: patience) { witness.settled.count == 5000 }
      #expect(witness.settled.map(\.token) == Array(1...5000))
      #expect(witness.settled.allSatisfy { $0.outcome == .delivered })
    }
  }

  @Test(
    "what is more than the transport takes at once is sent once, however slowly the server reads",
    arguments: QoS.allCases, [1, 5000] as [UInt64])
  func fillsTheTransport(qos: QoS, count: UInt64) async throws {
    var abuse = Abuse()
    abuse.inFlightLimit = 5001
    abuse.serverReadSize = 1 << 14
    try await abuse.run { visit, occurrence in
      if case .packet(let packet) = occurrence { visit.oblige(packet) }
    } _: { server, client, witness in
      try await witness.connections(1)
      let payload = ByteBuffer(repeating: 0x78, count: 1_000_000 / Int(count))
      try await client.publish(1...count, Message(topic: "t", payload: payload, qos: qos))
      try await until("all are settled", within: patience) { witness.settled.count == count }
      // Whatever was sent before this has been read with it.
      try await works(client, witness)
      let publishes = try await server.visit(1).publishes.dropLast()
      #expect(publishes.count == count)
      #expect(publishes.allSatisfy { $0.message.payload == payload && !$0.duplicate })
      let identifiers = qos == .atMostOnce ? [] : (1...UInt16(count)).map { PacketIdentifier(rawValue: $0) }
      #expect(publishes.compactMap(\.packetIdentifier) == identifiers.compactMap { $0 })
    }
  }

  @Test("a flood whose packets never end with a read is not kept in memory once it is read")
  func floodInPieces() async throws {
    // 3,001 bytes and reads of 4,096: the boundaries meet at the 4,096th packet only.
    let packet = encode(
      .publish(
        Publish(Message(topic: "t", payload: ByteBuffer(bytes: [UInt8](repeating: 0, count: 2994)), qos: .atMostOnce))))
    #expect(packet.count == 3001)
    var abuse = Abuse()
    abuse.clientReadSize = 4096
    try await abuse.run { visit, occurrence in
      guard case .packet(let received) = occurrence else { return }
      visit.oblige(received)
      if case .connect = received { visit.send((0..<4000).flatMap { _ in packet }) }
    } _: { _, client, witness in
      try await until("the messages", within: patience) { witness.deliveries.count == 4000 }
      let capacity = try #require(await client.inboundCapacity)
      #expect(capacity < 1 << 16, "of 12 MB that were read")
    }
  }

  @Test("a flood that nobody reads: the newest messages are kept, as many as the limit says, the others counted")
  func floodUnread() async throws {
    try await Abuse().withServer { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      visit.oblige(packet)
      if case .subscribe(let subscribe) = packet {
        visit.send(
          (1...20_000 as ClosedRange<UInt64>).flatMap { number in
            var publish = Publish(.numbered(number, .atMostOnce))
            publish.message.properties.subscriptionIdentifier = subscribe.properties.subscriptionIdentifier
            return encode(.publish(publish))
          })
      }
    } _: { server in
      var configuration = MQTTClient.Configuration(servers: [], clientIdentifier: "abused")
      configuration.connection = Abuse().configuration(port: server.port)
      configuration.messageBufferLimit = 100
      try await withRunning(configuration, server) { client in
        let stream = try await client.subscribe([Subscription("t")])
        try await until("all have come", within: patience) { stream.dropped == 19_900 }
        var numbers: [UInt64?] = []
        for try await message in stream {
          numbers.append(message.message.number)
          if numbers.count == 100 { break }
        }
        #expect(numbers == (19_901...20_000).map { UInt64($0) })
        #expect(await client.isConnected)
      }
    }
  }

  @Test("a flood of a server that reads no answer is left with it, also without a keepalive, until it reads")
  func floodUnanswered() async throws {
    // Of 3.1.1, which has no Receive Maximum. More than there are identifiers, and what kernels hold.
    let count = 300_000
    var abuse = Abuse(.v311)
    abuse.clientSendBuffer = 4096
    try await abuse.run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      visit.oblige(packet)
      guard case .connect = packet else { return }
      visit.stopReading()
      visit.send(
        (0..<count).flatMap { number in
          let identifier = PacketIdentifier(rawValue: UInt16(number % 60_000 + 1))
          return encode(.numbered(UInt64(number), .atLeastOnce, identifier), .v311)
        })
    } _: { server, client, witness in
      try await until("nothing more is read", within: patience) { await client.isReadingPaused }
      #expect(witness.deliveries.count < count)
      #expect(witness.losses.isEmpty)
      try await server.visit(1).readAgain()
      try await until("all of it has come", within: patience) { witness.deliveries.count == count }
      let visit = try await server.visit(1)
      try await until("all of it is answered", within: patience) { visit.count(.puback) == count }
      #expect(await !client.isReadingPaused)
    }
  }

  // MARK: Identifiers

  @Test(
    """
    65,535 messages that are never acknowledged: all identifiers differ, nothing more goes out, and one \
    acknowledgement makes room for one message [behaviour 54]
    """,
    arguments: ProtocolVersion.allCases)
  func exhaustion(version: MQTTCore.ProtocolVersion) async throws {
    var abuse = Abuse(version)
    abuse.inFlightLimit = 65_535
    let taken = Mutex<[PacketIdentifier]>([])
    try await abuse.run { visit, occurrence in
      switch occurrence {
      case .packet(.connect(let connect)): visit.oblige(.connect(connect))
      case .packet(.publish(let publish)):
        if let identifier = publish.packetIdentifier { taken.withLock { $0.append(identifier) } }
      default: break
      }
    } _: { server, client, witness in
      try await witness.connections(1)
      try await client.publish(1...65_534, .atLeastOnce)
      try await expectNoRoom { try await client.publish(65_535...65_535, .atLeastOnce) }
      // The place that is kept for what may not wait.
      try await client.publish(.numbered(65_535, .atLeastOnce), token: 65_535, transient: true)
      try await expectNoRoom { try await client.publish(.numbered(0, .exactlyOnce), token: 0, transient: true) }
      try await expectNoRoom { try await client.subscribe([Subscription("t")], token: 0) }
      try await until("all have come", within: patience) { taken.withLock(\.count) == 65_535 }
      #expect(Set(taken.withLock(\.self)).count == 65_535)
      let visit = try await server.visit(1)
      visit.send(.puback(Acknowledgement(4_321)), .puback(Acknowledgement(4_321)))
      try await until("one is acknowledged") { witness.settled.count == 1 }
      #expect(await client.room == 0, "one place is kept")
      try await client.publish(.numbered(70_000, .atLeastOnce), token: 70_000, transient: true)
      try await expectNoRoom { try await client.publish(.numbered(0, .exactlyOnce), token: 0, transient: true) }
      try await until("it has come") { taken.withLock(\.count) == 65_536 }
      #expect(taken.withLock(\.last) == 4_321)
      visit.send(.puback(Acknowledgement(7)), .puback(Acknowledgement(8)))
      try await until("two are acknowledged") { witness.settled.count == 3 }
      try await client.publish(70_001...70_001, .atLeastOnce)
      try await client.subscribe([Subscription("t")], token: 0)
      try await until("both have come") { visit.count(.subscribe) == 1 }
      #expect(taken.withLock(\.count) == 65_537)
      #expect(Set([7, 8]) == Set([taken.withLock(\.last), visit.subscribeIdentifier]))
      #expect(witness.losses.isEmpty)
    }
  }

  private func expectNoRoom(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
  ) async throws {
    await #expect(throws: Session.Rejection.noRoom, sourceLocation: sourceLocation) { try await body() }
  }
}
