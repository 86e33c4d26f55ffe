import MQTTCore
import NIOCore
import Platform

extension Client {
  /// Goes on with other settings; the session, its store and what is under way stay.
  ///
  /// - Parameters:
  ///   - reconnecting: a connection is closed with a DISCONNECT, and an attempt at one given up; the next one follows at
  ///     once. Otherwise the settings hold for whatever attempt comes next.
  ///   - isAborted: the connection is closed without a DISCONNECT, so that the server publishes the will
  ///     ([MQTT-3.1.2-8]).
  public func reconfigure(_ settings: Configuration, reconnecting: Bool, isAborted: Bool = false) {
    precondition(!settings.servers.isEmpty, "a client needs a server")
    var settings = settings
    // These belong to the session.
    settings.store = configuration.store
    settings.storeDelay = configuration.storeDelay
    settings.inFlightLimit = configuration.inFlightLimit
    settings.session = SessionState()
    configuration = settings
    schedule = ReconnectSchedule(settings.reconnect, servers: settings.servers.count)
    if isConnected { schedule.connected(at: .now) }
    guard reconnecting, !isStopping else { return }
    serverIndex = 0
    referredServer = nil
    versions = VersionChoice()
    beginAnew(isAborted)
  }

  private func beginAnew(_ isAborted: Bool) {
    switch state {
    case .idle, .stopped: break
    case .waiting(let wait):
      wait.task.cancel()
      prepare()
    case .preparing(let attempt):
      attempt.deadline.cancel()
      preparation?.cancel()
      prepare()
    case .opening(let attempt, let channels):
      attempt.deadline.cancel()
      preparation?.cancel()
      prepare()
      for channel in channels { Transport.abort(channel) }
    case .open(let connection):
      guard session.isConnected, !isAborted else {
        connection.ending = connection.ending ?? .session(.requested)
        return Transport.abort(connection.channel)
      }
      session.disconnect(into: &actions)
      perform()
      endTurn()
    }
  }
}
