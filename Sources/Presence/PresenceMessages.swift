import JSON
import LimpetInstants
import MQTTCore
import NIOCore

/// How the broker answered `online` on this connection.
package enum BirthAnswer: Sendable, Hashable {
  case none
  case acknowledged
  case refused(ReasonCode)
}

/// What the agent says about itself: `status`, which is the will's topic too, and `presence`, which describes the last
/// birth or clean stop (DESIGN, "Topics and payloads").
package struct PresenceMessages: Sendable {
  package let status: TopicName
  package let presence: TopicName
  package let online: String
  package let offline: String
  package let qos: QoS
  package let willDelay: Duration
  /// How often the agent publishes `online` again. On 5 `online` expires after three times this, if it was not
  /// published again. Zero: never.
  package let lease: Duration
  /// Random, new in each process.
  package let instance: String
  /// Of this program.
  package let version: String
  /// The device's, for people.
  package var name: String?

  package init(
    status: TopicName, presence: TopicName, online: String, offline: String, qos: QoS, willDelay: Duration,
    lease: Duration, instance: String, version: String
  ) {
    self.status = status
    self.presence = presence
    self.online = online
    self.offline = offline
    self.qos = qos
    self.willDelay = willDelay
    self.lease = lease
    self.instance = instance
    self.version = version
  }

  package enum Event: String { case birth, stop }

  /// What `status` and `presence` say at one moment.
  package struct Statement {
    package let event: Event
    package let reason: String
    package let epoch: UInt64
    package let since: Timestamp
    package let connection: Session.Connected
    /// Seconds since this device was last known to run, if it did not end cleanly.
    package var goneFor: UInt64?
    /// How the connection reaches the server.
    package var transport = ServerAddress.Transport.tcp
    /// Who uses the same client identifier.
    package var conflict: String?
    /// Why nothing can be stored: messages that wait are in memory only.
    package var storageError: String?
    /// Readings that were given up since the start.
    package var dropped: UInt64 = 0

    package init(
      event: Event, reason: String, epoch: UInt64, since: Timestamp, connection: Session.Connected,
      goneFor: UInt64? = nil, transport: ServerAddress.Transport = ServerAddress.Transport.tcp, conflict: String? = nil,
      storageError: String? = nil, dropped: UInt64 = 0
    ) {
      self.event = event
      self.reason = reason
      self.epoch = epoch
      self.since = since
      self.connection = connection
      self.goneFor = goneFor
      self.transport = transport
      self.conflict = conflict
      self.storageError = storageError
      self.dropped = dropped
    }
  }

  /// The will's flags with a server that accepts them.
  package var willFlags: WillFlags { WillFlags(qos: qos, retain: true) }

  /// Same topic, QoS and retain flag as the birth; it has no expiry, since a lost device stays lost.
  ///
  /// - Parameter flags: what the server accepts, if that is less; nil: `willFlags`.
  package func will(epoch: UInt64, _ version: ProtocolVersion, flags: WillFlags? = nil) -> Message {
    var message = statusMessage(offline, reason: "lost", epoch: epoch, version)
    if let flags { (message.qos, message.retain) = (flags.qos, flags.retain) }
    let delay = UInt32(clamping: willDelay.components.seconds)
    if version == .v5 && delay > 0 { message.properties.willDelayInterval = delay }
    return message
  }

  package func status(_ statement: Statement) -> Message {
    let text = statement.event == .birth ? online : offline
    let message = statusMessage(
      text, reason: statement.reason, epoch: statement.epoch, statement.connection.version)
    return expiring(message, statement).adapted(to: statement.connection.limits)
  }

  /// `offline` on a topic on which an earlier connection published `online`.
  package func offline(to debt: OwedFarewells.Debt, _ statement: Statement) -> Message {
    var message = statusMessage(
      debt.offline, reason: statement.reason, epoch: statement.epoch, statement.connection.version)
    (message.topic, message.qos) = (debt.topic, debt.qos)
    return message.adapted(to: statement.connection.limits)
  }

  package func presence(_ statement: Statement) -> Message {
    var object = JSONObject(capacity: 256)
    object.add("event", statement.event.rawValue)
    object.add("reason", statement.reason)
    object.add("epoch", statement.epoch)
    object.add("instance", instance)
    object.add("since", statement.since.description)
    object.add("version", version)
    object.add("session_present", statement.connection.sessionPresent)
    if let seconds = Self.detectWithin(
      keepAlive: statement.connection.limits.keepAlive, willDelay: effectiveWillDelay(statement.connection.limits),
      statement.connection.version, over: statement.transport)
    {
      object.add("detect_within", seconds)
    } else {
      object.addNull("detect_within")
    }
    object.add("conflict", statement.conflict)
    if let name { object.add("name", name) }
    if let error = statement.storageError { object.add("storage_error", error) }
    if statement.dropped > 0 { object.add("dropped", statement.dropped) }
    if let seconds = statement.goneFor { object.add("gone_for", seconds) }
    let message = Message(topic: presence, payload: object.finish(), qos: qos, retain: true)
    return expiring(message, statement).adapted(to: statement.connection.limits)
  }

  /// The will goes out when its delay is over or when the session ends, whichever is first (MQTT 5.0 §3.1.3.2.2).
  package func effectiveWillDelay(_ limits: ServerLimits) -> Duration {
    min(willDelay, .seconds(Int64(limits.sessionExpiry)))
  }

  /// Seconds until the broker publishes that a device is lost, at the latest: one and a half keepalives, the broker's
  /// own delay, and the will's delay; nil without a keepalive.
  package static func detectWithin(
    keepAlive: UInt16, willDelay: Duration, _ version: ProtocolVersion, over transport: ServerAddress.Transport
  ) -> Double? {
    guard keepAlive > 0 else { return nil }
    return Double(keepAlive) * 1.5 + brokerRound(transport)
      + (version == .v5 ? Double(willDelay.components.seconds) : 0)
  }

  /// Seconds after the keepalive until a broker has checked it and closed the connection. Over a secure WebSocket
  /// mosquitto waits for the TLS close of a client that is gone (libwebsockets: 5 s).
  package static func brokerRound(_ transport: ServerAddress.Transport) -> Double {
    transport == .secureWebSocket ? 11 : 6
  }

  /// `online` and its description expire; `offline` stays true.
  private func expiring(_ message: Message, _ statement: Statement) -> Message {
    guard statement.event == .birth, statement.connection.version == .v5, lease > .zero else { return message }
    var message = message
    message.properties.messageExpiryInterval = UInt32(clamping: (lease * 3).components.seconds)
    return message
  }

  private func statusMessage(
    _ text: String, reason: String, epoch: UInt64, _ version: ProtocolVersion
  ) -> Message {
    var properties = Properties()
    if version == .v5 {
      properties.addUserProperty("epoch", String(epoch))
      properties.addUserProperty("instance", instance)
      properties.addUserProperty("reason", reason)
    }
    return Message(topic: status, payload: ByteBuffer(string: text), qos: qos, retain: true, properties: properties)
  }
}
