import MQTTCore

/// A request to a store, with its owner's number.
package struct StoreTicket: Sendable, Hashable, Comparable {
  package let rawValue: UInt64

  package init(_ rawValue: UInt64) { self.rawValue = rawValue }

  package static func < (left: StoreTicket, right: StoreTicket) -> Bool { left.rawValue < right.rawValue }
}

/// What a store is to do, as a whole: it is done, or nothing has changed.
package enum StoreRequest: Sendable, Equatable {
  indirect case write(StoreChanges)
  /// Gives numbers to these streams, if they have none yet.
  case number([String])
  /// The oldest rows of the stream of that number, at most `limit`.
  /// - Parameter ranges: where to look for them, in this order.
  case read(number: Int, ranges: [ClosedRange<UInt64>], limit: Int)
  /// Opens the store (again, if it was open) and reads it; a damaged file is kept aside first.
  case reopen(replacing: StorageError?)
  /// The session belongs to another client from now on: its messages are kept aside, and the rest of it is forgotten.
  case setSessionAside
  /// Opens the outbox, and sets aside readings of another device.
  /// - Parameters:
  ///   - boot: the kernel's name of this boot.
  ///   - names: the streams that get numbers, beside those that have them.
  case openOutbox(device: String, boot: String, names: [String])
  /// Closes the file, and keeps the folder locked: until it is opened again every request fails.
  case letGo
}

/// The answer of a store to a request that it has done.
package enum StoreAnswer: Sendable, Equatable {
  /// To `write` and `letGo`: it is on the disk.
  case done
  /// To `number`: the numbers of all streams there are.
  case numbered([String: Int])
  /// To `read`.
  case rows([StoredReading])
  /// To `reopen`.
  case state(StoredState)
  /// To `setSessionAside`: how many messages are kept.
  case setAside(Int)
  /// To `openOutbox`.
  case outbox(StoredOutbox)
}

/// What is to be written, as one transaction: all of it or nothing.
///
/// All values are final: the store chooses the order of writing, whatever the order of the events was. If two parts are
/// about the same row, the part named later counts:
/// - `readings`, then `session`: a message that the session takes in is its own, whatever a batch says of its reading.
/// - `readings`, then `reserved`, then `exact`: a name whose numbers may be used up to an end goes on there, unless it
///   is the end of the run.
/// - removed rows, then added rows.
package struct StoreChanges: Sendable, Equatable {
  /// The epoch is not below this one.
  package var epoch: UInt64?
  /// The name of this run.
  package var instance: String?
  /// In place of an earlier one.
  package var identity: StoredIdentity?
  /// Ends of blocks of sequence numbers, by name; none of them ever goes back.
  package var reserved: [String: UInt64] = [:]
  package var readings: OutboxBatch?
  /// In this order.
  package var session: [SessionChange] = []
  /// Of counters, by name.
  package var counts: [String: StoredCount] = [:]
  /// The last plain on or off of outputs, by name.
  package var outputs: [String: Bool] = [:]
  /// Of outputs that no longer exist.
  package var outputsForgotten: [String] = []
  /// Topics whose retained reading limpet has to clear.
  package var clearingsAdded: [String] = []
  package var clearingsRemoved: [String] = []
  /// Each replaces the one of the same kind and topic.
  package var announcements: [StoredAnnouncement] = []
  /// By their kind and topic.
  package var forgotten: [StoredAnnouncement] = []
  /// Each replaces the one of the same broker, client and topic.
  package var farewellsAdded: [StoredFarewell] = []
  package var farewellsRemoved: [StoredFarewell] = []
  package var setAside: [SetAsideMessage] = []
  /// At a clean stop, when no number is used any more: each name goes on at exactly this one.
  package var exact: [String: UInt64]?
  /// At the very end of a clean stop.
  package var lastStop: LastStop?

  package init() {}

  package var isEmpty: Bool { self == StoreChanges() }
}

/// A message that is not sent any more, and is kept beside the session for people.
package struct SetAsideMessage: Sendable, Equatable {
  package var message: Message
  /// The client identifier of the session that it was in.
  package var owner: String

  package init(message: Message, owner: String) {
    self.message = message
    self.owner = owner
  }
}
