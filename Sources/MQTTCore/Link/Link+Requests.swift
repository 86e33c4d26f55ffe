import NIOCore

/// What an owner asks for on a connection; what cannot be done now is refused and leaves nothing behind.
extension Link {
  /// How many more messages of this QoS can be published now; 0 while the transport is full. On a server of 3.1.1 there
  /// is less room for QoS 2 than for QoS 1.
  ///
  /// It changes nothing. It is `mutating` because callers ask for each message, and the compiler would copy the whole
  /// value.
  public mutating func room(for qos: QoS) -> Int { isWritable ? session.room(for: qos) : 0 }

  /// Whether the transport takes more bytes without piling them up.
  public var takesBytes: Bool { isWritable }

  /// When the last byte of the server came; nil: none ever did.
  package var lastHeard: Instant? { session.lastHeard }

  /// Messages are answered when `accept` says so, whatever the settings say, and at once: the owner recognizes by itself
  /// what a server sends again to another process, so nothing of that is stored and no PUBREC waits for a disk.
  package mutating func acknowledgesByHand() {
    settings.acceptsAtOnce = false
    session.received.isKept = false
  }

  /// Subscribes; `MQTTSession.Action.answered` brings a code for each filter.
  public mutating func subscribe(
    _ subscriptions: [Subscription], properties: Properties = Properties(), token: MQTTSession.Token, at now: Instant,
    into effects: inout Effects
  ) throws(MQTTSession.Rejection) {
    try session.subscribe(subscriptions, properties: properties, token: token, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// Unsubscribes; `MQTTSession.Action.answered` brings a code for each filter.
  ///
  /// - Throws: as `MQTTSession.unsubscribe`.
  public mutating func unsubscribe(
    _ filters: [TopicFilter], properties: Properties = Properties(), token: MQTTSession.Token, at now: Instant,
    into effects: inout Effects
  ) throws(MQTTSession.Rejection) {
    try session.unsubscribe(filters, properties: properties, token: token, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// Authenticates again on a connection that is up (§4.12.1).
  public mutating func reauthenticate(
    _ data: ByteBuffer?, at now: Instant, into effects: inout Effects
  ) throws(MQTTSession.Rejection) {
    try session.reauthenticate(data, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// The application has a message (`Settings.acceptsAtOnce`): see `MQTTSession.accept`.
  public mutating func accept(
    _ delivery: MQTTSession.Delivery, reasonCode: ReasonCode = .success, at now: Instant, into effects: inout Effects
  ) {
    session.accept(delivery, reasonCode: reasonCode, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// The application could not take a message: see `MQTTSession.leave`.
  public mutating func leave(_ delivery: MQTTSession.Delivery, at now: Instant, into effects: inout Effects) {
    session.leave(delivery, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// Stores a message that waits outside the session: see `MQTTSession.keep`.
  public mutating func keep(
    _ message: Message, token: MQTTSession.Token, at now: Instant, into effects: inout Effects
  ) {
    session.keep(message, token: token, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// Ends a message that was kept and not published.
  public mutating func forget(_ token: MQTTSession.Token, at now: Instant, into effects: inout Effects) {
    session.forget(token, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// What has become of a subscription, under its Subscription Identifier: `subscribed`, `givenBack` or `unsubscribed`.
  package mutating func keep(_ change: SessionChange, at now: Instant, into effects: inout Effects) {
    store(change, nil, at: now, into: &effects)
  }
}
