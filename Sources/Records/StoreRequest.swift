import MQTTCore

/// One request to a store; the one who asks numbers them.
package struct StoreTicket: Sendable, Hashable, Comparable {
  package let rawValue: UInt64

  package init(_ rawValue: UInt64) { self.rawValue = rawValue }

  package static func < (left: StoreTicket, right: StoreTicket) -> Bool { left.rawValue < right.rawValue }
}

/// What a store is asked for, as a whole: it is done, or nothing has changed.
package enum StoreRequest: Sendable, Equatable {
  indirect case write(StoreChanges)
  /// These streams get numbers, where they have none yet.
  case number([String])
  /// The oldest rows of the stream of that number, at most `limit`.
  /// - Parameter ranges: where they are looked for, in their order.
  case read(number: Int, ranges: [ClosedRange<UInt64>], limit: Int)
  /// The store is opened, again perhaps, and read: behind a damaged file that is kept aside first, where there is one.
  case reopen(replacing: StorageError?)
  /// The session belongs to another client from now on: its messages are kept aside, and the rest of it is forgotten.
  case setSessionAside
  /// What waits there of another device is set aside.
  /// - Parameters:
  ///   - boot: the kernel's name of this boot.
  ///   - names: the streams that get numbers, beside those that have them.
  case openOutbox(device: String, boot: String, names: [String])
  /// The file is closed, and the folder kept from other agents: until it is opened again every request fails.
  case letGo
}

/// What a store says to a request that it has done.
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
/// What it holds is at its final value: the order in which it is written is the store's affair, not that of the events
/// behind it. Where two parts speak of the same row, the part named later counts:
/// - `readings`, then `session`: a message that the session takes in is its own, whatever a batch says of its reading.
/// - `readings`, then `reserved`, then `exact`: a name whose numbers may be used up to an end goes on there, unless it
///   is the end of the run.
/// - what is removed, then what is added.
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
  /// Of outputs that there are no more.
  package var outputsForgotten: [String] = []
  /// Topics whose retained reading the broker is to forget.
  package var clearingsAdded: [String] = []
  package var clearingsRemoved: [String] = []
  /// In place of what there was under the same kind and topic.
  package var announcements: [StoredAnnouncement] = []
  /// By their kind and topic.
  package var forgotten: [StoredAnnouncement] = []
  /// In place of what there was for the same broker, client and topic.
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
