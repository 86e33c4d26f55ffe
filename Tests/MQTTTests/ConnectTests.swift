import NIOCore
import Testing

@testable import MQTT
@testable import MQTTCore

/// CONNECT and CONNACK as they are read, MQTT 5.0 §3.1 and §3.2.
@Suite struct ConnectTests {
  /// A CONNECT with these flags and nothing that they ask for.
  func connect(_ flags: UInt8, _ version: ProtocolVersion, payload: [UInt8] = text("c")) -> [UInt8] {
    frame(0x10, text("MQTT") + [version.rawValue, flags, 0, 0] + (version == .v5 ? [0] : []) + payload)
  }

  @Test("a protocol name or version that is not known is answered with 0x84 [MQTT-3.1.2-1] [MQTT-3.1.2-2]")
  func protocolName() {
    #expect(refusal(frame(0x10, text("MQIsdp") + hex("03 02 00 00") + text("c"))) == .unsupportedProtocolVersion)
    #expect(refusal(frame(0x10, text("mqtt") + hex("05 02 00 00 00") + text("c"))) == .unsupportedProtocolVersion)
    for level in [0, 3, 6, 0x84, 255] as [UInt8] {
      #expect(refusal(frame(0x10, text("MQTT") + [level, 2, 0, 0, 0])) == .unsupportedProtocolVersion)
    }
  }

  @Test(
    "connect flags that are reserved or contradict each other are malformed [MQTT-3.1.2-3]",
    arguments: ProtocolVersion.allCases)
  func flags(version: ProtocolVersion) {
    #expect(refusal(connect(0x03, version), version) == .malformedPacket, "reserved [MQTT-3.1.2-3]")
    #expect(refusal(connect(0x0A, version), version) == .malformedPacket, "QoS without a will [MQTT-3.1.2-11]")
    #expect(refusal(connect(0x22, version), version) == .malformedPacket, "retain without a will [MQTT-3.1.2-13]")
    #expect(refusal(connect(0x1E, version), version) == .malformedPacket, "a will of QoS 3 [MQTT-3.1.2-12]")
    #expect(refusal(connect(0x86, version), version) == .malformedPacket, "what the flags say is not there")
  }

  @Test("a password without a user name is malformed on 3.1.1 [MQTT-3.1.2-22 v3.1.1], and allowed on 5")
  func passwordAlone() throws {
    #expect(refusal(connect(0x42, .v311, payload: text("c") + text("p")), .v311) == .malformedPacket)
    guard case .connect(let decoded)? = try decode(connect(0x42, .v5, payload: text("c") + text("p"))) else {
      Issue.record("no CONNECT")
      return
    }
    #expect(decoded.username == nil)
    #expect(decoded.password == ByteBuffer("p"))
  }

  @Test("a will without a topic is malformed")
  func willWithoutTopic() {
    #expect(refusal(connect(0x06, .v5, payload: text("c") + [0] + text("") + text("x"))) == .malformedPacket)
  }

  @Test("the acknowledge flags of CONNACK but the first are reserved [MQTT-3.2.2-1]", arguments: UInt8(2)...255)
  func acknowledgeFlags(flags: UInt8) {
    #expect(refusal([0x20, 3, flags, 0, 0]) == .malformedPacket)
    #expect(refusal([0x20, 2, flags, 0], .v311) == .malformedPacket)
  }

  @Test("a CONNACK that refuses and says session present is a protocol error [MQTT-3.2.2-6] [MQTT-3.2.2-4 v3.1.1]")
  func refusalWithSession() {
    #expect(refusal(hex("20 03 01 87 00")) == .protocolError)
    #expect(refusal(hex("20 02 01 05"), .v311) == .protocolError)
  }

  @Test("a 3.1.1 CONNACK that answers a CONNECT of 5 is read as what it means [behaviour 25]")
  func connackOfOlderServer() throws {
    #expect(
      try decode(hex("20 02 00 01"))
        == .connack(ConnAck(sessionPresent: false, reasonCode: .unsupportedProtocolVersion)))
    #expect(try decode(hex("20 02 00 05")) == .connack(ConnAck(sessionPresent: false, reasonCode: .notAuthorized)))
    #expect(refusal(hex("20 02 00 00")) == .malformedPacket, "an agreement without properties is none")
  }

  @Test(
    "the return codes of 3.1.1 are the reason codes of 5 that mean the same",
    arguments: [
      (0, .success), (1, .unsupportedProtocolVersion), (2, .clientIdentifierNotValid), (3, .serverUnavailable),
      (4, .badUserNameOrPassword), (5, .notAuthorized),
    ] as [(UInt8, ReasonCode)])
  func returnCodes(code: UInt8, reason: ReasonCode) throws {
    let packet = Packet.connack(ConnAck(sessionPresent: false, reasonCode: reason))
    #expect(try decode([0x20, 2, 0, code], .v311) == packet)
    #expect(encode(packet, .v311) == [0x20, 2, 0, code])
  }

  @Test("return codes above 5 are reserved on 3.1.1", arguments: [6, 7, 0x80, 0x84, 255] as [UInt8])
  func reservedReturnCodes(code: UInt8) {
    #expect(refusal([0x20, 2, 0, code], .v311) == .protocolError)
  }

  // MARK: What a client sends

  static let credentials: [(String?, String?)] = [(nil, nil), ("u", nil), (nil, "p"), ("u", "p"), ("", "")]

  /// What §3.1.2.3 and §3.1.3 say of a CONNECT, written out: flags, and fields in their order.
  func expected(_ version: ProtocolVersion, will: Message?, _ username: String?, _ password: String?) -> [UInt8] {
    // 3.1.1 lets no password come without a name, so an empty one stands before it.
    let username = version == .v311 && password != nil ? username ?? "" : username
    let willFlags = will.map { 0x04 | $0.qos.rawValue << 3 | ($0.retain ? 0x20 : 0) } ?? 0
    let flags = 0x02 | willFlags | (password == nil ? 0 : 0x40) | (username == nil ? 0 : 0x80)
    let none: [UInt8] = version == .v5 ? [0] : []
    var bytes = text("MQTT") + [version == .v5 ? 5 : 4, flags, 0, 9] + none + text("c")
    if let will { bytes += none + text(will.topic.description) + text(String(buffer: will.payload)) }
    for field in [username, password] { bytes += field.map(text) ?? [] }
    return frame(0x10, bytes)
  }

  func sent(_ version: ProtocolVersion, will: Message?, _ username: String?, _ password: String?) -> [UInt8] {
    encode(
      .connect(
        Connect(
          clientIdentifier: "c", cleanStart: true, keepAlive: 9, username: username,
          password: password.map { ByteBuffer($0) }, will: will)), version)
  }

  @Test(
    """
    CONNECT is the name MQTT, the version, flags, and identifier, will, user name, password in this order \
    [MQTT-3.1.2-1] [MQTT-3.1.3-1] [MQTT-3.1.3-3]
    """, arguments: ProtocolVersion.allCases)
  func layout(version: ProtocolVersion) {
    let will = Message(topic: "w", payload: ByteBuffer("gone"), qos: .exactlyOnce, retain: true)
    #expect(sent(version, will: will, "u", "p") == expected(version, will: will, "u", "p"))
  }

  @Test(
    """
    a will brings its topic, payload, QoS and retain; without one none of them is there \
    [MQTT-3.1.2-9] [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] [MQTT-3.1.2-9 v3.1.1] [MQTT-3.1.2-11 v3.1.1] \
    [MQTT-3.1.2-13 v3.1.1] [MQTT-3.1.2-14 v3.1.1] [MQTT-3.1.2-15 v3.1.1]
    """, arguments: ProtocolVersion.allCases)
  func willFields(version: ProtocolVersion) {
    #expect(sent(version, will: nil, nil, nil) == expected(version, will: nil, nil, nil))
    for qos in QoS.allCases {
      for retain in [false, true] {
        let payload = ByteBuffer(qos == .atMostOnce ? "" : "gone")
        let will = Message(topic: "w/x", payload: payload, qos: qos, retain: retain)
        #expect(sent(version, will: will, nil, nil) == expected(version, will: will, nil, nil))
      }
    }
  }

  @Test(
    """
    user name and password are there exactly where their flags say so \
    [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-18 v3.1.1] [MQTT-3.1.2-19 v3.1.1] \
    [MQTT-3.1.2-20 v3.1.1] [MQTT-3.1.2-21 v3.1.1]
    """, arguments: ProtocolVersion.allCases)
  func credentialFields(version: ProtocolVersion) throws {
    for (username, password) in Self.credentials {
      let bytes = sent(version, will: nil, username, password)
      #expect(bytes == expected(version, will: nil, username, password))
      #expect(try decode(bytes, version) != nil)
    }
  }

  @Test("no identifier and no clean session are refused here on 3.1.1 [MQTT-3.1.3-7 v3.1.1] [behaviour 16]")
  func noIdentifier() {
    for (identifier, cleanStart, fits) in [("", false, false), ("", true, true), ("c", false, true)] {
      let connect = Connect(clientIdentifier: identifier, cleanStart: cleanStart, keepAlive: 0)
      #expect(connect.isEncodable(.v311) == fits)
      #expect(connect.isEncodable(.v5))
    }
  }

  @Test("a CONNECT with a text that is no UTF-8 string of MQTT is not encodable [MQTT-3.1.3-4] [MQTT-3.1.3-12]")
  func textsThatDoNotFit() {
    let plain = Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 0)
    #expect(plain.isEncodable)
    for bad in ["a\u{0}", String(repeating: "x", count: 65_536)] {
      var connect = plain
      connect.clientIdentifier = bad
      #expect(!connect.isEncodable)
      connect = plain
      connect.username = bad
      #expect(!connect.isEncodable)
    }
    var connect = plain
    connect.password = ByteBuffer(repeating: 0, count: 65_536)
    #expect(!connect.isEncodable)
    connect = plain
    connect.will = Message(topic: "w", payload: ByteBuffer(repeating: 0, count: 65_536))
    #expect(!connect.isEncodable)
  }

  @Test("properties that a server would refuse are not encodable: 0, twice, in the wrong place [behaviour 63]")
  func badProperties() {
    func isEncodable(_ fill: (inout Properties) -> Void, will: Bool = false) -> Bool {
      var connect = Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 0)
      if will {
        connect.will = Message(topic: "w", payload: ByteBuffer(), properties: Properties(fill))
      } else {
        connect.properties = Properties(fill)
      }
      return connect.isEncodable
    }
    #expect(!isEncodable { $0.receiveMaximum = 0 })
    #expect(!isEncodable { $0.maximumPacketSize = 0 })
    #expect(!isEncodable { $0.authenticationData = ByteBuffer("data without a method") })
    #expect(!isEncodable { $0.willDelayInterval = 1 })
    #expect(!isEncodable({ $0.topicAlias = 1 }, will: true))
    #expect(!isEncodable({ $0.responseTopic = "a/#" }, will: true))
    #expect(isEncodable({ $0.willDelayInterval = 1 }, will: true))
    #expect(
      isEncodable {
        $0.addUserProperty("n", "v")
        $0.addUserProperty("n", "v")
        $0.receiveMaximum = 1
      })
  }
}
