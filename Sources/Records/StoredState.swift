import MQTTCore

/// The identity of this device, as first found out: kept, so that limpet notices a changed board or a cloned card.
public struct StoredIdentity: Equatable, Sendable {
  /// Where an identity comes from.
  public enum Source: String, Sendable {
    /// The board's serial number in the device tree.
    case deviceTree = "device-tree"
    /// `/etc/machine-id`.
    case machineID = "machine-id"
    /// Random, for a device that has neither.
    case random
  }

  /// The device id: 1 to 64 characters.
  public var id: String
  /// Where it was taken from.
  public var source: Source
  /// The text that was read there, for comparison; for `random` the random text.
  public var serial: String

  /// An identity to store.
  public init(id: String, source: Source, serial: String) {
    self.id = id
    self.source = source
    self.serial = serial
  }
}

extension StoredIdentity {
  /// Whether a process of this identity may go on with a store of `other`: the ids are equal, or both sources are of
  /// one kind, so that it is certain that the store was moved to this board. A random source says nothing of the board.
  package func isOfSameBoard(as other: StoredIdentity) -> Bool {
    other.id == id || other.source == source && other.source != .random
  }
}

/// Where the sequence numbers of one name go on.
public struct StoredSequence: Equatable, Sendable {
  /// The number to go on with.
  public var next: UInt64
  /// Whether every number before `next` was used: true after a clean stop. Else `next` is the end of a reserved block,
  /// and some numbers before it were never used.
  public var exact: Bool

  /// A sequence to go on with.
  public init(next: UInt64, exact: Bool) {
    self.next = next
    self.exact = exact
  }
}

/// The value of a counter.
public struct StoredCount: Equatable, Sendable {
  /// At most 2^63 - 1.
  public var pulses: UInt64
  /// Random, chosen when the counter began at zero: counts of one generation continue each other.
  public var generation: UInt32

  /// A count to store.
  public init(pulses: UInt64, generation: UInt32) {
    self.pulses = pulses
    self.generation = generation
  }
}

/// A clean stop of the last run.
public struct LastStop: Equatable, Sendable {
  /// Why it stopped, as in the `presence` message.
  public var reason: String
  /// Wall time of the stop, in milliseconds since 1970.
  public var time: Int64

  /// A stop to store.
  public init(reason: String, time: Int64) {
    self.reason = reason
    self.time = time
  }
}

/// Everything an agent needs from its store when it starts.
public struct StoredState: Equatable, Sendable {
  /// nil: this store has none yet.
  public var identity: StoredIdentity?
  /// The epoch of the last CONNECT; 0: there was none.
  public var epoch: UInt64 = 0
  /// By name.
  public var sequences: [String: StoredSequence] = [:]
  /// The names of the last runs.
  public var instances: Set<String> = []
  /// When the store was last written before it was opened, in seconds since 1970; nil: it is a new one.
  public var lastWrite: Int64?
  /// Of counters, by name.
  public var counts: [String: StoredCount] = [:]
  /// The last plain on or off of outputs, by name.
  public var outputs: [String: Bool] = [:]
  /// The retained descriptions of this device for home automation.
  public var announcements: [StoredAnnouncement] = []
  /// Topics on which brokers may keep `online` of this device, the oldest first.
  public var farewells: [StoredFarewell] = []
  /// The MQTT session; without an owner where there was none yet.
  public var session = SessionState()
  /// How the last run ended; nil: it did not end cleanly, or there was none.
  public var lastStop: LastStop?
  /// A damaged store that this one replaces: its sequences and its epoch are unknown here.
  public var keptAside: KeptAside?
  /// How many unreadable rows of the session were removed; messages among them are kept beside it, as they are.
  public var unreadable = 0
  /// Why the store cannot be written at the moment; everything else here was read all the same.
  public var writeError: StorageError?

  /// The state of a new store, and of a store that could not be opened.
  public init() {}
}

/// What a store has done, for `limpet status`.
public struct StoreCounters: Equatable, Sendable {
  /// Transactions that changed something and are on the disk.
  public var transactions: UInt64 = 0
  /// Bytes these wrote, in whole pages, without what checkpoints copy later.
  public var bytes: UInt64 = 0
  /// Calls that failed.
  public var failures: UInt64 = 0

  package init(transactions: UInt64 = 0, bytes: UInt64 = 0, failures: UInt64 = 0) {
    self.transactions = transactions
    self.bytes = bytes
    self.failures = failures
  }
}
