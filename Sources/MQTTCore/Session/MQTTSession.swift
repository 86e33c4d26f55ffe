import LimpetInstants
import NIOCore

/// The client's side of an MQTT session, over any number of connections (MQTT 5.0 §4.1).
///
/// A value that takes packets, requests and the time, and appends what its owner has to do to `actions`; it owns no
/// clock, socket, task or lock. Everything that lasts between connections is here and not in `Connection`: messages
/// under way, received QoS 2 identifiers, the next packet identifier.
///
/// Phases: `disconnected` –connect→ `connecting` –CONNACK→ `connected` –(any end)→ `closing` –transportClosed→
/// `disconnected`. After `close` nothing more is sent, and what still arrives is dropped.
public struct MQTTSession: Sendable {
  /// A moment of the clock that measures: monotonic, suspend included.
  public typealias Instant = BootClock.Instant

  enum Phase: Sendable {
    case disconnected
    case connecting(Connect, ProtocolVersion)
    case connected
    case closing
  }

  /// What holds for one connection only.
  struct Connection: Sendable {
    /// On a server that allows nothing.
    static let none = Connection(version: .v5, limits: .nothing, receiveMaximum: 0, topicAliasMaximum: 0)

    let version: ProtocolVersion
    let limits: ServerLimits
    /// What this side announced in CONNECT.
    let receiveMaximum: UInt16
    let topicAliasMaximum: UInt16
    var inboundAliases: [UInt16: TopicName] = [:]
    /// QoS 1 and 2 messages from the server whose course is not over ([MQTT-3.3.4-9]).
    var incoming: Set<PacketIdentifier> = []
    /// Those of them that the application has and the server has no answer for, in the order they came.
    var unanswered: [Unanswered] = []
    /// SUBSCRIBE and UNSUBSCRIBE that wait for their answer, with the number of filters.
    var requests: [PacketIdentifier: Request] = [:]
    /// Messages that wait for room to be sent again, the oldest last.
    var resends = OutgoingMessages.Row()
    /// Messages that the server had no place for: each is sent again after this.
    var holds: [PacketIdentifier: Hold] = [:]
    var outboundAliases = OutboundAliases(maximum: 0)
    /// Seconds that CONNECT asked the session to outlive the connection.
    var sessionExpiry: UInt32 = 0
    /// CONNECT asked for reasons and user properties wherever there are some (§3.1.2.11.7).
    var takesProblemInformation = true
    /// What CONNECT named for enhanced authentication.
    var authenticationMethod: String?
    var isReauthenticating = false
  }

  /// A message that was delivered.
  struct Unanswered: Sendable {
    enum Fate: Sendable, Hashable {
      case undecided
      case accepted(ReasonCode)
      case left
    }

    let identifier: PacketIdentifier
    let qos: QoS
    var fate = Fate.undecided
  }

  struct Request: Sendable {
    let token: Token
    let answer: PacketType
    let filters: Int
  }

  private(set) var phase = Phase.disconnected
  /// Beside the phase and neither its payload nor optional: each packet touches some of it, and either way all of it
  /// would be copied each time. While there is no connection it allows nothing.
  var link = Connection.none
  /// There while connected, unless the server granted none.
  var keepAlive: KeepAlive?
  /// When the last byte of the server came, on this connection or an earlier one; nil: none ever did.
  package private(set) var lastHeard: Instant?
  private(set) var connections: UInt64 = 0
  private var isVisit = false
  /// The server waits for the answer to a challenge.
  var isChallenged = false
  var outgoing = OutgoingMessages()
  var nextIdentifier = PacketIdentifier.first
  /// The client identifier that all of this belongs to ([MQTT-3.1.3-2]).
  private var clientIdentifier: String?
  /// QoS 2 messages that were received and not yet released (§4.3.3).
  var received = Received()

  /// Whether what lasts is kept beyond the process too.
  let isStored: Bool
  var lastTicket: StoreTicket = 0
  var storedTicket: StoreTicket = 0
  var unstored = UnstoredPackets()

  /// How often the session kept a message because the server had no room for it.
  public internal(set) var retries: UInt64 = 0
  /// How many messages may be under way, if the server allows more; with those that may not wait, twice as many.
  public let inFlightLimit: Int
  /// A server of 3.1.1 cannot say how many messages it takes at once. mosquitto takes so many of QoS 2 where its
  /// `max_inflight_messages` is not set, and drops those beyond that it has answered with PUBREC: measured, 20 of 40.
  static let exactlyOnceLimit = 20
  /// One place of the server's Receive Maximum is reserved for messages that may not wait; false if you send none.
  public var keepsPlace = true
  /// See `Link.Settings`.
  package var mutation: Mutation?
  /// Topics are sent as numbers where the server allows it (MQTT 5.0 §3.3.2.3.4); it holds from the next connection on.
  public var usesTopicAliases = true
  /// The owner reads nothing for now: the session does not treat silence of the server as a loss.
  public var isReadingPaused = false
  /// Messages go one at a time, so that it is certain on which message a server closes; set it while there is no
  /// connection.
  public var isCautious = false
  /// Whether "session present" may be believed: this side knows what state it left on that server.
  public private(set) var isResumable: Bool

  /// - Parameters:
  ///   - inFlightLimit: how many messages of QoS 1 and 2 are under way at most, 1 to 65,535, if the server allows more.
  ///   - isResumable: whether a "session present" may be believed, since this side has the state that belongs to it.
  ///   - isStored: the owner stores changes (`Action.store`), and calls `stored(through:)` when they are stored.
  public init(inFlightLimit: Int = 100, isResumable: Bool = false, isStored: Bool = false) {
    self.inFlightLimit = min(max(inFlightLimit, 1), Int(UInt16.max))
    self.isResumable = isResumable
    self.isStored = isStored
  }

  /// Goes on where another process left off; `SessionState.waiting` is left to the caller.
  public init(
    restoring state: SessionState, inFlightLimit: Int = 100, isResumable: Bool, isStored: Bool = true
  ) {
    self.init(inFlightLimit: inFlightLimit, isResumable: isResumable, isStored: isStored)
    nextIdentifier = state.nextIdentifier
    received.identifiers = state.received
    clientIdentifier = state.owner?.clientIdentifier
    for identifier in state.held.sorted(by: { $0.rawValue < $1.rawValue }) {
      let nothing = Message(topic: .aliased, payload: ByteBuffer(), qos: .exactlyOnce)
      outgoing.insert(.init(nothing, token: nil, state: .released), identifier)
    }
    var used = Set(state.messages.compactMap(\.state.identifier))
    for stored in state.underWay {
      switch stored.state {
      case .queued:
        while used.contains(nextIdentifier), used.count < Int(UInt16.max) { nextIdentifier = nextIdentifier.next }
        guard let identifier = takeIdentifier() else { break }
        used.insert(identifier)
        outgoing.insert(.init(stored.message, token: stored.token), identifier)
      case .published(let identifier):
        outgoing.insert(.init(stored.message, token: stored.token, state: .published), identifier)
      case .released(let identifier):
        outgoing.insert(.init(stored.message, token: stored.token, state: .released), identifier)
      }
    }
  }

  /// CONNACK agreed, and neither side has ended the connection.
  public var isConnected: Bool { if case .connected = phase { true } else { false } }

  var version: ProtocolVersion { link.version }

  /// When to call `tick` at the latest.
  public var deadline: Instant? {
    guard let held = link.holds.values.lazy.map(\.until).min() else { return keepAlive?.deadline }
    return min(keepAlive?.deadline ?? held, held)
  }

  // MARK: A connection's life

  /// The messages of an earlier process go on from now: their expiry counts, with or without a connection.
  public mutating func start(at now: Instant) { outgoing.countExpiry(from: now) }

  /// The transport is there: sends CONNECT. With `isVisit` the owner leaves this connection again at once, so the session
  /// sends nothing else on it.
  public mutating func connect(
    _ connect: Connect, version: ProtocolVersion, isVisit: Bool = false, into actions: inout [Action]
  ) {
    phase = .connecting(connect, version)
    self.isVisit = isVisit
    connections += 1
    isChallenged = false
    if let clientIdentifier, clientIdentifier != connect.clientIdentifier { isResumable = false }
    actions.append(.send(.connect(connect)))
  }

  /// The session does not believe the next "session present": another server or another client had the session since.
  public mutating func distrust() { isResumable = false }

  /// Time has passed. The owner has read what waited in the transport before ([MQTT-3.1.2-22] is the server's half of
  /// this).
  public mutating func tick(at now: Instant, into actions: inout [Action]) {
    if !link.holds.isEmpty { endHolds(at: now, into: &actions) }
    if isReadingPaused { keepAlive?.received(at: now) }
    switch keepAlive?.verdict(at: now) {
    case .sendPing: send(.pingreq, at: now, into: &actions)
    case .lost: close(.keepAliveTimeout, into: &actions)
    case .fine, nil: break
    }
  }

  /// Ends the connection with a DISCONNECT. On 3.1.1 the reason is not sent; `disconnectWithWill` then closes without
  /// one, which makes the server publish the will all the same.
  public mutating func disconnect(
    reasonCode: ReasonCode = .success, properties: Properties = Properties(), into actions: inout [Action]
  ) {
    switch phase {
    case .connected:
      if version == .v5 || reasonCode == .success {
        actions.append(.send(.disconnect(goodBye(reasonCode, properties))))
      }
      close(.requested, into: &actions)
    case .connecting: close(.requested, into: &actions)
    case .disconnected, .closing: break
    }
  }

  /// What may be said of that: a code of DISCONNECT ([MQTT-3.14.2-1]), no session expiry where CONNECT had none
  /// (§3.14.2.2.2), no words that the server has no room for ([MQTT-3.14.2-3], [MQTT-3.14.2-4]).
  private func goodBye(_ reasonCode: ReasonCode, _ properties: Properties) -> Disconnect {
    let code = reasonCode.isAllowed(in: .disconnect) ? reasonCode : .unspecifiedError
    var full = Disconnect(reasonCode: code, properties: properties)
    if link.sessionExpiry == 0 { full.properties.sessionExpiryInterval = nil }
    var bytes = ByteBuffer()
    if full.properties.isEncodable(in: .packet(.disconnect)) {
      full.encode(into: &bytes, version)
      if rejection(ofBytes: bytes.readableBytes) == nil { return full }
    }
    var short = Disconnect(reasonCode: code)
    short.properties.sessionExpiryInterval = full.properties.sessionExpiryInterval
    return short
  }

  /// The bytes from the server are no packet.
  public mutating func received(_ error: PacketError, into actions: inout [Action]) {
    fail(error, into: &actions)
  }

  /// The transport is gone, for whatever reason. The session gives up messages that were for this connection only.
  public mutating func transportClosed(into actions: inout [Action]) {
    leaveConnection(for: .disconnected, into: &actions)
    // What waited for the store is sent again in its course, or by the server.
    unstored = UnstoredPackets()
    for identifier in outgoing.transients { giveUp(identifier, .abandoned, into: &actions) }
  }

  /// The other side lives: part of a packet has come.
  public mutating func heard(at now: Instant) {
    lastHeard = now
    keepAlive?.received(at: now, isPart: true)
  }

  /// The other side has received more of what was sent before a PINGREQ.
  public mutating func taken(at now: Instant) { keepAlive?.taken(at: now) }

  // MARK: Packets from the server

  /// A packet from the server. One that must not come now ends the connection with the code of §4.13.
  public mutating func receive(_ packet: Packet, at now: Instant, into actions: inout [Action]) {
    switch phase {
    case .connecting(let connect, let version): receiveFirst(packet, connect, version, at: now, into: &actions)
    case .connected:
      lastHeard = now
      keepAlive?.received(at: now)
      receiveConnected(packet, at: now, into: &actions)
    case .disconnected, .closing: break
    }
  }

  private mutating func receiveFirst(
    _ packet: Packet, _ connect: Connect, _ version: ProtocolVersion, at now: Instant, into actions: inout [Action]
  ) {
    if case .auth(let auth) = packet { return receive(auth, into: &actions) }
    guard case .connack(let connack) = packet else {
      return fail(.protocolError("\(packet.type) before CONNACK"), into: &actions)  // [MQTT-3.2.0-1]
    }
    let limits = ServerLimits(connack, answering: connect, version)
    guard connack.reasonCode == .success else {
      let reason = connack.properties.reasonString
      remark(.connack, connack.reasonCode, connack.properties, into: &actions)
      return close(
        .refused(connack.reasonCode, reason: reason, serverReference: limits.serverReference), into: &actions)
    }
    let method = version == .v5 ? connect.properties.authenticationMethod : nil
    guard connack.properties.authenticationMethod == method else {
      // [MQTT-4.12.0-5], [MQTT-4.12.0-6]
      return fail(PacketError(.badAuthenticationMethod, "CONNACK with another method"), into: &actions)
    }
    guard !connack.sessionPresent || !connect.cleanStart else {
      return fail(.protocolError("session present after a clean start"), into: &actions)  // [MQTT-3.2.2-2]
    }
    guard !connack.sessionPresent || isResumable else {
      // As one that is lost: a will that was taken back would leave what an earlier process has retained to say that it is
      // there, and stay so if this one died before its next CONNECT ([MQTT-3.1.2-8]).
      if version == .v5 { actions.append(.send(.disconnect(Disconnect(reasonCode: .disconnectWithWill)))) }
      return close(.unknownSession, into: &actions)
    }
    isResumable = true
    clientIdentifier = limits.clientIdentifier
    link = Connection(
      version: version, limits: limits,
      receiveMaximum: version == .v5 ? connect.properties.receiveMaximum ?? .max : .max,
      topicAliasMaximum: connect.properties.topicAliasMaximum ?? 0,
      outboundAliases: OutboundAliases(maximum: version == .v5 && usesTopicAliases ? limits.topicAliasMaximum : 0),
      sessionExpiry: connect.properties.sessionExpiryInterval ?? 0,
      takesProblemInformation: connect.properties.requestProblemInformation ?? true, authenticationMethod: method)
    if limits.keepAlive > 0 {
      keepAlive = KeepAlive(interval: .seconds(Int64(limits.keepAlive)), now: now)
    }
    lastHeard = now
    phase = .connected
    actions.append(
      .connected(
        Connected(
          version: version, sessionPresent: connack.sessionPresent, limits: limits, properties: connack.properties)))
    if let data = connack.properties.authenticationData { actions.append(.authenticated(data)) }
    if !isVisit { resume(sessionPresent: connack.sessionPresent, at: now, into: &actions) }
  }

  private mutating func receiveConnected(_ packet: Packet, at now: Instant, into actions: inout [Action]) {
    if !link.takesProblemInformation, packet.hasProblemInformation {
      return fail(.protocolError("\(packet.type) with problem information"), into: &actions)  // [MQTT-3.1.2-29]
    }
    switch packet {
    case .publish(let publish): receive(publish, at: now, into: &actions)
    case .pubrel(let release): receiveRelease(release, at: now, into: &actions)
    case .puback(let answer): receiveAck(answer, at: now, into: &actions)
    case .pubrec(let answer): receiveReceived(answer, at: now, into: &actions)
    case .pubcomp(let answer): receiveComplete(answer, at: now, into: &actions)
    case .suback(let answer), .unsuback(let answer): receive(answer, packet.type, into: &actions)
    case .pingresp: break
    case .disconnect(let disconnect): receive(disconnect, into: &actions)
    case .auth(let auth): receive(auth, into: &actions)
    case .connect, .connack, .subscribe, .unsubscribe, .pingreq:
      fail(.protocolError("\(packet.type) from a server"), into: &actions)
    }
  }

  private mutating func receive(_ disconnect: Disconnect, into actions: inout [Action]) {
    guard version == .v5 else {
      return fail(.protocolError("DISCONNECT from a server of 3.1.1"), into: &actions)
    }
    guard disconnect.properties.sessionExpiryInterval == nil else {
      return fail(.protocolError("DISCONNECT with a session expiry from a server"), into: &actions)  // [MQTT-3.14.2-2]
    }
    remark(.disconnect, disconnect.reasonCode, disconnect.properties, into: &actions)
    close(
      .disconnectedByServer(
        disconnect.reasonCode, reason: disconnect.properties.reasonString,
        serverReference: disconnect.properties.serverReference), into: &actions)
  }

  // MARK: What all of it uses

  /// Closes with the reason that the specification gives (§4.13); 3.1.1 has no words for it.
  mutating func fail(_ error: PacketError, into actions: inout [Action]) {
    switch phase {
    case .connected:
      if version == .v5 {
        // Some codes are for CONNACK only.
        let code = error.reasonCode.isAllowed(in: .disconnect) ? error.reasonCode : .protocolError
        actions.append(.send(.disconnect(Disconnect(reasonCode: code))))
      }
      close(.violation(error), into: &actions)
    // Before CONNACK a client may only send AUTH besides CONNECT ([MQTT-4.12.0-3]), so it just closes.
    case .connecting: close(.violation(error), into: &actions)
    case .disconnected, .closing: break
    }
  }

  mutating func close(_ ending: Ending, into actions: inout [Action]) {
    leaveConnection(for: .closing, into: &actions)
    actions.append(.close(ending))
  }

  /// No SUBACK or UNSUBACK comes any more: requests that wait for one get that answer.
  private mutating func leaveConnection(for phase: Phase, into actions: inout [Action]) {
    for token in link.requests.values.map(\.token).sorted() { actions.append(.settled(token, .abandoned)) }
    self.phase = phase
    link = .none
    keepAlive = nil
  }

  /// The next identifier that nothing under way uses ([MQTT-2.2.1-3]); nil when all 65,535 are in use.
  mutating func takeIdentifier() -> PacketIdentifier? {
    for _ in 0..<Int(UInt16.max) {
      let candidate = nextIdentifier
      nextIdentifier = candidate.next
      if outgoing[candidate] == nil && link.requests[candidate] == nil { return candidate }
    }
    return nil
  }
}

/// In this package, where no other session is near.
package typealias Session = MQTTSession
