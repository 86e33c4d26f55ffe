import NIOCore

/// A property of MQTT 5.0 (§2.2.2.2): an identifier and a value of that identifier's type.
public struct Property: Sendable, Hashable {
  /// What the value is about, and which type it has.
  public let identifier: Identifier
  /// In a received packet, of the identifier's type. `Properties` accepts any type; encoding a wrong one fails.
  public let value: Value

  /// The data types of properties (§1.5).
  public enum Value: Sendable, Hashable {
    case byte(UInt8)
    case twoBytes(UInt16)
    case fourBytes(UInt32)
    case variableByteInteger(UInt32)
    case text(String)
    case binary(ByteBuffer)
    case pair(String, String)
  }

  enum Kind { case flag, twoBytes, fourBytes, variableByteInteger, text, binary, pair }

  /// The identifiers (§2.2.2.2, table 2-4).
  public enum Identifier: UInt8, Sendable, Hashable, CaseIterable {
    case payloadFormatIndicator = 0x01
    case messageExpiryInterval = 0x02
    case contentType = 0x03
    case responseTopic = 0x08
    case correlationData = 0x09
    case subscriptionIdentifier = 0x0B
    case sessionExpiryInterval = 0x11
    case assignedClientIdentifier = 0x12
    case serverKeepAlive = 0x13
    case authenticationMethod = 0x15
    case authenticationData = 0x16
    case requestProblemInformation = 0x17
    case willDelayInterval = 0x18
    case requestResponseInformation = 0x19
    case responseInformation = 0x1A
    case serverReference = 0x1C
    case reasonString = 0x1F
    case receiveMaximum = 0x21
    case topicAliasMaximum = 0x22
    case topicAlias = 0x23
    case maximumQoS = 0x24
    case retainAvailable = 0x25
    case userProperty = 0x26
    case maximumPacketSize = 0x27
    case wildcardSubscriptionAvailable = 0x28
    case subscriptionIdentifierAvailable = 0x29
    case sharedSubscriptionAvailable = 0x2A

    var kind: Kind {
      switch self {
      case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .maximumQoS,
        .retainAvailable, .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable,
        .sharedSubscriptionAvailable:
        .flag
      case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias: .twoBytes
      case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval, .maximumPacketSize: .fourBytes
      case .subscriptionIdentifier: .variableByteInteger
      case .contentType, .responseTopic, .assignedClientIdentifier, .authenticationMethod, .responseInformation,
        .serverReference, .reasonString:
        .text
      case .correlationData, .authenticationData: .binary
      case .userProperty: .pair
      }
    }

    /// Where the property may stand (§2.2.2.2, table 2-4).
    func isAllowed(in place: Properties.Place) -> Bool {
      switch self {
      case .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData:
        place == .packet(.publish) || place == .will
      case .subscriptionIdentifier: place == .packet(.publish) || place == .packet(.subscribe)
      case .sessionExpiryInterval: place.isOne(of: [.connect, .connack, .disconnect])
      case .assignedClientIdentifier, .serverKeepAlive, .responseInformation, .maximumQoS, .retainAvailable,
        .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable, .sharedSubscriptionAvailable:
        place == .packet(.connack)
      case .authenticationMethod, .authenticationData: place.isOne(of: [.connect, .connack, .auth])
      case .requestProblemInformation, .requestResponseInformation: place == .packet(.connect)
      case .willDelayInterval: place == .will
      case .serverReference: place.isOne(of: [.connack, .disconnect])
      case .reasonString:
        place.isOne(of: [.connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnect, .auth])
      case .receiveMaximum, .topicAliasMaximum, .maximumPacketSize: place.isOne(of: [.connect, .connack])
      case .topicAlias: place == .packet(.publish)
      case .userProperty: true
      }
    }

    /// User properties may come any number of times anywhere, subscription identifiers in a PUBLISH (§3.3.2.3.8).
    func mayRepeat(in place: Properties.Place) -> Bool {
      self == .userProperty || (self == .subscriptionIdentifier && place == .packet(.publish))
    }
  }
}

extension Property {
  init(reading buffer: inout ByteBuffer, in place: Properties.Place) throws(PacketError) {
    // Every identifier in use is below 128, so its variable byte integer is one byte (§2.2.2.2).
    let raw = try buffer.readByte("property identifier")
    guard let identifier = Identifier(rawValue: raw), identifier.isAllowed(in: place) else {
      throw .malformed("property \(raw) in \(place)")
    }
    self.identifier = identifier
    switch identifier.kind {
    case .flag:
      let value = try buffer.readByte("property")
      guard value <= 1 else { throw .protocolError("\(identifier) is \(value); only 0 and 1 are allowed") }
      self.value = .byte(value)
    case .twoBytes: value = .twoBytes(try buffer.readTwoBytes("property"))
    case .fourBytes: value = .fourBytes(try buffer.readFourBytes("property"))
    case .variableByteInteger:
      guard let value = try buffer.readVariableByteInteger(.v5) else { throw .endsIn("property") }
      self.value = .variableByteInteger(value)
    case .text: value = .text(try buffer.readText("property"))
    case .binary: value = .binary(try buffer.readBinary("property"))
    case .pair: value = .pair(try buffer.readText("user property"), try buffer.readText("user property"))
    }
    switch (identifier, value) {
    case (.receiveMaximum, .twoBytes(0)), (.maximumPacketSize, .fourBytes(0)),
      (.subscriptionIdentifier, .variableByteInteger(0)):
      throw .protocolError("\(identifier) is 0")
    case (.topicAlias, .twoBytes(0)):
      throw PacketError(.topicAliasInvalid, "topic alias 0")
    case (.responseTopic, .text(let topic)) where !topic.isTopicName:
      // [MQTT-3.3.2-14], [MQTT-4.7.3-1]
      throw .protocolError("\(place) with a response topic that is empty or has a wildcard")
    default: break
    }
  }

  func write(to buffer: inout ByteBuffer) {
    buffer.writeInteger(identifier.rawValue)
    switch value {
    case .byte(let value): buffer.writeInteger(value)
    case .twoBytes(let value): buffer.writeInteger(value)
    case .fourBytes(let value): buffer.writeInteger(value)
    case .variableByteInteger(let value): buffer.writeVariableByteInteger(value)
    case .text(let value): buffer.writeText(value)
    case .binary(let value): buffer.writeBinary(value)
    case .pair(let name, let value):
      buffer.writeText(name)
      buffer.writeText(value)
    }
  }

  /// The bytes that the property takes on the wire.
  var size: Int {
    let size =
      switch value {
      case .byte: 1
      case .twoBytes: 2
      case .fourBytes: 4
      case .variableByteInteger(let value): value.variableByteCount
      case .text(let value): 2 + value.utf8.count
      case .binary(let value): 2 + value.readableBytes
      case .pair(let name, let value): 4 + name.utf8.count + value.utf8.count
      }
    return 1 + size
  }

  /// Whether a receiver would take the value: it is of the identifier's type, its lengths fit the wire, and it is none
  /// that the specification rules out.
  /// Of a topic alias the session says so itself, with its own words.
  var isEncodable: Bool {
    switch (identifier, value) {
    case (.receiveMaximum, .twoBytes(0)), (.maximumPacketSize, .fourBytes(0)),
      (.subscriptionIdentifier, .variableByteInteger(0)):
      return false
    case (.responseTopic, .text(let topic)) where !topic.isTopicName: return false
    default: break
    }
    let most = Int(UInt16.max)
    return switch (identifier.kind, value) {
    case (.text, .text(let value)): value.utf8.count <= most && !value.utf8.contains(0)
    case (.binary, .binary(let value)): value.readableBytes <= most
    case (.pair, .pair(let name, let value)):
      name.utf8.count <= most && value.utf8.count <= most && !name.utf8.contains(0) && !value.utf8.contains(0)
    case (.variableByteInteger, .variableByteInteger(let value)): value <= .largestVariableByteInteger
    case (.flag, .byte(let value)): value <= 1
    case (.twoBytes, .twoBytes), (.fourBytes, .fourBytes): true
    default: false
    }
  }
}

extension String {
  /// Not empty, and no wildcard in it; looked for in bytes, since Swift joins a `+` to an accent that follows it.
  fileprivate var isTopicName: Bool {
    !isEmpty && !utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
  }
}
