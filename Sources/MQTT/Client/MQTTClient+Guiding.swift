/// For an application that hears of the machine's suspends, networks and clock before the connection does.
extension MQTTClient {
  /// Looks at the clock: to be called when the system wakes up from a suspend, which timers do not count. A connection
  /// that has not outlived it is found at once, not when the keepalive has passed.
  public func tick() { phase.client?.assumeIsolated { $0.tick() } }

  /// Ends a back-off: what made the last attempt fail may be over.
  public func retryNow() { phase.client?.assumeIsolated { $0.retryNow() } }

  /// Addresses or routes of this machine have changed. A back-off ends early, `jitter` from now; a connection from an
  /// address that is gone is cut, since nothing will ever come back to it.
  ///
  /// - Parameter addresses: All that the machine has now; nil: they are not known, and no connection is cut.
  public func networkChanged(addresses: Set<String>?, jitter: Duration = .zero) {
    phase.client?.assumeIsolated { $0.networkChanged(addresses: addresses, jitter: jitter) }
  }

  /// The wall clock was set: everything is looked at, and a back-off after a failure of TLS ends `jitter` from now, for
  /// the certificate may be valid now.
  public func clockChanged(jitter: Duration = .zero) {
    phase.client?.assumeIsolated { $0.clockChanged(jitter: jitter) }
  }
}
