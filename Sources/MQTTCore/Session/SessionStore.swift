/// Where a session is kept beyond its process (MQTT 5.0 §4.1: "the Session State").
///
/// `MQTTSession` decides what changes, `StoreQueue` what to write and when; a store only writes it.
public protocol SessionStore: Sendable {
  /// What was kept; an empty state where there was nothing.
  func loadSession() async throws -> SessionState

  /// Makes these changes, in this order: all of them or, where it throws, none. They have to survive a power cut when
  /// it returns.
  func apply(_ changes: [SessionChange]) async throws
}

/// Whose session it is: a "session present" from another server, or for another client, is about another session.
public struct SessionOwner: Sendable, Hashable {
  /// The server as it was configured, without secrets; empty: no server's session is believed.
  public var server: String
  /// As CONNECT had it or the server assigned it ([MQTT-3.1.3-2]).
  public var clientIdentifier: String

  /// - Parameters:
  ///   - server: the server as it was configured; empty: no server's session is believed.
  ///   - clientIdentifier: as CONNECT had it, or the server assigned it.
  public init(server: String, clientIdentifier: String) {
    self.server = server
    self.clientIdentifier = clientIdentifier
  }

  /// Messages under way are this client's, and no server has the session that they belong to: another client of the
  /// same identifier has used it.
  public static func nobody(clientIdentifier: String) -> SessionOwner {
    SessionOwner(server: "", clientIdentifier: clientIdentifier)
  }

  /// Whether a "session present" may be believed at all.
  public var isTrusted: Bool { !server.isEmpty }
}

/// A message of QoS 1 or 2 whose course is not over.
public struct StoredMessage: Sendable, Hashable {
  /// How far its course has come (§4.3).
  public enum State: Sendable, Hashable {
    /// The server's session knows nothing of it.
    case queued
    /// PUBLISH may have been sent.
    case published(PacketIdentifier)
    /// PUBREC came. The message is kept to the end: a server that loses its session gets it again as a new one.
    case released(PacketIdentifier)

    /// Its packet identifier, which stays the same when it is sent again ([MQTT-4.4.0-1]); nil: it has none yet.
    public var identifier: PacketIdentifier? {
      switch self {
      case .queued: nil
      case .published(let identifier), .released(let identifier): identifier
      }
    }
  }

  /// Its caller's name for it. In a stored session tokens rise from message to message, over restarts too: they give
  /// the order of the messages.
  public var token: MQTTSession.Token
  /// How far it has come: a later process goes on from here.
  public var state: State
  /// The whole message, until its course is over.
  public var message: Message

  /// As `SessionChange.message` brings it, or as a store has read it.
  public init(token: MQTTSession.Token, state: State, message: Message) {
    self.token = token
    self.state = state
    self.message = message
  }
}

/// A session as it is kept.
public struct SessionState: Sendable, Hashable {
  /// nil: it has never been on a server.
  public var owner: SessionOwner?
  /// By their tokens, the oldest first.
  public var messages: [StoredMessage] = []
  /// Identifiers of QoS 2 messages that the server may have and this side does not keep: PUBREL frees them.
  public var held: Set<PacketIdentifier> = []
  /// QoS 2 messages that the server sent and has not released with PUBREL.
  public var received: Set<PacketIdentifier> = []
  /// The identifier that the next message tries first: they are used in turn, over restarts too.
  public var nextIdentifier = PacketIdentifier.first
  /// By Subscription Identifier.
  public var subscriptions: [UInt32: [Subscription]] = [:]
  /// Subscriptions that the application has ended, and that the server may still have: UNSUBSCRIBE follows.
  public var givenBack: [UInt32: [TopicFilter]] = [:]

  /// Nothing: a session that begins.
  public init() {}

  /// The messages up to the last that a server may have seen: the session's own, sent again and settled by it.
  public var underWay: ArraySlice<StoredMessage> {
    messages.prefix((messages.lastIndex { $0.state != .queued }).map { $0 + 1 } ?? 0)
  }

  /// The messages behind them, which no server has seen: the next owner of the session publishes them.
  public var waiting: ArraySlice<StoredMessage> { messages.dropFirst(underWay.count) }

  /// Applies a change, for stores that keep the state as a whole.
  public mutating func apply(_ change: SessionChange) {
    switch change {
    case .owner(let owner): self.owner = owner
    case .message(let message, let next):
      nextIdentifier = next
      if let index = messages.firstIndex(where: { $0.token == message.token }) {
        messages[index] = message
      } else {
        messages.insert(message, at: messages.firstIndex { $0.token > message.token } ?? messages.endIndex)
      }
    case .ended(let token): messages.removeAll { $0.token == token }
    case .held(let identifier, let isHeld):
      if isHeld { held.insert(identifier) } else { held.remove(identifier) }
    case .received(let identifier, let isUnreleased):
      if isUnreleased { received.insert(identifier) } else { received.remove(identifier) }
    case .subscribed(let identifier, let subscriptions):
      self.subscriptions[identifier] = subscriptions
      givenBack[identifier] = nil
    case .givenBack(let identifier, let filters):
      subscriptions[identifier] = nil
      givenBack[identifier] = filters
    case .unsubscribed(let identifier):
      subscriptions[identifier] = nil
      givenBack[identifier] = nil
    case .begunAnew:
      held.removeAll()
      received.removeAll()
    }
  }
}

/// A step of a session that a store keeps.
public enum SessionChange: Sendable, Hashable {
  /// The owner of the session from now on.
  case owner(SessionOwner)
  /// A message that is new, or further on its course than before; with the identifier that the next one tries first.
  case message(StoredMessage, next: PacketIdentifier)
  /// The course of this message is over: the store deletes it.
  case ended(MQTTSession.Token)
  /// See `SessionState.held`.
  case held(PacketIdentifier, Bool)
  /// See `SessionState.received`.
  case received(PacketIdentifier, Bool)
  /// A subscription that the server has agreed to, under its Subscription Identifier.
  case subscribed(UInt32, [Subscription])
  /// The application has ended it, and the server has not answered UNSUBSCRIBE.
  case givenBack(UInt32, [TopicFilter])
  /// Neither this side nor the server has the subscription any more.
  case unsubscribed(UInt32)
  /// The server begins a new session: `held` and `received` are empty.
  case begunAnew
}
