import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT

/// What a server may do to a client, by malice or by mistake, over TCP. One after the other: some are heavy, and tests of
/// other suites look at the clock.
@Suite("Abuse", .serialized, .timeLimit(.minutes(3 * Patience.factor)))
struct AbuseTests {
  // MARK: Pieces and heaps

  @Test("packets that come byte by byte are read and answered as if whole", arguments: ProtocolVersion.allCases)
  func byteByByte(version: MQTT.ProtocolVersion) async throws {
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
  func heap(version: MQTT.ProtocolVersion, qos: QoS) async throws {
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
          numbers.append(message.number)
          if numbers.count == 100 { break }
        }
        #expect(numbers == (19_901...20_000).map { UInt64($0) })
        #expect(await client.isConnected)
      }
    }
  }

  // MARK: What is no MQTT, or not now

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
  func violates(version: MQTT.ProtocolVersion, violation: Violation) async throws {
    // 3.1.1 has neither properties nor options: there these two are other packets, and wrong as well.
    let isShorter = version == .v311 && violation.testDescription == "SUBSCRIBE"
    let bytes = isShorter ? hex("82 06 00 01 00 01 74 00") : violation.bytes
    try await isEnded(version, by: bytes, violation.code)
  }

  @Test("a second CONNACK is a protocol error [MQTT-3.2.0-2]", arguments: ProtocolVersion.allCases)
  func secondCONNACK(version: MQTT.ProtocolVersion) async throws {
    try await isEnded(
      version, by: encode(.connack(ConnAck(sessionPresent: false, reasonCode: .success)), version), .protocolError)
  }

  private func isEnded(_ version: MQTT.ProtocolVersion, by bytes: [UInt8], _ code: ReasonCode) async throws {
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
  func garbage(version: MQTT.ProtocolVersion) async throws {
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
  private static func bent(_ version: MQTT.ProtocolVersion, _ generator: inout SeededGenerator) -> [UInt8] {
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
  private func works(
    _ client: Client, _ witness: Witness, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await until("a connection", within: patience, sourceLocation: sourceLocation) { await client.isConnected }
    try await client.publish(.numbered(999_999, .atLeastOnce), token: 999_999)
    try await until("a message is acknowledged", within: patience, sourceLocation: sourceLocation) {
      witness.outcomes(999_999) == [.delivered]
    }
  }

  private func withRunning(
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

  // MARK: Resets and closes

  @Test(
    """
    a reset after each byte of CONNECT that was read, and of CONNACK that was written: each is a loss, nothing stays \
    behind, and a message published meanwhile is acknowledged once
    """,
    arguments: ProtocolVersion.allCases)
  func resets(version: MQTT.ProtocolVersion) async throws {
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
  func closes(version: MQTT.ProtocolVersion, type: PacketType) async throws {
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

  // MARK: Answers that are wrong

  struct Answers: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// nil: a SUBSCRIBE.
    var qos: QoS?
    /// What the server says to it, in one write.
    let packets: [Packet]
    /// nil: the connection stays.
    var code: ReasonCode?
    /// What the client sends then.
    var replies: [Packet] = []
  }

  /// The first identifier is 1.
  static let wrongAnswers = [
    Answers(
      testDescription: "PUBREC for QoS 1", qos: .atLeastOnce, packets: [.pubrec(Acknowledgement(1))],
      code: .protocolError),
    Answers(
      testDescription: "PUBCOMP for QoS 1", qos: .atLeastOnce, packets: [.pubcomp(Acknowledgement(1))],
      code: .protocolError),
    Answers(
      testDescription: "PUBCOMP before PUBREC", qos: .exactlyOnce, packets: [.pubcomp(Acknowledgement(1))],
      code: .protocolError),
    Answers(
      testDescription: "SUBACK with a code too many",
      packets: [.suback(SubscriptionAcknowledgement(1, reasonCodes: [.success, .success]))], code: .protocolError),
    Answers(
      testDescription: "UNSUBACK for SUBSCRIBE",
      packets: [.unsuback(SubscriptionAcknowledgement(1, reasonCodes: [.success]))], code: .protocolError),
    Answers(testDescription: "PUBACK for QoS 2", qos: .exactlyOnce, packets: [.puback(Acknowledgement(1))]),
    Answers(
      testDescription: "PUBACK for SUBSCRIBE, then SUBACK",
      packets: [
        .puback(Acknowledgement(1)), .suback(SubscriptionAcknowledgement(1, reasonCodes: [.success])),
      ]),
    Answers(
      testDescription: "SUBACK twice",
      packets: Array(repeating: .suback(SubscriptionAcknowledgement(1, reasonCodes: [.success])), count: 2)),
    Answers(
      testDescription: "PUBACK twice", qos: .atLeastOnce,
      packets: Array(repeating: .puback(Acknowledgement(1)), count: 2)),
    Answers(
      testDescription: "PUBREC twice and PUBCOMP twice", qos: .exactlyOnce,
      packets: [
        .pubrec(Acknowledgement(1)), .pubrec(Acknowledgement(1)), .pubcomp(Acknowledgement(1)),
        .pubcomp(Acknowledgement(1)),
      ], replies: [.pubrel(Acknowledgement(1)), .pubrel(Acknowledgement(1))]),
    Answers(
      testDescription: "PUBREC after PUBCOMP", qos: .exactlyOnce,
      packets: [.pubrec(Acknowledgement(1)), .pubcomp(Acknowledgement(1)), .pubrec(Acknowledgement(1))],
      replies: [
        .pubrel(Acknowledgement(1)), .pubrel(Acknowledgement(1, reasonCode: .packetIdentifierNotFound)),
      ]),
    Answers(
      testDescription: "a QoS 2 message and PUBREL twice", qos: .atLeastOnce,
      packets: [
        .puback(Acknowledgement(1)), .numbered(5, .exactlyOnce, 9), .numbered(5, .exactlyOnce, 9, duplicate: true),
        .pubrel(Acknowledgement(9)), .pubrel(Acknowledgement(9)),
      ],
      replies: [
        .pubrec(Acknowledgement(9)), .pubrec(Acknowledgement(9)), .pubcomp(Acknowledgement(9)),
        .pubcomp(Acknowledgement(9, reasonCode: .packetIdentifierNotFound)),
      ]),
    Answers(
      testDescription: "answers that nobody waits for", qos: .atLeastOnce,
      packets: [
        .puback(Acknowledgement(70)), .pubrec(Acknowledgement(71)), .pubrel(Acknowledgement(72)),
        .pubcomp(Acknowledgement(73)), .suback(SubscriptionAcknowledgement(74, reasonCodes: [.success])),
        .unsuback(SubscriptionAcknowledgement(75, reasonCodes: [.success])), .pingresp, .puback(Acknowledgement(1)),
      ],
      replies: [
        .pubrel(Acknowledgement(71, reasonCode: .packetIdentifierNotFound)),
        .pubcomp(Acknowledgement(72, reasonCode: .packetIdentifierNotFound)),
      ]),
  ]

  @Test(
    """
    answers of the wrong kind end the connection, those too many do not; either way what they were about is completed \
    once [behaviour 57]
    """,
    arguments: ProtocolVersion.allCases, wrongAnswers)
  func answersWrongly(version: MQTT.ProtocolVersion, answers: Answers) async throws {
    let hasAnswered = Mutex(false)
    try await Abuse(version).run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      let isAsked = [.publish, .subscribe].contains(packet.type)
      let isFirst =
        isAsked
        && hasAnswered.withLock { hasAnswered in
          defer { hasAnswered = true }
          return !hasAnswered
        }
      guard isFirst else {
        // Without this the PUBRELs that are asked for would be answered twice.
        if visit.number == 1, case .pubrel = packet { return }
        if visit.number == 1, case .pubrec = packet { return }
        return visit.oblige(packet, sessionPresent: visit.number > 1)
      }
      visit.send(answers.packets.flatMap { encode($0, version) })
    } _: { server, client, witness in
      func ask() async throws {
        if let qos = answers.qos {
          try await client.publish(1...1, qos)
        } else {
          try await client.subscribe([Subscription("t", qos: .atMostOnce)], token: 1)
        }
      }
      try await witness.connections(1)
      try await ask()
      let visit = try await server.visit(1)
      if let code = answers.code {
        #expect(try await witness.loss().violation == code)
        try await until("it is closed") { visit.isClosed }
        #expect(visit.disconnect == (version == .v5 ? Disconnect(reasonCode: code) : nil))
        try await witness.connections(2)
        if answers.qos == nil { try await ask() }
      }
      func replies() -> [Packet] {
        visit.packets.filter { ![.connect, .subscribe, .publish].contains($0.type) }
      }
      try await until("it is completed", within: patience) {
        (answers.qos == nil ? !witness.answered.isEmpty : !witness.outcomes(1).isEmpty)
          && (answers.code != nil || replies().count >= answers.replies.count)
      }
      try await works(client, witness)
      if answers.qos == nil {
        #expect(witness.answered == [1: [.success]])
      } else {
        #expect(witness.outcomes(1) == [.delivered])
        #expect(witness.numbers.count <= 1)
      }
      #expect(witness.losses.count == (answers.code == nil ? 0 : 1))
      guard answers.code == nil else { return }
      // 3.1.1 has no words for it.
      #expect(replies().flatMap { encode($0, version) } == answers.replies.flatMap { encode($0, version) })
    }
  }

  // MARK: Identifiers

  @Test(
    """
    65,535 messages that are never acknowledged: all identifiers differ, nothing more goes out, and one \
    acknowledgement makes room for one message [behaviour 54]
    """,
    arguments: ProtocolVersion.allCases)
  func exhaustion(version: MQTT.ProtocolVersion) async throws {
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

/// Beside the others, since they do little but wait.
@Suite("Abuse by silence", .timeLimit(.minutes(3 * Patience.factor)))
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
      // Early or late by no more than a busy machine is with its clock.
      let silence = witness.connected[0].time.duration(to: time)
      #expect((.milliseconds(2500)...(.milliseconds(3900) * Patience.factor)).contains(silence))
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
      try await until("two pings", within: patience) { witness.deliveries.count == 2 }
      #expect(witness.losses.isEmpty)
      #expect(try await server.visit(1).count(.pingreq) == 2)
    }
  }
}

extension ConnectionLoss {
  fileprivate var violation: ReasonCode? {
    if case .session(.violation(let error)) = self { error.reasonCode } else { nil }
  }
}

extension AbusiveServer.Visit {
  fileprivate var subscribeIdentifier: PacketIdentifier? {
    for case .subscribe(let subscribe) in packets { return subscribe.packetIdentifier }
    return nil
  }
}
