import LimpetInstants

/// What there is to say about the outbox, for `limpet status` and the health of the device.
package struct OutboxStatistics: Sendable, Equatable {
  /// Readings that wait, in memory and on the disk.
  package var waiting = 0
  /// Of them on the disk.
  package var stored = 0
  /// Handed to the session, and not acknowledged.
  package var underWay = 0
  /// What those that wait take of `limit`, in bytes.
  package var bytes = 0
  package var limit = 0
  /// How long the oldest has waited.
  package var oldestAge: Duration?
  /// Since the start: given up for want of room, for a newer one (keep: latest), for their age.
  package var dropped: UInt64 = 0
  package var superseded: UInt64 = 0
  package var expired: UInt64 = 0
  /// All three, by the stream's name; those without any are left out.
  package var droppedByName: [String: UInt64] = [:]
  /// Readings of another identity that were set aside at the start.
  package var setAside = 0
  /// Transactions since the start, of everything that is stored.
  package var writes: UInt64 = 0
  package var bytesWritten: UInt64 = 0
  /// Why nothing can be stored at the moment; nil: it can, or is not to be.
  package var storageError: String?
}

extension Outbox {
  package func statistics(_ names: [String], at now: Instant) -> OutboxStatistics {
    var statistics = OutboxStatistics()
    statistics.waiting = count
    statistics.stored = stored
    statistics.bytes = bytes
    statistics.limit = rules.limit
    statistics.oldestAge = oldestAge(at: now)
    statistics.dropped = dropped
    statistics.superseded = superseded
    statistics.expired = expired
    for (name, queue) in zip(names, queues) where queue.dropped > 0 {
      statistics.droppedByName[name] = queue.dropped
    }
    return statistics
  }

  /// Readings that wait on the disk.
  private var stored: Int { queues.reduce(0) { $0 + $1.stored } }

  private func oldestAge(at now: Instant) -> Duration? {
    queues.compactMap(\.oldest).map { $0.reading.age(at: now) }.max()
  }
}
