import LimpetPlatform
import NIOCore
import Testing

@testable import LimpetInstants
@testable import MQTT
@testable import MQTTCore

/// What no packet can carry is refused where it comes in, also while there is no connection that would refuse it.
@Suite struct EncodableMessageTests {
  /// Nothing of these may get into a store: some could not be written, the others not be read again.
  enum Fault: String, CaseIterable, CustomTestStringConvertible {
    case longText, longBinary, longPair, wildcard, noResponseTopic, null, foreign, twice, identifier, badFlag, otherType
    case large

    var testDescription: String { rawValue }

    var message: Message {
      var message = Message(topic: "t", payload: ByteBuffer(string: "x"))
      let long = String(repeating: "x", count: 65_536)
      switch self {
      case .longText: message.properties.contentType = long
      case .longBinary: message.properties.correlationData = ByteBuffer(string: long)
      case .longPair: message.properties.addUserProperty("a", long)
      case .wildcard: message.properties.responseTopic = "a/#"
      case .noResponseTopic: message.properties.responseTopic = ""
      case .null: message.properties.contentType = "a\u{0}b"
      case .foreign: message.properties.serverKeepAlive = 1
      case .twice: message.properties[.willDelayInterval] = .fourBytes(1)
      case .identifier: message.properties.subscriptionIdentifier = 1
      case .badFlag: message.properties[.payloadFormatIndicator] = .byte(2)
      case .otherType: message.properties[.messageExpiryInterval] = .text("soon")
      case .large: message.payload = ByteBuffer(repeating: 0, count: 268_435_455)
      }
      return message
    }
  }

  @Test(
    "a message that no packet can carry is refused before it waits [MQTT-1.5.4-2] [MQTT-3.3.2-14] [MQTT-3.3.4-6]",
    arguments: Fault.allCases)
  func isRefusedOffline(fault: Fault) {
    var pending = PendingMessages(limit: 10, queuesAtMostOnce: false)
    guard case .rejected? = pending.add(fault.message, token: 1, at: .now) else {
      Issue.record("it waits")
      return
    }
    #expect(pending.isEmpty)
  }

  @Test("a connected session refuses the same messages", arguments: Fault.allCases)
  func isRefusedOnline(fault: Fault) {
    var harness = SessionHarness.connected()
    #expect(throws: Session.Rejection.self) { _ = try harness.publish(fault.message, token: 1) }
  }

  @Test("a will with an empty response topic, or a wrong property, does not fit CONNECT", arguments: [true, false])
  func will(isEmpty: Bool) {
    var connect = Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 0)
    var will = Message(topic: "t", payload: ByteBuffer())
    if isEmpty { will.properties.responseTopic = "" } else { will.properties[.payloadFormatIndicator] = .byte(7) }
    connect.will = will
    #expect(!connect.isEncodable)
  }

  @Test("an empty Response Topic from a server is a protocol error [MQTT-4.7.3-1]")
  func emptyResponseTopic() {
    var publish = Publish(.numbered(1, .atMostOnce))
    publish.message.properties.responseTopic = ""
    var bytes = ByteBuffer()
    Packet.publish(publish).encode(into: &bytes, .v5)
    var decoder = PacketDecoder(version: .v5, maximumPacketSize: 1000)
    #expect(throws: PacketError.self) { try decoder.next(from: &bytes) }
  }

  @Test("a topic alias is the connection's and not the message's: none goes into the store")
  func aliasIsNotKept() throws {
    var message = Message.numbered(1, .atLeastOnce)
    message.properties.topicAlias = 0
    let session = Session(isStored: true)
    var actions: [Session.Action] = []
    var kept = session
    kept.keep(message, token: 1, into: &actions)
    guard case .message(let stored, _)? = actions.stored.first?.change else {
      Issue.record("nothing is kept")
      return
    }
    #expect(stored.message == .numbered(1, .atLeastOnce))
  }
}
