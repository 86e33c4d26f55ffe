import Instants
import Platform
import Presence

extension Daemon {
  /// The clean shutdown: readings that wait, then `offline`, then DISCONNECT, all within `shutdown_timeout`.
  package func stop() {
    guard !departure.isLeaving, !isAskingWhy else { return }
    isAskingWhy = true
    reportStopping()
    // Who is asked may hang in the kernel, where SIGKILL does not reach it: that thread is left behind.
    _ = after(StopReason.limit) { $0.stop(because: .shutdown) }
    StopReason.find(runtimeFolder: plan.runtimeFolder) { [eventLoop] reason in
      eventLoop.execute { self.assumeIsolated { $0.stop(because: reason) } }
    }
  }

  private func stop(because reason: StopReason) {
    guard !departure.isLeaving else { return }
    stopReason = reason
    logger.notice("stopping (\(reason.rawValue))")
    sampleTimer?.cancel()
    let isConnected = connection != nil && !farewell.isLeaving
    farewellTimer?.cancel()
    farewell.end()
    monitor?.stop()
    let limit = plan.shutdownTimeout
    homie?.assumeIsolated { $0.leave(within: limit) }
    perform(
      departure.begin(
        within: plan.shutdownTimeout, at: .now, isConnected: isConnected,
        // Who takes a connection to say offline would say it of the other device too.
        mayConnect: conflict.rival == nil, isIdle: isIdle))
  }

  /// At once: the connection is cut, so that the broker publishes the will.
  package func abort() {
    logger.warning("aborted: the broker will say offline by the will")
    departure.abandon()
    homie?.assumeIsolated { $0.abort() }
    client?.assumeIsolated { $0.abort() }
    finish(clean: false)
  }

  package func perform(_ actions: [Departure.Action]) {
    for action in actions { perform(action) }
    armDepartureTimer()
  }

  private func perform(_ action: Departure.Action) {
    switch action {
    case .connect: client?.assumeIsolated { $0.retryNow() }
    case .sayFarewell:
      guard let connection else { break }
      if !sayOffline(because: stopReason.rawValue, over: connection) { perform(departure.farewellRefused()) }
    case .disconnect(let limit):
      guard let client else { return finish(clean: false) }
      Task {
        await client.disconnect(within: limit)
        finish(clean: true)
      }
    case .abort:
      logger.error("the shutdown took longer than shutdown_timeout; the connection is cut")
      abort()
    case .finish:
      // Not this process's failure: the broker is away, and has said offline by the will or will do so.
      logger.warning("there is no connection to say offline over; the broker says it by the will")
      client?.assumeIsolated { $0.abort() }
      finish(clean: true)
    }
  }

  private func armDepartureTimer() {
    departureTimer?.cancel()
    departureTimer = nil
    guard departure.state != .gone, let deadline = departure.nextDeadline else { return }
    departureTimer = after(BootClock.now.duration(to: deadline)) { daemon in
      let isConnected = daemon.connection != nil
      daemon.perform(daemon.departure.elapsed(at: .now, isConnected: isConnected))
    }
  }
}
