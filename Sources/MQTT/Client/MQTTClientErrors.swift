import MQTTCore

/// In which way a message is safe.
public struct PublishResult: Sendable, Hashable {
  /// QoS 0: the transport has it, and no acknowledgement will follow.
  public static let handedOver = PublishResult(kind: .handedOver)
  /// The server has acknowledged it (QoS 1: PUBACK, QoS 2: PUBCOMP), with 0x00 and nothing else to say.
  public static let acknowledged = PublishResult(kind: .acknowledged)
  /// It is in the session's store, and this process or a later one will send it.
  public static let stored = PublishResult(kind: .stored)

  private enum Kind: Sendable, Hashable { case handedOver, acknowledged, stored }

  private let kind: Kind
  /// The server's reason code: 0x00, or 0x10 if it knows that there are no matching subscribers (MQTT 5.0 §3.4.2.1).
  public internal(set) var reasonCode = ReasonCode.success
  /// Those of the answer: a reason and user properties.
  public internal(set) var properties = Properties()

  private init(kind: Kind) { self.kind = kind }

  /// The server has it: QoS 1 and 2 only.
  public var isAcknowledged: Bool { kind == .acknowledged }
}

/// Why a message was not published, or why nobody knows whether it was.
///
/// Like all errors and events here it may get more cases: see <doc:Growing>.
#if hasAttribute(nonexhaustive)
  @nonexhaustive
#endif
public enum PublishError: Error, Sendable, CustomStringConvertible {
  /// QoS 0, and the connection is away (see `MQTTClient.Configuration.queuesAtMostOnce`).
  case notConnected
  /// Its Message Expiry Interval passed while it waited, or while the server had no room for it or lost its session.
  case expired
  /// The task was cancelled. A message that was not sent yet never will be; one that was sent already may arrive, and
  /// nothing reports its outcome.
  case cancelled
  /// The session's store could not take it while there was no connection; the client will not send it.
  case notStored
  /// The server refused it with this code of 0x80 or above.
  case refused(ReasonCode)
  /// It does not fit what the server allows; nothing was sent.
  case rejected(MQTTSession.Rejection)
  /// The client has ended, for this reason. A message of QoS 1 or 2 that was under way may have arrived.
  case closed(ConnectionLoss)

  /// For a person: that it was not published, or not for certain, and why; without the message and its topic.
  public var description: String {
    switch self {
    case .notConnected: "not published: not connected, and QoS 0 does not wait"
    case .expired: "not published: its expiry interval passed while it waited"
    case .cancelled: "cancelled; a message that was sent already may still arrive"
    case .notStored: "not published: not connected, and the store cannot be written"
    case .refused(let code): "the server refused the message: \(code)"
    case .rejected(let rejection): "not published: \(rejection)"
    case .closed(let loss): "the client has ended: \(loss)"
    }
  }
}

/// Why a subscription was not made, or ended.
#if hasAttribute(nonexhaustive)
  @nonexhaustive
#endif
public enum SubscribeError: Error, Sendable, CustomStringConvertible {
  /// A SUBSCRIBE has at least one filter ([MQTT-3.8.3-2]).
  case noFilter
  /// This client has a subscription with this filter. A second one would take the place of the first
  /// ([MQTT-3.8.4-3]), so there is one stream for a filter.
  case alreadySubscribed(TopicFilter)
  /// No Local does not go with a shared subscription ([MQTT-3.8.3-4]).
  case noLocalOnSharedSubscription(TopicFilter)
  /// The server refused every filter, with these codes in the order of the filters.
  case refused([ReasonCode])
  /// It does not fit what the server allows; nothing was sent.
  case rejected(MQTTSession.Rejection)
  /// The server has lost the session, and the subscription with it (`MQTTClient.Configuration.resubscribes`).
  case sessionLost
  /// The task was cancelled; the client unsubscribes again.
  case cancelled
  /// The client has ended, for this reason.
  case closed(ConnectionLoss)

  /// For a person: which filter or which of the server's codes is in the way, and why there are no messages.
  public var description: String {
    switch self {
    case .noFilter: "not subscribed: no topic filter was given"
    case .alreadySubscribed(let filter): "not subscribed: this client has a subscription to \(filter) already"
    case .noLocalOnSharedSubscription(let filter): "not subscribed: no local is not allowed with the shared \(filter)"
    case .refused(let codes):
      "the server refused: " + codes.map(\.description).joined(separator: ", ")
    case .rejected(let rejection): "not subscribed: \(rejection)"
    case .sessionLost: "the server has lost the session, and the subscription with it"
    case .cancelled: "not subscribed: cancelled"
    case .closed(let loss): "the client has ended: \(loss)"
    }
  }
}

/// What `MQTTClient.run` throws beside the connection's losses.
#if hasAttribute(nonexhaustive)
  @nonexhaustive
#endif
public enum MQTTClientError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A client runs only once; this one is running, or has ended.
  case hasRun
  /// The client ended properly, but could not store its session.
  case notStored(String)

  /// For a person: what cannot be done, and what to do about it.
  public var description: String {
    switch self {
    case .hasRun: "an MQTT client runs only once; create another one"
    case .notStored(let reason): "the session could not be stored: \(reason)"
    }
  }
}

/// Why a request has no answer.
#if hasAttribute(nonexhaustive)
  @nonexhaustive
#endif
public enum RequestError: Error, Sendable, CustomStringConvertible {
  /// Nobody answered in time; an answer that comes later is dropped.
  case timedOut(after: Duration)
  /// The connection uses 3.1.1, which has no Response Topic.
  case notSupported
  /// The request was not published.
  case publish(PublishError)
  /// The client could not subscribe to its response topic.
  case subscribe(SubscribeError)
  /// The task was cancelled.
  case cancelled
  /// The client has ended, for this reason.
  case closed(ConnectionLoss)

  /// For a person: why there is no answer, or why nothing was asked.
  public var description: String {
    switch self {
    case .timedOut(let limit): "no answer within \(limit)"
    case .notSupported: "requests need MQTT 5, and this connection uses 3.1.1"
    case .publish(let error): "\(error)"
    case .subscribe(let error): "answers cannot be received: \(error)"
    case .cancelled: "cancelled while waiting for the answer"
    case .closed(let loss): "the client has ended: \(loss)"
    }
  }
}

/// What happens to a client's connection.
#if hasAttribute(nonexhaustive)
  @nonexhaustive
#endif
public enum ConnectionEvent: Sendable {
  /// An attempt begins.
  case connecting(ServerAddress, ProtocolVersion)
  /// The server agreed; with "session present", the version and the server's limits.
  case connected(ServerAddress, MQTTSession.Connected)
  /// The connection, or an attempt at one, is over; the next attempt begins after this time.
  case lost(ConnectionLoss, retryAfter: Duration)
  /// The store cannot be written, for this reason, and the session goes on in memory; nil: it could be written again.
  case storing(String?)
  /// The server gives more than a code with a packet: a reason, user properties, or a success code other than 0x00.
  case remarked(MQTTSession.Remark)
  /// The client will not publish a message for which `publish` had returned `stored`, in this process or an earlier
  /// one: it expired, or the server refused it or does not support it. The store no longer has it.
  case unpublished(Message, PublishError)
  /// The server refuses the will as it is; the next CONNECT to it has this one (`Configuration.whenWillIsRefused`).
  case willTakenBack(ServerAddress, Message)
  /// The client has ended. The last event.
  case ended(ConnectionLoss)
}
