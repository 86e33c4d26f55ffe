import MQTTCore
import NIOCore
import Platform

/// For an owner that knows more than the connection: when to try again, and what a server may have closed on.
extension MQTTSessionDriver {
  /// Ends a back-off: what made the last attempt fail may be over.
  public func retryNow() { handle(.retryNow) }

  /// The next attempt begins no sooner than this: for when the connection ended since another client has taken it over,
  /// or the server will have none of us. Call it while `Event.lost` is handled.
  public func wait(_ delay: Duration) { handle(.wait(delay)) }

  /// Addresses or routes of this machine have changed. A back-off ends early, `jitter` from now; a connection from an
  /// address that is gone is cut, since nothing will ever come back to it.
  ///
  /// - Parameter addresses: All that the machine has now; nil: they are not known, and no connection is cut.
  public func networkChanged(addresses: Set<String>?, jitter: Duration) {
    handle(.networkChanged(addresses: addresses, jitter: jitter))
  }

  /// The wall clock was set, or the system woke up: everything is looked at, and a back-off after a failure of TLS ends
  /// `jitter` from now, for the certificate may be valid now.
  public func clockChanged(jitter: Duration) {
    handle(.clockChanged(jitter: jitter))
    tick()
  }

  /// Somebody else has used the session: the next connection begins it anew, also that of another process, which learns
  /// so from the store.
  public func distrustSession() { handle(.distrust) }

  /// Whose session it is, as far as it is known here.
  var owner: SessionOwner? { link.owner }

  /// What was sent last on this connection, or on the one that has just ended, for messages.
  public var lastSent: String? { link.lastSent }

  /// The oldest message under way, beside those that are good for one connection only.
  public var oldestUnderWay: MQTTSession.Token? { link.oldestUnderWay }

  /// Messages go one at a time from the next connection on, so that what a server closes on can be told.
  public var isCautious: Bool {
    get { link.isCautious }
    set { link.isCautious = newValue }
  }

  /// Gives every message to a topic up for now: see `MQTTSession.withdraw`. Call it while there is no connection.
  public func withdraw(_ topic: TopicName, where condition: (MQTTSession.Token) -> Bool) {
    link.withdraw(topic, where: condition, at: .now, into: &effects)
    perform()
  }

  /// Messages that the server had no place for and that are sent again, and how often that was so.
  public var held: (now: Int, retries: UInt64) { link.held }

  /// Gives the oldest message under way up, for good, and returns it: its course ends as `rejected(.setAside)`.
  @discardableResult
  public func setOldestAside() -> Message? {
    let message = link.setOldestAside(at: .now, into: &effects)
    perform()
    return message
  }

  /// Goes on with other settings; the session, its store and what is under way stay.
  ///
  /// - Parameters:
  ///   - reconnecting: a connection is closed with a DISCONNECT, and an attempt at one given up; the next one follows at
  ///     once. Otherwise the settings hold for whatever attempt comes next.
  ///   - isAborted: the connection is closed without a DISCONNECT, so that the server publishes the will
  ///     ([MQTT-3.1.2-8]).
  public func reconfigure(_ settings: Configuration, reconnecting: Bool, isAborted: Bool = false) {
    var settings = settings
    settings.store = configuration.store
    settings.session = SessionState()
    configuration = settings
    carrier.settings = settings.carrier
    handle(.reconfigure(settings.link, reconnecting: reconnecting, isAborted: isAborted))
  }
}

extension MQTTSessionDriver.Configuration {
  /// Connections of an owner that leaves all else as it is.
  package init(_ link: Link.Settings, tls: TLSSettings) {
    self.init(servers: link.servers)
    version = link.version
    connectTimeout = link.connectTimeout
    reconnect = link.reconnect
    self.tls = tls
  }

  /// What of it the link decides by.
  var link: Link.Settings {
    var link = Link.Settings(servers: servers)
    link.sharesSessions = sharesSessions
    link.prefersFirst = prefersFirst
    link.version = version
    link.connectTimeout = connectTimeout
    link.reconnect = reconnect
    link.reconnects = reconnects
    link.followsServerReferences = followsServerReferences
    link.maximumPacketSize = maximumPacketSize
    link.announcesMaximumPacketSize = announcesMaximumPacketSize
    link.inFlightLimit = inFlightLimit
    link.keepsPlace = keepsPlace
    link.usesTopicAliases = usesTopicAliases
    link.acceptsAtOnce = acceptsAtOnce
    link.believesAnySession = believesAnySession
    link.isStored = store != nil
    link.storeDelay = storeDelay
    return link
  }
}
