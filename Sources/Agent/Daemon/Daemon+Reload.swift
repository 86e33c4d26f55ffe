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
    let planned = PlanChange(
      from: old, to: next,
      freePlaces: inputs.monitor == nil ? nil : inputs.freePlaces, number: reloads)
    plan = planned.plan
    outbox.adopt(plan.outbox)
    alignStreams()
    labels.adopt(streams: plan.streams.count)
    sentLabels.adopt(streams: plan.streams.count)
    retained.keep(isRetained)
    plan.client.store = old.client.store
    plan.client.storeDelay = old.client.storeDelay
    takeSensors(planned)
    takeInputs(planned, old)
    clear(planned.cleared)
    takeSchedule(planned, old)
    var words = planned.words
    words += takeHealth(old)
    words += takeConnection(change, old)
    words += discoveryWords(old, isExplained: !words.isEmpty)
    numbers.register(plan.streams.filter { !$0.isRemoved }.map(\.name))
    numberReadings()
    sample()
    await takeDiscovery(old, planned, renewsConnection: change.renewsConnection)
    return words
  }

  private func takeSensors(_ change: PlanChange) {
    let before = sensors
    sensors = plan.sensors.enumerated().map { index, sensor in
      change.keptSensors[index].map { before[$0] } ?? SensorState(sensor)
    }
    let underWay = reading
    reading = [:]
    for (index, before) in change.keptSensors { reading[index] = underWay[before] }
    sensorIndex = Dictionary(plan.sensors.enumerated().map { ($1.job.id, $0) }) { first, _ in first }
    let last = lastReadings
    lastReadings = plan.streams.indices.map { index in
      // Of a stream that has taken another's index there is none yet.
      last.indices.contains(index) && last[index] != nil && !plan.streams[index].isRemoved
        && !change.added.contains(plan.streams[index].name) ? last[index] : nil
    }
  }

  private func takeInputs(_ change: PlanChange, _ old: Plan) {
    // Totals go on by name, also of a counter that moves to another line or comes back later.
    let counts = currentCounts
    storeCounts()
    inputs.storedCounts.merge(counts) { $1 }
    let kept = inputs.counters
    inputs.adopt(plan.inputs)
    inputs.counters = [:]
    for input in plan.inputs {
      if change.keptPlaces.contains(input.place), var counter = kept[input.place], let plan = input.counter {
        let before = old.inputs.first { $0.place == input.place }?.counter
        if before?.scale != plan.scale { counter.rescale(plan.scale) }
        inputs.counters[input.place] = counter
      } else {
        inputs.count(input)
      }
    }
    inputs.failures = inputs.failures.filter { change.keptPlaces.contains($0.key) }
    inputs.found = inputs.found.intersection(change.keptPlaces)
    guard let monitor = inputs.monitor else { return startInputs() }
    for input in change.addedInputs { inputs.freePlaces.remove(input.place) }
    monitor.change(
      releasing: change.releasedPlaces, adding: change.addedInputs.map { (place: $0.place, input: $0.gpio) })
  }

  private func takeSchedule(_ change: PlanChange, _ old: Plan) {
    let before = scheduled
    scheduled = plan.scheduled
    let intervals = scheduled.map { work in
      let isNew: Bool
      switch work.action {
      case .read(let sensor): isNew = change.keptSensors[sensor] == nil
      case .publishTotal(let place): isNew = !change.keptPlaces.contains(place)
      case .storeCounts, .tellHealth, .writeMetrics:
        isNew = !before.contains { $0.interval == work.interval && $0.action.isLike(work.action) }
      }
      return (interval: work.interval, isNew: isNew)
    }
    schedule = schedule.continued(intervals, at: .now)
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

extension ScheduledWork.Action {
  fileprivate func isLike(_ other: ScheduledWork.Action) -> Bool {
    switch (self, other) {
    case (.storeCounts, .storeCounts), (.tellHealth, .tellHealth), (.writeMetrics, .writeMetrics): true
    default: false
    }
  }
}
