import Readings

/// The rules by which readings wait in an outbox, and what it reports of its rows.
extension Outbox {
  /// When readings are written.
  package enum Writing: Sendable, Equatable {
    case never
    /// Before they are sent.
    case always
    /// When they have waited this long; after a minute without a connection, `outage`.
    case after(Duration, outage: Duration)
  }

  /// Rules that never change.
  package struct Rules: Sendable {
    /// Bytes that may wait, more than zero.
    package var limit: Int
    /// Bytes that may wait in memory while they cannot be written; nil: the size of the memory is unknown.
    package var memoryLimit: Int?
    package var writing = Writing.never
    /// Readings a second of a backlog, besides those that are measured meanwhile.
    package var drainRate: Int
    /// Readings of one transaction at the most.
    package var batchLimit = 4096
    /// Of each stream, by its index, whether only its newest reading is kept.
    package var keepsLatest: [Bool]
    /// After this long a reading is given up; nil: never.
    package var expiry: Duration?

    package init(
      limit: Int, memoryLimit: Int? = nil, writing: Writing = .never, drainRate: Int, keepsLatest: [Bool],
      expiry: Duration? = nil
    ) {
      self.limit = limit
      self.memoryLimit = memoryLimit
      self.writing = writing
      self.drainRate = drainRate
      self.keepsLatest = keepsLatest
      self.expiry = expiry
    }
  }

  /// The row of a reading that the session has taken over and not settled.
  package struct Row {
    package let stream: StreamID
    package let bytes: Int
    /// A section of the index has it; false: that section was given up meanwhile.
    var isIndexed = true

    package init(stream: StreamID, bytes: Int) {
      self.stream = stream
      self.bytes = bytes
    }
  }
}

extension Outbox {
  /// A reading in memory that waits or is under way, and since when it is here.
  package var unsettled: [(token: Token, arrived: Instant)] {
    (taken.values + queues.flatMap(\.entries)).map { ($0.token, $0.arrived) }
  }

  /// Streams with a reading that was sent and is not settled.
  package var streamsUnderWay: Set<StreamID> { Set(taken.values.map(\.reading.stream)) }
}
