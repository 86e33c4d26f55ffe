import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Answers that are wrong.
extension AbuseTests {
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
  func answersWrongly(version: MQTTCore.ProtocolVersion, answers: Answers) async throws {
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
}
