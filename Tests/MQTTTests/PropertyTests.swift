import NIOCore
import Testing

@testable import MQTTCore

/// The properties of table 2-4, MQTT 5.0 §2.2.2.2. The table is written here anew, to check the code by it.
@Suite struct PropertyTests {
  /// What can carry properties: each packet, and the will.
  enum Place: String, CaseIterable, Sendable {
    case connect, connack, publish, will, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback,
      disconnect, auth

    /// A packet that is right but for the properties.
    func packet(_ properties: [UInt8]) -> [UInt8] {
      let properties = variableByteInteger(properties.count) + properties
      let connect = text("MQTT") + [5]
      return switch self {
      case .connect: frame(0x10, connect + hex("02 00 0A") + properties + text("c"))
      case .will: frame(0x10, connect + hex("06 00 0A 00") + text("c") + properties + text("w") + text("gone"))
      case .connack: frame(0x20, hex("00 00") + properties)
      case .publish: frame(0x32, text("t") + hex("00 01") + properties)
      case .puback: frame(0x40, hex("00 01 00") + properties)
      case .pubrec: frame(0x50, hex("00 01 00") + properties)
      case .pubrel: frame(0x62, hex("00 01 00") + properties)
      case .pubcomp: frame(0x70, hex("00 01 00") + properties)
      case .subscribe: frame(0x82, hex("00 01") + properties + text("t") + [0])
      case .suback: frame(0x90, hex("00 01") + properties + [0])
      case .unsubscribe: frame(0xA2, hex("00 01") + properties + text("t"))
      case .unsuback: frame(0xB0, hex("00 01") + properties + [0])
      case .disconnect: frame(0xE0, [0] + properties)
      case .auth: frame(0xF0, [0x18] + properties)
      }
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let places: Set<Place>
    /// Where it may come more than once.
    var repeats: Set<Place> = []
    /// What has to stand before it.
    var before: [UInt8] = []

    init(
      _ name: String, _ bytes: [UInt8], _ places: Set<Place>, repeats: Set<Place> = [], before: [UInt8] = []
    ) {
      self.name = name
      self.bytes = bytes
      self.places = places
      self.repeats = repeats
      self.before = before
    }

    var testDescription: String { name }
  }

  static let everywhere = Set(Place.allCases)
  static let message: Set<Place> = [.publish, .will]
  static let method = [0x15] + text("m")

  static let table: [Row] = [
    Row("Payload Format Indicator", hex("01 01"), message),
    Row("Message Expiry Interval", hex("02 00 00 00 3C"), message),
    Row("Content Type", [0x03] + text("text/plain"), message),
    Row("Response Topic", [0x08] + text("r"), message),
    Row("Correlation Data", hex("09 00 02 00 FF"), message),
    Row("Subscription Identifier", hex("0B FF FF FF 7F"), [.publish, .subscribe], repeats: [.publish]),
    Row("Session Expiry Interval", hex("11 FF FF FF FF"), [.connect, .connack, .disconnect]),
    Row("Assigned Client Identifier", [0x12] + text("auto-1"), [.connack]),
    Row("Server Keep Alive", hex("13 00 1E"), [.connack]),
    Row("Authentication Method", method, [.connect, .connack, .auth]),
    Row("Authentication Data", hex("16 00 01 00"), [.connect, .connack, .auth], before: method),
    Row("Request Problem Information", hex("17 00"), [.connect]),
    Row("Will Delay Interval", hex("18 00 00 00 05"), [.will]),
    Row("Request Response Information", hex("19 01"), [.connect]),
    Row("Response Information", [0x1A] + text("r/1"), [.connack]),
    Row("Server Reference", [0x1C] + text("b"), [.connack, .disconnect]),
    Row(
      "Reason String", [0x1F] + text("why"),
      [.connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnect, .auth]),
    Row("Receive Maximum", hex("21 00 14"), [.connect, .connack]),
    Row("Topic Alias Maximum", hex("22 00 00"), [.connect, .connack]),
    Row("Topic Alias", hex("23 00 01"), [.publish]),
    Row("Maximum QoS", hex("24 01"), [.connack]),
    Row("Retain Available", hex("25 00"), [.connack]),
    Row("User Property", [0x26] + text("n") + text("v"), everywhere, repeats: everywhere),
    Row("Maximum Packet Size", hex("27 00 00 10 00"), [.connect, .connack]),
    Row("Wildcard Subscription Available", hex("28 01"), [.connack]),
    Row("Subscription Identifier Available", hex("29 01"), [.connack]),
    Row("Shared Subscription Available", hex("2A 00"), [.connack]),
  ]

  @Test("a property stands where table 2-4 says, and is malformed anywhere else", arguments: table)
  func places(row: Row) throws {
    for place in Place.allCases {
      if row.places.contains(place) {
        let bytes = place.packet(row.before + row.bytes)
        let packet = try #require(try decode(bytes), "\(place)")
        #expect(encode(packet) == bytes, "\(place)")
      } else {
        #expect(refusal(place.packet(row.bytes)) == .malformedPacket, "\(place)")
      }
    }
  }

  @Test("a property twice in a packet is a protocol error, but for those that may repeat", arguments: table)
  func duplicates(row: Row) {
    for place in row.places {
      let bytes = place.packet(row.before + row.bytes + row.bytes)
      #expect(refusal(bytes) == (row.repeats.contains(place) ? nil : .protocolError), "\(place)")
      let apart = place.packet(row.before + row.bytes + [0x26] + text("") + text("") + row.bytes)
      #expect(refusal(apart) == (row.repeats.contains(place) ? nil : .protocolError), "\(place), apart")
    }
  }

  @Test("a property that is cut short is malformed", arguments: table)
  func cut(row: Row) {
    for place in row.places {
      for count in 1..<row.bytes.count where row.repeats.isEmpty {
        #expect(refusal(place.packet(row.before + row.bytes.prefix(count))) == .malformedPacket, "\(place) \(count)")
      }
    }
  }

  @Test(
    "an identifier that does not exist is malformed",
    arguments: Set(UInt8.min...UInt8.max).subtracting(table.map { $0.bytes[0] }).sorted())
  func unknown(identifier: UInt8) {
    for place in Place.allCases { #expect(refusal(place.packet([identifier, 0, 0, 0, 0])) == .malformedPacket) }
  }

  @Test("a flag that is neither 0 nor 1 is a protocol error", arguments: [0x17, 0x19] as [UInt8])
  func connectFlags(identifier: UInt8) {
    #expect(refusal(Place.connect.packet([identifier, 2])) == .protocolError)
  }

  @Test(
    "a flag of CONNACK that is neither 0 nor 1 is a protocol error",
    arguments: [0x24, 0x25, 0x28, 0x29, 0x2A] as [UInt8])
  func connackFlags(identifier: UInt8) {
    #expect(refusal(Place.connack.packet([identifier, 2])) == .protocolError)
    #expect(refusal(Place.connack.packet([identifier, 255])) == .protocolError)
  }

  @Test("a payload format indicator of 2 is a protocol error")
  func payloadFormatIndicator() {
    #expect(refusal(Place.publish.packet(hex("01 02"))) == .protocolError)
    #expect(refusal(Place.will.packet(hex("01 02"))) == .protocolError)
  }

  @Test("0 is a protocol error where the specification forbids it")
  func zero() {
    for place in [Place.connect, .connack] {
      #expect(refusal(place.packet(hex("21 00 00"))) == .protocolError, "Receive Maximum, §3.1.2.11.3")
      #expect(refusal(place.packet(hex("27 00 00 00 00"))) == .protocolError, "Maximum Packet Size, §3.1.2.11.4")
    }
    #expect(refusal(Place.publish.packet(hex("0B 00"))) == .protocolError, "Subscription Identifier")
    #expect(refusal(Place.subscribe.packet(hex("0B 00"))) == .protocolError, "Subscription Identifier")
    #expect(refusal(Place.publish.packet(hex("23 00 00"))) == .topicAliasInvalid, "Topic Alias [MQTT-3.3.2-8]")
  }

  @Test("authentication data without a method is a protocol error (§3.1.2.11.10)")
  func authenticationData() {
    for place in [Place.connect, .connack, .auth] {
      #expect(refusal(place.packet(hex("16 00 01 00"))) == .protocolError)
      #expect(refusal(place.packet(hex("16 00 01 00") + Self.method)) == nil, "the order does not matter")
    }
  }

  @Test("a user property may have the same name again, and the order stays [MQTT-3.3.2-18]")
  func userProperties() throws {
    var several = Properties { properties in
      properties.addUserProperty("a", "1")
      properties.addUserProperty("b", "2")
      properties.contentType = "text"
    }
    several[.userProperty] = nil
    #expect(several.userProperties.isEmpty && several.contentType == "text")
    let pairs = [("a", "1"), ("b", ""), ("a", "2"), ("", "x")]
    let properties = Properties { for (name, value) in pairs { $0.addUserProperty(name, value) } }
    let packet = Packet.disconnect(Disconnect(properties: properties))
    guard case .disconnect(let decoded)? = try decode(encode(packet)) else {
      Issue.record("no DISCONNECT")
      return
    }
    #expect(decoded.properties.userProperties.map(\.name) == pairs.map(\.0))
    #expect(decoded.properties.userProperties.map(\.value) == pairs.map(\.1))
  }

  @Test("all subscription identifiers of a PUBLISH are read (§3.3.2.3.8)")
  func subscriptionIdentifiers() throws {
    guard case .publish(let publish)? = try decode(Place.publish.packet(hex("0B 01 0B 80 01 0B 01"))) else {
      Issue.record("no PUBLISH")
      return
    }
    #expect(publish.message.properties.subscriptionIdentifiers == [1, 128, 1])
  }

  @Test("setting a property again replaces it, and nil takes it out")
  func setting() {
    var properties = Properties()
    properties.receiveMaximum = 5
    properties.addUserProperty("n", "v")
    properties.receiveMaximum = 6
    #expect(properties.all.count == 2)
    #expect(properties.receiveMaximum == 6)
    properties.receiveMaximum = nil
    #expect(properties.receiveMaximum == nil)
    #expect(properties.all.map(\.identifier) == [.userProperty])
  }

  @Test("texts that do not fit the wire are not encodable")
  func notEncodable() {
    let long = String(repeating: "x", count: 65_536)
    #expect(Properties { $0.reasonString = String(long.dropLast()) }.isEncodable)
    #expect(!Properties { $0.reasonString = long }.isEncodable)
    #expect(!Properties { $0.contentType = "a\u{0}" }.isEncodable)
    #expect(!Properties { $0.addUserProperty(long, "") }.isEncodable)
    #expect(!Properties { $0.addUserProperty("", "\u{0}") }.isEncodable)
    #expect(!Properties { $0.correlationData = ByteBuffer(long) }.isEncodable)
    #expect(!Properties { $0.subscriptionIdentifier = 268_435_456 }.isEncodable)
  }
}
