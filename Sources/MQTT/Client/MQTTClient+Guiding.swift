/// For an application that learns of the machine's suspends, networks and clock before the connection does.
extension MQTTClient {
  /// Compares the connection with the clock. Call it when the system wakes up from a suspend, which timers do not
  /// count: it finds a dead connection at once, not only when the keepalive has passed.
  public func tick() { phase.client?.assumeIsolated { $0.tick() } }

  /// Ends a back-off, because the reason for the last failure may have gone.
  public func retryNow() { phase.client?.assumeIsolated { $0.retryNow() } }

  /// Says that this machine's addresses or routes have changed. The client ends a back-off early, `jitter` from now,
  /// and closes a connection from an address that is gone, since nothing will ever arrive on it.
  ///
  /// - Parameters:
  ///   - addresses: all addresses that the machine has now; nil: they are not known, and no connection is closed.
  ///   - jitter: how long to wait before the next attempt.
  public func networkChanged(addresses: Set<String>?, jitter: Duration = .zero) {
    phase.client?.assumeIsolated { $0.networkChanged(addresses: addresses, jitter: jitter) }
  }

  /// Says that the wall clock was set. The client compares its connection with the clock, and ends a back-off that
  /// follows a TLS failure `jitter` from now, since the certificate may be valid by the new time.
  public func clockChanged(jitter: Duration = .zero) {
    phase.client?.assumeIsolated { $0.clockChanged(jitter: jitter) }
  }
}
