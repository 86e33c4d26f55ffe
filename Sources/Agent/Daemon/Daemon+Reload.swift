import MQTT
import NIOCore
import Sensing
import Storage

/// A connection that is taken down and made anew since its own keys have changed.
struct Renewal {
  /// For saying offline.
  var timer: Scheduled<Void>?
  /// The client knows, and the old connection ends.
  var isHandedOver = false
}

extension Daemon {
  /// Takes another plan. Sensors and inputs that are the same go on as they are.
  ///
  /// - Returns: what has changed, for people; nil: the agent is about to end, and takes nothing.
  func apply(_ next: Plan, _ change: ConfigurationChange) async throws(StorageError) -> [String]? {
    let streamNumbers = try await store?.numberStreams(next.streams.map(\.name)) ?? [:]
    guard !departure.isLeaving else { return nil }
    // Whatever is due now is due by the old plan.
    sample()
    reloads += 1
    let old = plan
    let planned = PlanChange(
      from: old, to: next,
      freePlaces: inputs.monitor == nil ? nil : inputs.freePlaces, number: reloads)
    plan = planned.plan
    outbox.adopt(plan.outbox, streamNumbers: plan.streams.map { streamNumbers[$0.name] })
    alignStreams()
    labels.adopt(streams: plan.streams.count)
    sentLabels.adopt(streams: plan.streams.count)
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

  // MARK: What the broker keeps

  /// Has the broker forget what it keeps of readings that are gone; what comes too many of at once is left to it.
  private func clear(_ topics: [TopicName]) {
    let room = max(0, Self.clearingLimit - clearings.count)
    if topics.count > room {
      logger.warning("\(topics.count - room) retained readings are not cleared: too many wait for the broker")
    }
    clearings.append(contentsOf: topics.prefix(room))
  }

  private static let clearingLimit = 1000

  /// Sends what is to be forgotten, as a message without content (§3.3.1.3), behind what was sent before.
  func sendClearings() {
    guard let client, let connection else { return }
    while let topic = clearings.first, client.assumeIsolated({ $0.room }) > 0 {
      clearings.removeFirst()
      // A name that came back meanwhile says by itself what holds.
      guard !plan.streams.contains(where: { $0.isRetained && $0.topic == topic }) else { continue }
      let message = Message(topic: topic, payload: ByteBuffer(), qos: .atLeastOnce, retain: true)
      guard send(message.adapted(to: connection.limits), nextToken, client) else {
        return clearings.prepend(topic)
      }
      nextToken += 1
    }
  }

  // MARK: The connection

  private func takeConnection(_ change: ConfigurationChange, _ old: Plan) -> [String] {
    if !change.renewsConnection {
      if change.changesAttempts { reconfigure(reconnecting: false) }
      if plan.presence.lease != old.presence.lease { tellBirth() }
      return change.changesAttempts ? ["broker.reconnect"] : []
    }
    renewal?.timer?.cancel()
    renewal = Renewal()
    unwatchPresence()
    leaseTimer?.cancel()
    guard let connection else {
      handOver()
      return ["the connection"]
    }
    let statement = PresenceMessages.Statement(
      event: .stop, reason: "reload", epoch: epoch, since: WallClock.now().time(of: .now), connection: connection)
    publish(old.presence.presence(statement), FirstToken.stopPresence)
    if publish(old.presence.status(statement), FirstToken.stopStatus) {
      renewal?.timer = after(Self.farewellLimit) { $0.handOver() }
    } else {
      handOver()
    }
    return ["the connection"]
  }

  /// Of a connection that is only renewed.
  static let farewellLimit = Duration.seconds(2)

  /// The old connection has said what it had to.
  func handOver() {
    guard let renewal, !renewal.isHandedOver else { return }
    renewal.timer?.cancel()
    self.renewal?.isHandedOver = true
    reconfigure(reconnecting: true)
  }

  private func reconfigure(reconnecting: Bool) {
    let settings = plan.client
    if reconnecting {
      wills = WillFallback()
      forgetRests()
    }
    client?.assumeIsolated { $0.reconfigure(settings, reconnecting: reconnecting) }
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
