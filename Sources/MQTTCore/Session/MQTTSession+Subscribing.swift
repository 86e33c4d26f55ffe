import LimpetInstants
import NIOCore

/// SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 §3.8, §3.10).
extension MQTTSession {
  /// Subscribes; `answered` brings a code for each filter.
  public mutating func subscribe(
    _ subscriptions: [Subscription], properties: Properties = Properties(), token: Token, at now: Instant,
    into actions: inout [Action]
  ) throws(Rejection) {
    guard isConnected else { throw .notConnected }
    let limits = link.limits
    guard !subscriptions.isEmpty else { throw .notEncodable }  // [MQTT-3.8.3-2]
    for subscription in subscriptions {
      let filter = subscription.filter
      if filter.isShared && subscription.noLocal { throw .featureNotSupported(.protocolError) }  // [MQTT-3.8.3-4]
      if filter.isShared && !limits.sharedSubscriptionAvailable {
        throw .featureNotSupported(.sharedSubscriptionsNotSupported)
      }
      if !limits.wildcardSubscriptionAvailable && filter.description.contains(where: { "+#".contains($0) }) {
        throw .featureNotSupported(.wildcardSubscriptionsNotSupported)
      }
    }
    if properties.subscriptionIdentifier != nil && !limits.subscriptionIdentifierAvailable {
      throw .featureNotSupported(.subscriptionIdentifiersNotSupported)
    }
    guard properties.isEncodable(in: .packet(.subscribe)) else { throw .notEncodable }
    try request(.suback, filters: subscriptions.count, token: token, at: now, into: &actions) {
      .subscribe(Subscribe($0, subscriptions: subscriptions, properties: properties))
    }
  }

  /// Unsubscribes; `answered` brings a code for each filter, on 3.1.1 success.
  ///
  /// - Throws: `notConnected`; `notEncodable` where there is no filter, or a property that UNSUBSCRIBE has not;
  ///   `tooLarge` for the server; `noRoom` where all 65,535 identifiers are in use.
  public mutating func unsubscribe(
    _ filters: [TopicFilter], properties: Properties = Properties(), token: Token, at now: Instant,
    into actions: inout [Action]
  ) throws(Rejection) {
    guard !filters.isEmpty else { throw .notEncodable }  // [MQTT-3.10.3-2]
    guard properties.isEncodable(in: .packet(.unsubscribe)) else { throw .notEncodable }
    try request(.unsuback, filters: filters.count, token: token, at: now, into: &actions) {
      .unsubscribe(Unsubscribe($0, filters: filters, properties: properties))
    }
  }

  private mutating func request(
    _ answer: PacketType, filters: Int, token: Token, at now: Instant, into actions: inout [Action],
    _ packet: (PacketIdentifier) -> Packet
  ) throws(Rejection) {
    guard isConnected else { throw .notConnected }
    guard let identifier = takeIdentifier() else { throw .noRoom }
    let packet = packet(identifier)
    var bytes = ByteBuffer()
    packet.encode(into: &bytes, version)
    if let rejection = rejection(ofBytes: bytes.readableBytes) { throw rejection }  // [MQTT-3.2.2-15]
    link.requests[identifier] = Request(token: token, answer: answer, filters: filters)
    send(packet, at: now, into: &actions)
  }

  mutating func receive(_ answer: SubscriptionAcknowledgement, _ type: PacketType, into actions: inout [Action]) {
    guard let request = link.requests[answer.packetIdentifier] else { return }
    guard request.answer == type else { return fail(.protocolError("\(type) for another request"), into: &actions) }
    let codes =
      type == .unsuback && version == .v311
      ? Array(repeating: ReasonCode.success, count: request.filters) : answer.reasonCodes
    guard codes.count == request.filters else {
      return fail(.protocolError("\(type) with \(codes.count) codes for \(request.filters) filters"), into: &actions)
    }
    link.requests[answer.packetIdentifier] = nil
    if !answer.properties.isEmpty {
      actions.append(
        .remarked(Remark(packet: type, token: request.token, reasonCode: .success, properties: answer.properties)))
    }
    actions.append(.answered(request.token, codes))
  }
}
