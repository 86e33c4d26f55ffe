internal import Glibc
import Instants
import Logging
import Platform
import Presence
import Readings
import Status

/// What is counted nowhere else.
struct Tally: Sendable {
  var delivered: UInt64 = 0
  var corrections: UInt64 = 0
  var takeOvers: UInt64 = 0
  var setAside: UInt64 = 0
}

/// What there is to say of an agent that the daemon itself does not know.
package struct AgentFacts: Sendable {
  package let device: String
  package let displayName: String?
  package let started: BootClock.Instant
  package let logLevel: Logger.Level
  package let log: LogWriter.Counts
  package let control: ControlServer.Counts
  let reloads: UInt64
  let failedReloads: UInt64
}

extension Daemon {
  package var report: StatusReport {
    let facts = facts()
    let waiting = outboxStatistics
    let detectWithin = connection.flatMap {
      PresenceMessages.detectWithin(
        keepAlive: $0.limits.keepAlive, willDelay: plan.presence.effectiveWillDelay($0.limits), $0.version,
        over: transport)
    }
    return StatusReport(
      clock: .now(), process: getpid(), device: facts.device, displayName: facts.displayName,
      clientIdentifier: plan.connect.clientIdentifier, started: facts.started, logLevel: facts.logLevel.rawValue,
      isStopping: departure.isLeaving, connection: record,
      presence: StatusReport.Presence(
        topic: plan.presence.status.description, epoch: epoch, instance: plan.presence.instance,
        healing: healing.state, conflict: conflict.rival?.description, lastsToNotice: detectWithin,
        reduction: currentReduction, birth: birthState),
      buffer: StatusReport.Buffer(
        readings: outbox.count + numbering.waitingCount + leftOver.count, bytes: outbox.bytes, limit: plan.outbox.limit,
        underWay: underWay, stored: waiting.stored, oldestAge: waiting.oldestAge,
        dropped: waiting.droppedByName, storageError: storageError),
      resting: topics.topics.map { StatusReport.RestingTopic(topic: $0.key.description, rest: $0.value) }
        .sorted { $0.topic < $1.topic },
      figures: figures,
      rows: (plan.sensors.map(\.plan.stream) + plan.inputs.map(\.plan.stream)).map { index in
        let stream = plan.streams[index]
        return StatusReport.Row(name: stream.name, topic: stream.topic.description, reading: numbering.last(of: index))
      })
  }

  /// What the server of the connection does not take of the will.
  private var currentReduction: WillFallback.Reduction? {
    if case .connected(let server, _) = record.state { wills.reduction(for: server) } else { nil }
  }

  /// A topic that rests is not told: what the broker said of it before holds.
  private var birthState: BirthAnswer {
    guard birthAnswer == .none, connection != nil, let rest = topics.topics[plan.presence.status] else {
      return birthAnswer
    }
    return rest.code.map { .refused($0) } ?? .none
  }

  /// Every number that the agent tells about itself, under the name it has everywhere.
  package var figures: [Figure] {
    let facts = facts()
    let now = BootClock.now
    let reads = reader?.status
    let waiting = outboxStatistics
    let held = client?.assumeIsolated { $0.held }
    return [
      .gauge("uptime_seconds", "How long the agent runs", whole(facts.started.duration(to: now))),
      .gauge("memory_resident_bytes", "Memory of the process that is not swapped or given back", Self.residentBytes),
      .gauge("connected", "Whether there is a connection to the broker", connection == nil ? 0 : 1),
      .gauge(
        "disconnected_seconds", "How long there has been no connection",
        whole(record.awaySince?.duration(to: now) ?? .zero)),
      .counter("connections", "Connections that were made", record.connections),
      .counter("connection_losses", "Connections that ended, by reason", by: "reason", record.losses),
      .counter("connection_failures", "Attempts that led to no connection, by reason", by: "reason", record.failures),
      .counter("conflicts", "Connections that were lost to another client of the same id", tally.takeOvers),
      .counter("status_corrections", "Wrong statuses that were put right", tally.corrections),
      .counter("readings", "Readings that were taken and numbered", numbering.counts.readings),
      .counter("bad_readings", "Readings that say that a value could not be read", numbering.counts.badReadings),
      .counter("lost_edges", "Edges of GPIO lines that were lost, and are told as gaps", numbering.counts.lostEdges),
      .counter("delivered_readings", "Readings that the broker has acknowledged", tally.delivered),
      .counter("refused_readings", "Readings that the broker refused, or that could not be sent", refused),
      .counter(
        "refused_messages", "Messages that the broker refused or closed on, and whose topics rest", topics.refusals),
      .gauge("resting_topics", "Topics that the broker takes nothing on, and that rest", topics.topics.count),
      .gauge("held_messages", "Messages that the broker has no place for now, and that are sent again", held?.now ?? 0),
      .counter(
        "retried_messages", "Times that a message was kept because the broker had no place for it", held?.retries ?? 0),
      .counter("dropped_readings", "Readings that were given up because the buffer was full", waiting.dropped),
      .counter("superseded_readings", "Readings that a newer one took the place of (keep: latest)", waiting.superseded),
      .counter("expired_readings", "Readings that were given up for their age (expiry)", waiting.expired),
      .counter(
        "set_aside_readings", "Readings on which the broker closed the connection again and again", tally.setAside),
      .gauge("buffer_readings", "Readings that wait to be sent", outbox.count + leftOver.count),
      .gauge("stored_readings", "Readings that wait on the disk", waiting.stored),
      .gauge("buffer_bytes", "What waiting readings take", waiting.bytes),
      .gauge("buffer_limit_bytes", "What waiting readings may take", waiting.limit),
      .gauge("oldest_reading_seconds", "How long the oldest reading has waited", whole(waiting.oldestAge ?? .zero)),
      .counter("storage_writes", "Transactions that were written to the disk", waiting.writes),
      .counter("storage_written_bytes", "What they wrote", waiting.bytesWritten),
      .gauge("unnumbered_readings", "Readings that wait for a number from the storage", numbering.waitingCount),
      .gauge("under_way_messages", "Readings that are sent and not acknowledged", underWay),
      .gauge("storage_failing", "Whether the storage cannot be written", storageError == nil ? 0 : 1),
      .gauge("failing_readings", "Sensors and inputs that cannot be read now", failingReadings),
      .gauge("hanging_reads", "Reads that have not returned in their time", reads?.hanging.count ?? 0),
      .gauge("waiting_reads", "Reads that no thread has begun", reads?.waiting ?? 0),
      .counter("read_timeouts", "Reads that took longer than their time", UInt64(reads?.timeouts ?? 0)),
      .counter("refused_reads", "Reads that were not begun since others hang", UInt64(reads?.refusals ?? 0)),
      .gauge("owed_offlines", "Topics of before on which a broker is still to be told offline", owed.count),
      .gauge("waiting_clearings", "Retained readings that the broker is to forget", clearings.count),
      .gauge("waiting_retained", "Retained readings that a broker gets again, since it has lost them", retained.count),
      .counter("restored_retained", "Retained readings that a broker got again", retained.restored),
      .counter("failed_retained", "Retained readings that it did not get again", retained.failed),
      .counter("cleared_readings", "Retained readings that the broker has forgotten", clearings.cleared),
      .counter("failed_clearings", "Retained readings that the broker keeps all the same", clearings.failed),
      .counter("reloads", "Configurations that took the place of another", facts.reloads),
      .counter("failed_reloads", "Configurations that did not, since they were wrong", facts.failedReloads),
      .counter("lost_log_lines", "Log lines that were lost because nobody read them", facts.log.lost),
      .counter("suppressed_log_lines", "Log lines that came too often", facts.log.suppressed),
      .gauge("control_connections", "Connections to the control socket", facts.control.connections),
      .counter("control_requests", "Requests on the control socket", facts.control.requests),
      .counter("control_refusals", "Requests and connections that were refused on it", facts.control.refusals),
      .counter("control_stalls", "Connections to it that were cut off for being slow", facts.control.stalls),
    ]
  }

  private var failingReadings: Int { sampling.failing + lines.failing }

  private func whole(_ duration: Duration) -> Double { Double(duration.components.seconds) }

  /// proc_pid_statm(5): the second number, in pages.
  private static var residentBytes: Int {
    guard let text = try? FileRoot().text(of: "/proc/self/statm") else { return 0 }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * sysconf(CInt(_SC_PAGESIZE))
  }
}
