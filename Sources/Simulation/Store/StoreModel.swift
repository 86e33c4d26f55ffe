import MQTTCore
import Records

/// What the agent's store keeps and answers, without a disk: the contents of a `SimulatedStore`. A test holds it against
/// SQLite's.
package struct StoreModel: Sendable {
  /// What the board's clock shows, in seconds since 1970.
  package var now: Int64
  /// What is on the disk; a file that was removed lives on for the one that has it open.
  package internal(set) var file = File()
  /// What is on the disk cannot be read: each request fails, until the file is replaced.
  package var isDamaged = false
  package private(set) var isOpen = false
  private var isRemoved = false
  private var keptAside: KeptAside?
  /// When the file had been written last, when it was opened.
  private var lastWrite: Int64?

  /// A board without a store, and a process that has not opened it yet.
  package init(now: Int64 = 0) { self.now = now }

  /// A request is done as a whole, or has changed nothing.
  package mutating func perform(_ request: StoreRequest) -> Result<StoreAnswer, StorageError> {
    do throws(StorageError) { return .success(try answer(request)) } catch { return .failure(error) }
  }

  /// The process that has it open is gone.
  package mutating func endProcess() {
    if isRemoved { file = File() }
    (isOpen, isRemoved, keptAside) = (false, false, nil)
  }

  /// Somebody removes the file.
  package mutating func remove() {
    if isOpen { isRemoved = true } else { file = File() }
  }

  private mutating func answer(_ request: StoreRequest) throws(StorageError) -> StoreAnswer {
    if case .reopen(let damage) = request { return .state(try reopen(replacing: damage)) }
    if case .letGo = request {
      let aside = keptAside
      endProcess()
      keptAside = aside
      return .done
    }
    guard isOpen else { throw .modelled(.closed) }
    guard !isDamaged else { throw .modelled(.corrupt) }
    switch request {
    case .write(let changes):
      guard !isRemoved else { throw .modelled(.fileIsGone) }
      file.write(changes, now: now)
      return .done
    case .number(let names):
      file.outbox.number(names)
      file.written = now
      return .numbered(file.outbox.numbers)
    case .read(let number, let ranges, let limit):
      return .rows(file.outbox.rows(of: number, in: ranges, limit: limit))
    case .openOutbox(let device, let boot, let names):
      file.written = now
      return .outbox(file.openOutbox(device: device, boot: boot, names: names))
    case .setSessionAside:
      file.written = now
      return .setAside(file.session.setAside())
    case .reopen, .letGo: return .done
    }
  }

  private mutating func reopen(replacing damage: StorageError?) throws(StorageError) -> StoredState {
    if let damage {
      // Of a file that is not open nothing is read before it is kept aside.
      file = isOpen ? file.salvaged : File()
      isDamaged = false
      keptAside = KeptAside(path: "session.db.corrupt-\(now)", reason: damage)
    } else if isRemoved {
      file = File()
    }
    (isOpen, isRemoved) = (true, false)
    lastWrite = file.written
    if file.written == nil { file.written = now }
    guard !isDamaged else { throw .modelled(.corrupt) }
    var state = file.load(now: now)
    state.keptAside = keptAside
    state.lastWrite = lastWrite
    return state
  }
}

extension StoreModel {
  /// The tables.
  package struct File: Sendable, Equatable {
    /// Seconds since 1970; nil: there is no file yet.
    package internal(set) var written: Int64?
    package internal(set) var identity: StoredIdentity?
    package internal(set) var epoch: Int64 = 0
    /// Where each name goes on.
    package internal(set) var sequences: [String: Sequence] = [:]
    /// The oldest first.
    package internal(set) var instances: [String] = []
    package internal(set) var counts: [String: StoredCount] = [:]
    package internal(set) var outputs: [String: Bool] = [:]
    /// By kind and topic.
    package internal(set) var announcements: [StoredAnnouncement] = []
    /// In the order in which they came.
    package internal(set) var farewells: [StoredFarewell] = []
    package internal(set) var session = Session()
    package internal(set) var outbox = Outbox()
    package internal(set) var lastStop: LastStop?

    package struct Sequence: Sendable, Equatable {
      package let next: Int64
      package let isExact: Bool

      var stored: StoredSequence {
        StoredBounds.counts.contains(next)
          ? StoredSequence(next: UInt64(next), exact: isExact) : StoredSequence(next: 1, exact: false)
      }
    }
  }
}

extension StoreModel.File {
  mutating func write(_ changes: StoreChanges, now: Int64) {
    written = now
    if let epoch = changes.epoch { self.epoch = max(self.epoch, Int64(clamping: epoch)) }
    if let instance = changes.instance, !instances.contains(instance) {
      instances = (instances + [instance]).suffix(StoredBounds.instances)
    }
    if let identity = changes.identity { self.identity = identity }
    for name in changes.outputsForgotten { outputs[name] = nil }
    outputs.merge(changes.outputs) { $1 }
    for (name, count) in changes.counts {
      counts[name] = StoredCount(pulses: min(count.pulses, UInt64(Int64.max)), generation: count.generation)
    }
    for gone in changes.forgotten { announcements.removeAll { $0.kind == gone.kind && $0.topic == gone.topic } }
    for announcement in changes.announcements {
      announcements.removeAll { $0.kind == announcement.kind && $0.topic == announcement.topic }
      announcements.append(announcement)
    }
    announcements.sort { left, right in
      left.kind == right.kind
        ? left.topic.comes(before: right.topic) : left.kind.rawValue.comes(before: right.kind.rawValue)
    }
    outbox.clearings.removeAll { changes.clearingsRemoved.contains($0) }
    for topic in changes.clearingsAdded where !outbox.clearings.contains(topic) { outbox.clearings.append(topic) }
    outbox.clearings.sort { $0.comes(before: $1) }
    farewells.removeAll { known in changes.farewellsRemoved.contains { $0.isSame(as: known) } }
    for farewell in changes.farewellsAdded {
      if let place = farewells.firstIndex(where: { $0.isSame(as: farewell) }) {
        farewells[place] = farewell
      } else {
        farewells.append(farewell)
      }
    }
    for message in changes.setAside { session.setAside(message.message, of: message.owner, stored: now) }
    for token in changes.readings?.endedMessages ?? [] { session.rows.remove(token) }
    for change in changes.session {
      session.apply(change, now: now)
      if case .message(let message, _) = change { outbox.rows.remove(message.token) }
    }
    if let batch = changes.readings { apply(batch) }
    for (name, end) in changes.reserved {
      sequences[name] = Sequence(next: max(sequences[name]?.next ?? .min, Int64(clamping: end)), isExact: false)
    }
    goOnExactly(at: changes.exact ?? [:])
    if let stop = changes.lastStop { lastStop = stop }
  }

  private mutating func apply(_ batch: OutboxBatch) {
    for reading in batch.readings {
      outbox.rows.put(reading.token) { $0 = StoredReading(token: $1, stream: reading.stream, data: reading.data) }
    }
    outbox.drop(batch.dropped, sparing: batch.spared)
    for token in batch.finished { outbox.rows.remove(token) }
    goOnExactly(at: batch.numbers)
    if let start = batch.bootStart, let newest = outbox.boots.indices.last { outbox.boots[newest].start = start }
  }

  private mutating func goOnExactly(at next: [String: UInt64]) {
    for (name, number) in next { sequences[name] = Sequence(next: Int64(clamping: number), isExact: true) }
  }

  mutating func openOutbox(device: String, boot: String, names: [String]) -> StoredOutbox {
    outbox.open(device: device, boot: boot, names: names, session: Set(session.rows.elements.map(\.token)))
  }

  /// The last stop is given out once.
  mutating func load(now: Int64) -> StoredState {
    var state = StoredState()
    state.identity = identity
    state.epoch = StoredBounds.counts.contains(epoch) ? UInt64(epoch) : 0
    state.sequences = sequences.mapValues(\.stored)
    state.instances = Set(instances)
    state.counts = counts
    state.outputs = outputs
    state.announcements = announcements
    state.farewells = farewells
    (state.session, state.unreadable) = session.load(now: now)
    state.lastStop = lastStop
    lastStop = nil
    return state
  }

  /// What goes on in another file: who the device is, and how far it had counted.
  var salvaged: Self {
    var file = Self()
    file.identity = identity
    file.epoch = StoredBounds.counts.contains(epoch) ? epoch : 0
    file.sequences = sequences.mapValues { Sequence(next: Int64(clamping: $0.stored.next), isExact: false) }
    file.instances = instances
    file.counts = counts
    file.outputs = outputs
    file.announcements = announcements
    file.farewells = farewells
    return file
  }
}

extension StoredFarewell {
  fileprivate func isSame(as other: StoredFarewell) -> Bool {
    server == other.server && client == other.client && topic == other.topic
  }
}

extension String {
  /// SQLite compares bytes.
  func comes(before other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
