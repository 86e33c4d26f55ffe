import NIOCore

/// The properties of a packet or a will (MQTT 5.0 §2.2.2), in the order in which they stand on the wire. Empty on 3.1.1.
public struct Properties: Sendable, Hashable {
  /// Each with its identifier. User properties, and a PUBLISH's Subscription Identifiers, may come more than once.
  public private(set) var all: [Property] = []

  /// No properties: a single byte 0 on the wire ([MQTT-2.2.2-1]).
  public init() {}

  /// What the properties belong to; the will's stand in the payload of CONNECT (§3.1.3.2).
  enum Place: Hashable, CustomStringConvertible {
    case packet(PacketType)
    case will

    func isOne(of packets: [PacketType]) -> Bool {
      if case .packet(let type) = self { packets.contains(type) } else { false }
    }

    var description: String {
      switch self {
      case .packet(let type): type.description
      case .will: "a will"
      }
    }
  }

  /// Whether there is no property, user properties included.
  public var isEmpty: Bool { all.isEmpty }

  init(reading buffer: inout ByteBuffer, in place: Place) throws(PacketError) {
    guard let length = try buffer.readVariableByteInteger(.v5), var slice = buffer.readSlice(length: Int(length)) else {
      throw .endsIn("properties")
    }
    var seen: UInt64 = 0
    while slice.readableBytes > 0 {
      let property = try Property(reading: &slice, in: place)
      let bit: UInt64 = 1 << UInt64(property.identifier.rawValue)
      if seen & bit != 0 && !property.identifier.mayRepeat(in: place) {
        throw .protocolError("\(property.identifier) twice in \(place)")
      }
      seen |= bit
      all.append(property)
    }
    if seen & (1 << 0x16) != 0 && seen & (1 << 0x15) == 0 {
      // §3.1.2.11.10: it is a protocol error to include authentication data without an authentication method.
      throw .protocolError("authentication data without a method in \(place)")
    }
  }

  func write(to buffer: inout ByteBuffer) {
    guard !all.isEmpty else {
      buffer.writeInteger(UInt8(0))
      return
    }
    buffer.writeVariableByteInteger(UInt32(size))
    for property in all { property.write(to: &buffer) }
  }

  /// The bytes on the wire, without the length in front of them.
  var size: Int { all.reduce(0) { $0 + $1.size } }

  var isEncodable: Bool { all.allSatisfy(\.isEncodable) }

  /// Whether a receiver would take the properties there: each may stand in that place, and only those come twice that may.
  func isEncodable(in place: Place) -> Bool {
    var seen: UInt64 = 0
    for property in all {
      let identifier = property.identifier
      let bit: UInt64 = 1 << UInt64(identifier.rawValue)
      guard identifier.isAllowed(in: place), seen & bit == 0 || identifier.mayRepeat(in: place), property.isEncodable
      else { return false }
      seen |= bit
    }
    return authenticationData == nil || authenticationMethod != nil
  }

  // MARK: One value a property

  /// The first property with this identifier. Setting it replaces that one, or adds one behind all others; nil removes
  /// all with this identifier. A value of another type than the identifier's cannot be sent.
  public subscript(identifier: Property.Identifier) -> Property.Value? {
    get { all.first { $0.identifier == identifier }?.value }
    set {
      let index = all.firstIndex { $0.identifier == identifier }
      switch (index, newValue) {
      case (let index?, let value?): all[index] = Property(identifier: identifier, value: value)
      case (_?, nil): all.removeAll { $0.identifier == identifier }
      case (nil, let value?): all.append(Property(identifier: identifier, value: value))
      case (nil, nil): break
      }
    }
  }

  private func text(_ identifier: Property.Identifier) -> String? {
    if case .text(let value)? = self[identifier] { value } else { nil }
  }

  private func number(_ identifier: Property.Identifier) -> UInt32? {
    switch self[identifier] {
    case .byte(let value): UInt32(value)
    case .twoBytes(let value): UInt32(value)
    case .fourBytes(let value), .variableByteInteger(let value): value
    default: nil
    }
  }

  private func data(_ identifier: Property.Identifier) -> ByteBuffer? {
    if case .binary(let value)? = self[identifier] { value } else { nil }
  }

  private func flag(_ identifier: Property.Identifier) -> Bool? { number(identifier).map { $0 != 0 } }

  private static func flag(_ value: Bool?) -> Property.Value? { value.map { .byte($0 ? 1 : 0) } }
}

/// The properties by name. Intervals are in seconds.
extension Properties {
  /// 1: the payload is UTF-8 text (§3.3.2.3.2).
  public var payloadFormatIndicator: Bool? {
    get { flag(.payloadFormatIndicator) }
    set { self[.payloadFormatIndicator] = Self.flag(newValue) }
  }
  /// Seconds that the server may keep the message for subscribers (§3.3.2.3.3).
  public var messageExpiryInterval: UInt32? {
    get { number(.messageExpiryInterval) }
    set { self[.messageExpiryInterval] = newValue.map { .fourBytes($0) } }
  }
  /// What the payload is, in a form that publisher and subscriber agree on, such as a MIME type (§3.3.2.3.9).
  public var contentType: String? {
    get { text(.contentType) }
    set { self[.contentType] = newValue.map { .text($0) } }
  }
  /// The topic for the response (§3.3.2.3.5, §4.10); no wildcards ([MQTT-3.3.2-14]).
  public var responseTopic: String? {
    get { text(.responseTopic) }
    set { self[.responseTopic] = newValue.map { .text($0) } }
  }
  /// Identifies the request: the response carries the same (§3.3.2.3.6, §4.10).
  public var correlationData: ByteBuffer? {
    get { data(.correlationData) }
    set { self[.correlationData] = newValue.map { .binary($0) } }
  }
  /// 1 to 268,435,455 (§3.8.2.1.2).
  public var subscriptionIdentifier: UInt32? {
    get { number(.subscriptionIdentifier) }
    set { self[.subscriptionIdentifier] = newValue.map { .variableByteInteger($0) } }
  }
  /// All Subscription Identifiers: a PUBLISH has one for each subscription that it matched (§3.3.2.3.8).
  public var subscriptionIdentifiers: [UInt32] {
    all.compactMap { if case .variableByteInteger(let value) = $0.value { value } else { nil } }
  }
  /// 0xFFFFFFFF: the session never expires (§3.1.2.11.2).
  public var sessionExpiryInterval: UInt32? {
    get { number(.sessionExpiryInterval) }
    set { self[.sessionExpiryInterval] = newValue.map { .fourBytes($0) } }
  }
  /// In CONNACK: the client identifier that the server made, since CONNECT had none (§3.2.2.3.7, [MQTT-3.2.2-16]).
  public var assignedClientIdentifier: String? {
    get { text(.assignedClientIdentifier) }
    set { self[.assignedClientIdentifier] = newValue.map { .text($0) } }
  }
  /// In CONNACK: seconds that replace CONNECT's keep alive (§3.2.2.3.14, [MQTT-3.2.2-21]).
  public var serverKeepAlive: UInt16? {
    get { number(.serverKeepAlive).map { UInt16(truncatingIfNeeded: $0) } }
    set { self[.serverKeepAlive] = newValue.map { .twoBytes($0) } }
  }
  /// The name of the method of an enhanced authentication (§3.1.2.11.9, §4.12).
  public var authenticationMethod: String? {
    get { text(.authenticationMethod) }
    set { self[.authenticationMethod] = newValue.map { .text($0) } }
  }
  /// Data in the form of the authentication method; only together with a method (§3.1.2.11.10).
  public var authenticationData: ByteBuffer? {
    get { data(.authenticationData) }
    set { self[.authenticationData] = newValue.map { .binary($0) } }
  }
  /// In CONNECT: false asks the server to send reason strings and user properties only in PUBLISH, CONNACK and
  /// DISCONNECT; true if missing (§3.1.2.11.7, [MQTT-3.1.2-29]).
  public var requestProblemInformation: Bool? {
    get { flag(.requestProblemInformation) }
    set { self[.requestProblemInformation] = Self.flag(newValue) }
  }
  /// Of a will: seconds from the connection's end until the server publishes it, at the latest when the session ends; 0
  /// if missing (§3.1.3.2.2).
  public var willDelayInterval: UInt32? {
    get { number(.willDelayInterval) }
    set { self[.willDelayInterval] = newValue.map { .fourBytes($0) } }
  }
  /// In CONNECT: true asks for Response Information; false where it is missing (§3.1.2.11.6).
  public var requestResponseInformation: Bool? {
    get { flag(.requestResponseInformation) }
    set { self[.requestResponseInformation] = Self.flag(newValue) }
  }
  /// In CONNACK: what response topics may begin with; its form is up to the server (§3.2.2.3.15).
  public var responseInformation: String? {
    get { text(.responseInformation) }
    set { self[.responseInformation] = newValue.map { .text($0) } }
  }
  /// In CONNACK and DISCONNECT: another server to use (§3.2.2.3.16, §3.14.2.2.5, §4.11).
  public var serverReference: String? {
    get { text(.serverReference) }
    set { self[.serverReference] = newValue.map { .text($0) } }
  }
  /// The reason, for people and logs, not for programs (§3.4.2.2.2).
  public var reasonString: String? {
    get { text(.reasonString) }
    set { self[.reasonString] = newValue.map { .text($0) } }
  }
  /// QoS 1 and 2 messages that may be unacknowledged at once; 65,535 where it is missing (§3.1.2.11.3).
  public var receiveMaximum: UInt16? {
    get { number(.receiveMaximum).map { UInt16(truncatingIfNeeded: $0) } }
    set { self[.receiveMaximum] = newValue.map { .twoBytes($0) } }
  }
  /// The highest topic alias that the sender of this packet accepts; 0 (none) if missing (§3.1.2.11.5, §3.2.2.3.8).
  public var topicAliasMaximum: UInt16? {
    get { number(.topicAliasMaximum).map { UInt16(truncatingIfNeeded: $0) } }
    set { self[.topicAliasMaximum] = newValue.map { .twoBytes($0) } }
  }
  /// 1 to 65,535: the number that stands for the topic on this connection (§3.3.2.3.4, [MQTT-3.3.2-8]).
  /// `MQTTSession` chooses aliases when it sends, and removes them from messages that it delivers.
  public var topicAlias: UInt16? {
    get { number(.topicAlias).map { UInt16(truncatingIfNeeded: $0) } }
    set { self[.topicAlias] = newValue.map { .twoBytes($0) } }
  }
  /// The highest QoS that the server accepts; QoS 2 if missing (§3.2.2.3.4).
  public var maximumQoS: QoS? {
    get { number(.maximumQoS).flatMap { QoS(rawValue: UInt8(truncatingIfNeeded: $0)) } }
    set { self[.maximumQoS] = newValue.map { .byte($0.rawValue) } }
  }
  /// In CONNACK: the server keeps retained messages; true if missing (§3.2.2.3.5).
  public var retainAvailable: Bool? {
    get { flag(.retainAvailable) }
    set { self[.retainAvailable] = Self.flag(newValue) }
  }
  /// The names and values in their order (§3.1.2.11.8); a name may come more than once.
  public var userProperties: [(name: String, value: String)] {
    all.compactMap { if case .pair(let name, let value) = $0.value { (name, value) } else { nil } }
  }
  /// Adds a user property behind all others, even if there is one with this name (§3.1.2.11.8). Name and value have at
  /// most 65,535 bytes of UTF-8 each.
  public mutating func addUserProperty(_ name: String, _ value: String) {
    all.append(Property(identifier: .userProperty, value: .pair(name, value)))
  }
  /// In bytes, of a whole packet (§3.1.2.11.4).
  public var maximumPacketSize: UInt32? {
    get { number(.maximumPacketSize) }
    set { self[.maximumPacketSize] = newValue.map { .fourBytes($0) } }
  }
  /// In CONNACK: filters may have wildcards; true where it is missing (§3.2.2.3.11).
  public var wildcardSubscriptionAvailable: Bool? {
    get { flag(.wildcardSubscriptionAvailable) }
    set { self[.wildcardSubscriptionAvailable] = Self.flag(newValue) }
  }
  /// In CONNACK: SUBSCRIBE may carry a Subscription Identifier; true where it is missing (§3.2.2.3.12).
  public var subscriptionIdentifierAvailable: Bool? {
    get { flag(.subscriptionIdentifierAvailable) }
    set { self[.subscriptionIdentifierAvailable] = Self.flag(newValue) }
  }
  /// In CONNACK: filters may be shared; true where it is missing (§3.2.2.3.13).
  public var sharedSubscriptionAvailable: Bool? {
    get { flag(.sharedSubscriptionAvailable) }
    set { self[.sharedSubscriptionAvailable] = Self.flag(newValue) }
  }
}
