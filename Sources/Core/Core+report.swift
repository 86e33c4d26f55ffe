import JSON
import LimpetInstants
import MQTTCore
import Outbox
import Presence
import Readings
import Status

/// What there is to say of an agent that its core does not know.
package struct Facts: Sendable {
  package var device: String
  package var displayName: String?
  package var process: Int32
  package var started: BootClock.Instant
  package var logLevel: String
  /// Of the server, that the connection is to; nil: there is no connection, or it is a Unix socket.
  package var serverAddress: String?
  package var residentBytes = 0
  package var reloads = Reloads()
  package var log = Log()
  package var control = Control()
  package var reads = Reads()
  package var store = Store()

  /// Of the configuration.
  package struct Reloads: Sendable {
    package var done: UInt64 = 0
    package var failed: UInt64 = 0
  }

  /// Lines that nobody sees.
  package struct Log: Sendable {
    package var lost: UInt64 = 0
    package var suppressed: UInt64 = 0
  }

  /// The control socket.
  package struct Control: Sendable {
    package var connections = 0
    package var requests: UInt64 = 0
    package var refusals: UInt64 = 0
    package var stalls: UInt64 = 0
  }

  /// Of sensors.
  package struct Reads: Sendable {
    package var hanging = 0
    package var waiting = 0
    package var timeouts: UInt64 = 0
    package var refused: UInt64 = 0
  }

  package struct Store: Sendable {
    package var writes: UInt64 = 0
    package var bytes: UInt64 = 0
  }

  package init(device: String, displayName: String?, process: Int32, started: BootClock.Instant, logLevel: String) {
    self.device = device
    self.displayName = displayName
    self.process = process
    self.started = started
    self.logLevel = logLevel
  }
}

extension Core {
  package func report(_ facts: Facts, at now: Moment) -> StatusReport {
    let plan = conversation.plan
    let outbox = conversation.sender.outbox
    let waiting = outboxStatistics(facts, at: now.boot)
    let standing = conversation.standing
    let skippedRounds = sampling.skippedRounds
    let falling = Set(plan.inputs.filter { $0.measure?.mayFall ?? false }.map(\.stream))
    let detectWithin = standing.connection.flatMap {
      PresenceMessages.detectWithin(
        keepAlive: $0.limits.keepAlive, willDelay: plan.presence.effectiveWillDelay($0.limits), $0.version,
        over: standing.transport)
    }
    return StatusReport(
      clock: now.wall, process: facts.process, device: facts.device, displayName: facts.displayName,
      clientIdentifier: plan.connect.clientIdentifier, started: facts.started, logLevel: facts.logLevel,
      isStopping: conversation.leaving.isLeaving, connection: standing.record, serverAddress: facts.serverAddress,
      presence: StatusReport.Presence(
        topic: plan.presence.status.description, epoch: conversation.ownPresence.epoch,
        instance: plan.presence.instance,
        healing: conversation.watching.healing.state, conflict: conversation.watching.conflict.rival?.description,
        lastsToNotice: detectWithin, reduction: currentReduction, birth: birthState),
      buffer: StatusReport.Buffer(
        readings: conversation.sender.waiting + numbering.waitingCount, bytes: outbox.bytes,
        limit: plan.outbox.limit, underWay: conversation.sender.underWay, stored: waiting.stored,
        oldestAge: waiting.oldestAge, dropped: waiting.droppedByName, storageError: keeping.error),
      resting: conversation.resting.topics.topics.map {
        StatusReport.RestingTopic(topic: $0.key.description, rest: $0.value)
      }.sorted { $0.topic < $1.topic },
      commandsRefusal: commandsRefusal, areCommandsAwaited: conversation.acting.commanding.isAwaited,
      outputs: conversation.acting.outputs.counts, figures: figures(facts, at: now),
      rows: (plan.sensors.map(\.stream) + plan.inputs.map(\.stream) + plan.outputs.map(\.stream)).map { id in
        let stream = plan.streams[id]
        return StatusReport.Row(
          name: stream.name, topic: stream.topic.description, reading: numbering.last(of: id),
          skippedRounds: skippedRounds[id], mayFall: falling.contains(id))
      })
  }

  private var commandsRefusal: String? {
    guard plan.commands != nil, conversation.standing.connection != nil else { return nil }
    guard conversation.watching.conflict.rival == nil else { return Conversation.rivalRefusal }
    return conversation.acting.commanding.reason
  }

  /// What there is to say about the readings that wait.
  package func outboxStatistics(_ facts: Facts, at now: BootClock.Instant) -> OutboxStatistics {
    var statistics = conversation.sender.outbox.statistics(conversation.plan.streams.map(\.name), at: now)
    statistics.underWay = conversation.sender.underWay
    statistics.setAside = setAside
    statistics.writes = facts.store.writes
    statistics.bytesWritten = facts.store.bytes
    statistics.storageError = keeping.error
    return statistics
  }

  /// What the server of the connection does not take of the will.
  private var currentReduction: WillFallback.Reduction? {
    guard case .connected(let server, _) = conversation.standing.record.state else { return nil }
    return conversation.ownPresence.wills.reduction(for: server)
  }

  /// Nothing is published on a topic that rests: the broker's answer before still counts.
  private var birthState: BirthAnswer {
    let answer = conversation.ownPresence.answer
    guard answer == .none, conversation.standing.connection != nil,
      let rest = conversation.resting.topics.topics[conversation.plan.presence.status]
    else { return answer }
    return rest.code.map { .refused($0) } ?? .none
  }

  /// Every number that the agent reports about itself, under the name it has everywhere.
  package func figures(_ facts: Facts, at now: Moment) -> [Figure] {
    let waiting = outboxStatistics(facts, at: now.boot)
    let record = conversation.standing.record
    let sender = conversation.sender
    let tally = conversation.tally
    let held = conversation.link.held
    return [
      .gauge("uptime_seconds", "How long the agent has been running", whole(facts.started.duration(to: now.boot))),
      .gauge(
        "memory_resident_bytes", "Resident memory of the process", facts.residentBytes),
      .gauge(
        "connected", "Whether there is a connection to the broker", conversation.standing.connection == nil ? 0 : 1),
      .gauge(
        "disconnected_seconds", "How long there has been no connection",
        whole(record.awaySince?.duration(to: now.boot) ?? .zero)),
      .counter("connections", "Connections made", record.connections),
      .counter("connection_losses", "Connections that ended, by reason", by: "reason", record.losses),
      .counter("connection_failures", "Failed attempts to connect, by reason", by: "reason", record.failures),
      .counter("conflicts", "Connections lost to another client of the same id", tally.takeOvers),
      .counter("status_corrections", "Wrong statuses that this device corrected", tally.corrections),
      .counter("readings", "Readings taken and numbered", numbering.counts.readings),
      .counter("bad_readings", "Readings that report a failed read", numbering.counts.badReadings),
      .counter(
        "lost_edges", "GPIO edges that the kernel dropped before limpet read them; a gap says how many",
        numbering.counts.lostEdges),
      .counter("delivered_readings", "Readings that the broker has acknowledged", tally.delivered),
      .counter("refused_readings", "Readings that the broker refused, or that could not be sent", sender.refused),
      .counter(
        "refused_messages",
        "Messages whose topics rest, because the broker refused them or closed the connection on them",
        conversation.resting.topics.refusals),
      .gauge(
        "resting_topics", "Topics that rest because the broker refuses them",
        conversation.resting.topics.topics.count),
      .gauge("held_messages", "Messages that the broker had no room for, to be sent again", held.now),
      .counter(
        "retried_messages", "Times that the broker had no room for a message", held.retries),
      .counter("dropped_readings", "Readings dropped because the buffer was full", waiting.dropped),
      .counter("superseded_readings", "Readings replaced by a newer one (keep: latest)", waiting.superseded),
      .counter("expired_readings", "Readings dropped for their age (expiry)", waiting.expired),
      .counter(
        "set_aside_readings", "Readings on which the broker closed the connection again and again", tally.setAside),
      .gauge("buffer_readings", "Readings in the buffer, not sent yet", sender.waiting),
      .gauge("stored_readings", "Readings that wait on the disk", waiting.stored),
      .gauge("buffer_bytes", "Bytes that waiting readings take", waiting.bytes),
      .gauge("buffer_limit_bytes", "Bytes that waiting readings may take", waiting.limit),
      .gauge("oldest_reading_seconds", "How long the oldest reading has waited", whole(waiting.oldestAge ?? .zero)),
      .counter("storage_writes", "Transactions written to the disk", waiting.writes),
      .counter("storage_written_bytes", "Bytes that the storage wrote to the disk", waiting.bytesWritten),
      .gauge("unnumbered_readings", "Readings that wait for a number from the storage", numbering.waitingCount),
      .gauge("under_way_messages", "Readings sent and not acknowledged", sender.underWay),
      .gauge("storage_failing", "Whether the storage cannot be written", keeping.error == nil ? 0 : 1),
      .gauge("failing_readings", "Sensors and inputs that cannot be read now", sampling.failing + lines.failing),
      .gauge("failing_outputs", "Outputs that cannot be driven now", conversation.acting.outputs.failing),
      .counter(
        "refused_commands", "Refused commands for outputs, by reason", by: "reason",
        conversation.acting.outputs.refusals),
      .counter(
        "lost_answers", "Answers to commands dropped for lack of room", conversation.acting.commanding.lostAnswers),
      .counter(
        "skipped_rounds", "Times that a sensor was due while its last read was still under way", sampling.skipped),
      .gauge("hanging_reads", "Reads of sensors that have not returned in their time", facts.reads.hanging),
      .gauge("waiting_reads", "Reads of sensors that wait for a thread", facts.reads.waiting),
      .counter("read_timeouts", "Reads of sensors that took longer than timeout", facts.reads.timeouts),
      .counter("refused_reads", "Reads of sensors skipped because others hang", facts.reads.refused),
      .gauge(
        "owed_offlines", "Topics of an earlier configuration on which limpet has yet to publish offline",
        conversation.ownPresence.owed.count),
      .gauge(
        "waiting_clearings", "Retained readings that limpet has yet to clear at the broker", sender.clearings.count),
      .gauge(
        "waiting_retained", "Retained readings to be sent again to a broker that lost them",
        sender.retained.count),
      .counter(
        "restored_retained", "Retained readings sent again to a broker that lost them", sender.retained.restored),
      .counter(
        "failed_retained", "Retained readings that a broker lost, and that limpet could not send again",
        sender.retained.failed),
      .counter(
        "cleared_readings", "Retained readings of removed names cleared at the broker", sender.clearings.cleared
      ),
      .counter(
        "failed_clearings", "Retained readings of removed names that stayed at the broker",
        sender.clearings.failed),
      .counter("reloads", "Reloads that took effect", facts.reloads.done),
      .counter(
        "failed_reloads", "Reloads rejected for errors in the configuration", facts.reloads.failed),
      .counter("lost_log_lines", "Log lines dropped because nothing read them", facts.log.lost),
      .counter("suppressed_log_lines", "Log lines left out because they came too often", facts.log.suppressed),
      .gauge("control_connections", "Connections to the control socket", facts.control.connections),
      .counter("control_requests", "Requests on the control socket", facts.control.requests),
      .counter(
        "control_refusals", "Requests and connections refused on the control socket", facts.control.refusals),
      .counter(
        "control_stalls", "Connections to the control socket that limpet cut because they were slow",
        facts.control.stalls),
    ]
  }

  private func whole(_ duration: Duration) -> Double { Double(duration.components.seconds) }

  // MARK: Health

  /// Asks for what there is to say, where it is to be said.
  mutating func publishHealthIfDue() {
    guard conversation.wishes.publishesHealth else { return }
    conversation.wishes.publishesHealth = false
    guard conversation.plan.health.interval > .zero, conversation.standing.connection != nil else { return }
    effects.orders.append(.publishHealth)
  }

  /// The health reading, for `pull`.
  package mutating func publishHealth(_ facts: Facts, at now: Moment) {
    guard conversation.standing.connection != nil, !conversation.isSayingFarewell, !conversation.leaving.isLeaving
    else { return }
    var object = JSONObject(capacity: 2048)
    object.add("time", now.timestamp.description)
    Figure.add(figures(facts, at: now), to: &object)
    let topic = conversation.plan.health.topic
    let message = Message(topic: topic, payload: object.finish(), qos: .atMostOnce, retain: false)
    conversation.sender.health = message
  }
}
