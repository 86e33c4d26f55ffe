import LimpetPlatform
import MQTTCore
import NIOCore

/// For an owner that knows more than the connection: when to try again, and what a server may have closed on.
extension MQTTSessionDriver {
  /// Ends a back-off, because the reason for the last failure may have gone.
  public func retryNow() { handle(.retryNow) }

  /// Delays the next attempt by at least this long: for when another client has taken the session over, or the server
  /// refuses this client for good. Call it while `Event.lost` is handled.
  public func wait(_ delay: Duration) { handle(.wait(delay)) }

  /// Says that this machine's addresses or routes have changed. A back-off ends early, `jitter` from now; a connection
  /// from an address that is gone is closed, since nothing will ever arrive on it.
  ///
  /// - Parameters:
  ///   - addresses: all addresses that the machine has now; nil: they are not known, and no connection is closed.
  ///   - jitter: how long to wait before the next attempt.
  public func networkChanged(addresses: Set<String>?, jitter: Duration) {
    handle(.networkChanged(addresses: addresses, jitter: jitter))
  }

  /// Says that the wall clock was set or the system woke up. The driver compares its connection with the clock, and
  /// ends a back-off that follows a TLS failure `jitter` from now, since the certificate may be valid by the new time.
  public func clockChanged(jitter: Duration) {
    handle(.clockChanged(jitter: jitter))
    tick()
  }

  /// Says that another client has used the session: the next connection starts a new one, and so does that of another
  /// process, which learns of it from the store. Where the server itself says so, by DISCONNECT 0x8E "session taken
  /// over" (§4.13), the driver does not wait to be told.
  public func distrustSession() { handle(.distrust) }

  /// Whose session it is, as far as it is known here.
  var owner: SessionOwner? { link.owner }

  /// The packet sent last on this connection, or on the one that has just ended, in words for a person.
  public var lastSent: String? { link.lastSent }

  /// The oldest message under way, beside those that are good for one connection only.
  public var oldestUnderWay: MQTTSession.Token? { link.oldestUnderWay }

  /// Whether messages go one at a time from the next connection on, so that it is clear which one makes the server
  /// close it.
  public var isCautious: Bool {
    get { link.isCautious }
    set { link.isCautious = newValue }
  }

  /// Takes back every message to a topic: see `MQTTSession.withdraw`. Call it while there is no connection.
  public func withdraw(_ topic: TopicName, where condition: (MQTTSession.Token) -> Bool) {
    link.withdraw(topic, where: condition, at: .now, into: &effects)
    perform()
  }

  /// Messages for which the server had no room and which will be sent again, and how often that has happened.
  public var held: (now: Int, retries: UInt64) { link.held }

  /// Gives up the oldest message under way for good, and returns it: it ends as `rejected(.setAside)`.
  @discardableResult
  public func setOldestAside() -> Message? {
    let message = link.setOldestAside(at: .now, into: &effects)
    perform()
    return message
  }

  /// Continues with other settings; the session, its store and messages under way stay.
  ///
  /// - Parameters:
  ///   - settings: the new ones.
  ///   - reconnecting: close the connection with a DISCONNECT, or give up an attempt at one, and connect again at once.
  ///     Otherwise the settings apply from the next attempt on.
  ///   - isAborted: close the connection without a DISCONNECT, so that the server publishes the will ([MQTT-3.1.2-8]).
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
