import MQTTCore
import NIOCore

/// For an owner that knows more than the connection: when to try again, and what a server may have closed on.
extension Client {
  /// Ends a back-off: what made the last attempt fail may be over.
  public func retryNow() {
    guard case .waiting(let wait) = state else { return }
    wait.task.cancel()
    schedule.reset()
    prepare()
  }

  /// The next attempt begins no sooner than this: for when the connection ended since another client has taken it over,
  /// or the server will have none of us. Call it while `Event.lost` is handled.
  public func wait(_ delay: Duration) {
    guard case .waiting(let wait) = state else { return }
    wait.task.cancel()
    waitToTryAgain(delay, after: .refused)
  }

  /// Addresses or routes of this machine have changed. A back-off ends early, `jitter` from now; a connection from an
  /// address that is gone is cut, since nothing will ever come back to it.
  ///
  /// - Parameter addresses: All that the machine has now; nil: they are not known, and no connection is cut.
  public func networkChanged(addresses: Set<String>?, jitter: Duration) {
    switch state {
    case .waiting: endWait(on: .network, jitter)
    case .open(let connection):
      guard let addresses, let address = connection.channel.localAddress?.ipAddress, !addresses.contains(address)
      else { return }
      connection.ending = connection.ending ?? .addressLost(address)
      Transport.abort(connection.channel)
    case .idle, .preparing, .opening, .stopped: break
    }
  }

  /// The wall clock was set, or the system woke up from a suspend: looks at the clock as `tick` does, and a back-off after
  /// a failure of TLS ends `jitter` from now, for the certificate may be valid now.
  public func clockChanged(jitter: Duration) {
    tick()
    endWait(on: .clock, jitter)
  }

  private func endWait(on change: ReconnectSchedule.Change, _ jitter: Duration) {
    guard case .waiting(let wait) = state, wait.failure.ends(on: change) else { return }
    wait.task.cancel()
    waitToTryAgain(jitter, after: wait.failure)
  }

  /// Somebody else has used the session: the next connection begins it anew, also that of another process, which learns
  /// so from the store.
  public func distrustSession() {
    if let owner { own(.nobody(clientIdentifier: owner.clientIdentifier)) }
    session.distrust()
  }

  /// What was sent last on this connection, or on the one that has just ended, for messages.
  public var lastSent: String? { lastPacket }

  /// The oldest message under way, beside those that are good for one connection only.
  public var oldestUnderWay: Session.Token? { session.oldestUnderWay }

  /// Messages go one at a time from the next connection on, so that what a server closes on can be told.
  public var isCautious: Bool {
    get { session.isCautious }
    set { session.isCautious = newValue }
  }

  /// Gives every message to a topic up for now: see `Session.withdraw`. Call it while there is no connection.
  public func withdraw(_ topic: TopicName, where condition: (Session.Token) -> Bool) {
    session.withdraw(topic, where: condition, into: &actions)
    perform()
  }

  /// Messages that the server had no place for and that are sent again, and how often that was so.
  public var held: (now: Int, retries: UInt64) { (session.heldCount, session.retries) }

  /// Gives the oldest message under way up, for good, and returns it: its course ends as `rejected(.setAside)`.
  @discardableResult
  public func setOldestAside() -> Message? {
    let message = session.setOldestAside(into: &actions)
    perform()
    return message
  }
}
