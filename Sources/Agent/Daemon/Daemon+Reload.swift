import Core
import Instants
import MQTTCore
import NIOCore
import Planning
import Platform
import Presence
import Records
import Sensing
import Storage

extension Daemon {
  /// Takes another plan. Sensors and inputs that are the same go on as they are.
  ///
  /// - Returns: what has changed, for people; nil: the agent is about to end, and takes nothing.
  package func apply(_ next: Plan, _ change: ConfigurationChange) async -> [String]? {
    guard !departure.isLeaving else { return nil }
    // Whatever is due now is due by the old plan.
    sample()
    reloads += 1
    let old = plan
    let planned = PlanChange(from: old, to: next, number: reloads)
    plan = planned.plan
    outbox.adopt(plan.outbox)
    alignStreams()
    numbering.adopt(plan.streams)
    sentLabels.adopt(streams: plan.streams.count)
    retained.keep(isRetained)
    plan.client.store = old.client.store
    plan.client.storeDelay = old.client.storeDelay
    takeInputs()
    takeSensors()
    clear(planned.cleared)
    var words = planned.words
    words += takeHealth(old)
    words += takeConnection(change, old)
    words += discoveryWords(old, isExplained: !words.isEmpty)
    numberReadings()
    sample()
    await takeDiscovery(old, planned, renewsConnection: change.renewsConnection)
    return words
  }

  private func takeSensors() {
    sampling.adopt(plan.sensors.map(\.plan), plan.chores(lines), at: .now)
    jobs = plan.jobs
  }

  private func takeInputs() {
    takePulses()
    var generator = SystemRandomNumberGenerator()
    let change = lines.adopt(plan.inputs.map(\.plan), isWatched: monitor != nil, using: &generator)
    guard let monitor else { return startInputs() }
    monitor.change(
      releasing: change.released.map(\.place),
      adding: change.added.compactMap { line in lines.request(of: line).map { (place: line.place, input: $0) } })
    // What was left behind, and what is known from now on.
    storeCounts()
  }

  private func takeHealth(_ old: Plan) -> [String] {
    guard plan.health != old.health else { return [] }
    if plan.health.metricsFile != old.health.metricsFile {
      metricsFile = plan.health.metricsFile.map { MetricsFile(path: $0, logger: logger) }
    }
    return ["health"]
  }

  // MARK: The connection

  private func takeConnection(_ change: ConfigurationChange, _ old: Plan) -> [String] {
    if !change.renewsConnection {
      if change.changesAttempts { reconfigure(reconnecting: false) }
      if plan.presence.lease != old.presence.lease { tellBirth() }
      return change.changesAttempts ? ["broker.reconnect"] : []
    }
    unwatchPresence()
    lease.end()
    leaseTimer?.cancel()
    perform(farewell.begin(at: .now, isConnected: connection != nil))
    return ["the connection"]
  }

  package func perform(_ actions: [Farewell.Action]) {
    for action in actions {
      switch action {
      case .say:
        guard let connection else { break }
        if !sayOffline(because: "reload", over: connection) { perform(farewell.refused()) }
      case .leave(let isAborted):
        if isAborted {
          logger.warning("the broker has not acknowledged offline; the connection is cut, so that the will says it")
        }
        reconfigure(reconnecting: true, isAborted: isAborted)
      case .adopt: reconfigure(reconnecting: false)
      }
    }
    armFarewellTimer()
  }

  private func armFarewellTimer() {
    farewellTimer?.cancel()
    farewellTimer = farewell.deadline.map { deadline in
      after(max(.zero, BootClock.now.duration(to: deadline))) { $0.perform($0.farewell.elapsed(at: .now)) }
    }
  }

  private func reconfigure(reconnecting: Bool, isAborted: Bool = false) {
    let settings = plan.client
    if reconnecting {
      wills = WillFallback()
      forgetRests()
    }
    client?.assumeIsolated { $0.reconfigure(settings, reconnecting: reconnecting, isAborted: isAborted) }
  }
}

extension PlanChange {
  /// `new: load`, `gone: door`.
  var words: [String] {
    [("new", added), ("changed", changed), ("removed", removed)].filter { !$0.1.isEmpty }.map {
      "\($0.0): \($0.1.joined(separator: ", "))"
    }
  }
}
