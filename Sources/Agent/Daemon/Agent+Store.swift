import Configuration
internal import Glibc
import Instants
import Logging
import MQTTCore
import Measuring
import NIOCore
import NIOPosix
import Outbox
import Planning
import Platform
import Readings
import Records
import Sensing
import Storage
import Synchronization
import Text

/// What must survive a restart, around the daemon: opened before it, closed behind it.
extension Agent {
  typealias OpenedStore = (store: StateStore?, state: StoredState, error: StorageError?)

  /// A disk that hangs keeps no device offline: one that has not answered in time is opened later.
  ///
  /// nil: another agent uses the folder, and this one is not to run.
  func openStore() async -> OpenedStore? {
    let answer = Awaited<OpenedStore??>()
    Task { answer.give(.some(await openStoreAtLeisure())) }
    let patience = eventLoop.scheduleTask(in: TimeAmount(Self.openingLimit)) { answer.give(nil) }
    defer { patience.cancel() }
    if let opened = await answer.value { return opened }
    let folder = configuration.storage.path
    let error = StorageError(
      .late, attempt: "open the store", file: folder, message: "no answer within \(Self.openingLimit.inWords)")
    logger.error("\(error) Identity, epoch and sequence numbers may not survive a restart before that")
    return (await StateStore.unopened(folder: folder, isHeld: false), StoredState(), error)
  }

  /// Longer than what holds the folder may take to end.
  private static let openingLimit = holderPatience + .seconds(3)

  private func openStoreAtLeisure() async -> OpenedStore? {
    let folder = configuration.storage.path
    do throws(StorageError) {
      guard configuration.storage.sync != .never else {
        try await holdFolder()
        return (nil, StoredState(), nil)
      }
      let store = try await whenFree { () throws(StorageError) in try await StateStore.open(folder: folder) }
      let state = try await load(store)
      if state.unreadable > 0 {
        logger.error(
          "\(state.unreadable) rows of the stored session said nothing; they are set aside, and all else goes on")
      }
      if let aside = state.keptAside {
        logger.error(
          "the storage was damaged and begins anew; the damaged file is kept as \(aside.path): \(aside.reason)")
      }
      if let error = state.writeError { logger.error("\(error)") }
      return (store, state, nil)
    } catch {
      guard !error.kind.isHeld else {
        logger.critical("\(error)")
        return nil
      }
      logger.error(
        "\(error); the agent runs on in memory: identity, epoch and sequence numbers will not survive a restart")
      return (await StateStore.unopened(folder: folder), StoredState(), error)
    }
  }

  /// A file that proves to be damaged when it is read is kept aside like one that cannot be opened.
  private func load(_ store: StateStore) async throws(StorageError) -> StoredState {
    do throws(StorageError) { return try await store.load() } catch {
      guard error.isDamage else { throw error }
      return try await store.reopen(replacing: error)
    }
  }

  /// Two agents of one configuration would throw each other off the broker, also where neither stores anything.
  private func holdFolder() async throws(StorageError) {
    let folder = configuration.storage.path
    hold = try await whenFree { () throws(StorageError) in
      let result = try? await BlockingWork.run("limpet-storage") {
        Result { () throws(StorageError) in try StoreHold(existing: folder) }
      }
      switch result {
      case .success(let hold): return hold
      case .failure(let error) where error.kind.isHeld: throw error
      // No folder, no service that uses it.
      case .failure, nil: return nil
      }
    }
  }

  /// Tries for a while: at a restart, or an upgrade, whoever holds the folder may be about to end.
  private func whenFree<Value: Sendable>(
    _ open: () async throws(StorageError) -> Value
  ) async throws(StorageError) -> Value {
    let deadline = BootClock.now + Self.holderPatience
    var hasSaidSo = false
    while true {
      do throws(StorageError) { return try await open() } catch {
        guard error.kind.isHeld, BootClock.now < deadline, terminations == 0 else { throw error }
        if !hasSaidSo { logger.notice("\(error.message); waiting \(Self.holderPatience.inWords) for it to end") }
        hasSaidSo = true
        try? await eventLoop.scheduleTask(in: .milliseconds(100)) {}.futureResult.get()
      }
    }
  }

  /// How long another agent may take to end.
  private static let holderPatience = Duration.seconds(5)

  func start(after state: StoredState) -> Daemon.Start {
    guard state.epoch > 0, state.lastStop == nil else { return Daemon.Start(reason: "start") }
    let now = WallClock.now().time(of: .now).milliseconds / 1000
    // A clock that has not been set yet knows no distance.
    let last = AliveMark(runtimeFolder: surroundings.runtimeFolder).time ?? state.lastWrite
    let goneFor = last.flatMap { (0...max(0, now)).contains($0) ? UInt64(now - $0) : nil }
    return Daemon.Start(reason: "recovered", goneFor: goneFor)
  }

  func identify(_ store: StateStore?, _ state: StoredState) async -> (String, StoredIdentity?) {
    if case .given(let id) = configuration.device.id { return (id, nil) }
    var generator = SystemRandomNumberGenerator()
    let (identity, origin) = DeviceIdentity.decide(
      stored: state.identity, board: BoardIdentity.read(in: surroundings.root), using: &generator)
    switch origin {
    case .stored: logger.notice("this device is \(identity.id)")
    case .new: logger.notice("this device is \(identity.id), made from \(identity.source.words)")
    case .moved(let from):
      logger.warning("this storage comes from another board (\(from)); this board is \(identity.id) from now on")
    }
    guard origin != .stored, let store else { return (identity.id, identity) }
    do { try await store.setIdentity(identity) } catch { logger.error("\(error)") }
    return (identity.id, identity)
  }

  /// Sequence numbers with the first block of every name on the disk, so that sampling can begin.
  func firstNumbers(
    _ store: StateStore?, _ state: StoredState, _ plan: Daemon.Plan
  ) async -> SequenceAllocator {
    var numbers = SequenceAllocator(
      stored: state.sequences, reservesBlocks: configuration.storage.sync != .always,
      historyIsLost: configuration.storage.sync != .never && (store == nil || state.keptAside != nil))
    numbers.register(plan.streams.map(\.name))
    let ends = numbers.requests(at: .now)
    guard let store else {
      numbers.storageIsUnavailable()
      return numbers
    }
    guard !ends.isEmpty else { return numbers }
    do {
      try await store.reserve(ends)
      numbers.reserved(ends)
    } catch {
      logger.error("\(error); sequence numbers are not reserved: a restart may repeat them")
      numbers.reservationFailed(at: .now)
    }
    return numbers
  }

  struct OpenedOutbox {
    var outbox: Outbox
    var setAside = 0
    /// Topics whose retained reading the broker is to forget.
    var clearings: [String] = []
    /// Why it is not open; the daemon tries again.
    var error: StorageError?
  }

  /// What waits on the disk, with the names that it belongs to.
  func openOutbox(_ store: StateStore?, device: String, _ plan: inout Daemon.Plan) async -> OpenedOutbox {
    guard let store else { return OpenedOutbox(outbox: Outbox(plan.outbox, at: .now)) }
    let boot = BootIdentity.read(in: surroundings.root)
    do throws(StorageError) {
      let stored = try await store.openOutbox(device: device, boot: boot, names: plan.streams.map(\.name))
      if stored.setAside > 0 {
        logger.warning("\(stored.setAside) readings of another identity waited here; they are set aside, not sent")
      }
      if stored.unreadable > 0 {
        logger.error("\(stored.unreadable) stored readings said nothing; they are removed, and counted as dropped")
      }
      for name in stored.formerNames(beside: plan.streams.map(\.name)) {
        // A name that makes no topic stays where it is: nobody could send it.
        guard let stream = try? configuration.formerStream(name, device: device) else { continue }
        plan.streams.append(stream)
        plan.outbox.keepsLatest.append(false)
      }
      var outbox = Outbox(plan.outbox, at: .now)
      outbox.open(stored, names: plan.streams.map(\.name), booted: BootIdentity.booted, at: .now)
      if outbox.count > 0 { logger.notice("\(outbox.count) readings wait in the storage") }
      return OpenedOutbox(outbox: outbox, setAside: stored.setAside, clearings: stored.clearings)
    } catch {
      logger.error("\(error); readings that wait are in memory only until it can be opened")
      return OpenedOutbox(outbox: Outbox(plan.outbox, at: .now), error: error)
    }
  }

  /// How long a disk may take at the end: systemd kills what takes much longer.
  static let closingLimit = Duration.seconds(10)

  func close(_ store: StateStore?, _ daemon: Daemon, isClean: Bool, within limit: Duration) async {
    let end = Awaited<Bool>()
    Task {
      await close(store, daemon, isClean: isClean)
      end.give(true)
    }
    let patience = eventLoop.scheduleTask(in: TimeAmount(limit)) { end.give(false) }
    defer { patience.cancel() }
    guard await !end.value else { return }
    logger.error(
      """
      the storage has not answered within \(limit.inWords): what was to be stored at the end may be lost, and the next \
      start takes this stop for an unclean one
      """)
  }

  private func close(_ store: StateStore?, _ daemon: Daemon, isClean: Bool) async {
    await daemon.storeReadings()
    let kept = await daemon.onDisk
    if kept > 0 { logger.notice("\(kept) readings wait in the storage for the next start") }
    let lost = await daemon.inMemory
    if lost > 0 { logger.error("\(lost) readings were taken and not sent; they are lost with this process") }
    await daemon.flush()
    guard let store else { return }
    do {
      try await store.storeExact(await daemon.exactNumbers)
      try await store.setCounts(await daemon.movedCounts)
      if isClean {
        let now = WallClock.now().time(of: .now)
        try await store.setLastStop(LastStop(reason: await daemon.stopReason.rawValue, time: now.milliseconds))
      }
    } catch { logger.error("\(error)") }
    await store.close()
  }
}

extension StorageError.Kind {
  fileprivate var isHeld: Bool { if case .held = self { true } else { false } }
}

extension StoredIdentity.Source {
  fileprivate var words: String {
    switch self {
    case .deviceTree: "the board's serial number"
    case .machineID: "/etc/machine-id"
    case .random: "a random number, since this board has no serial number and no machine-id"
    }
  }
}

extension Daemon.Plan {
  /// The session goes on where the last process left off, and is kept for the next one; with `clean_start` the server
  /// forgets it, and what was under way is sent as new. That of another client, which this device was before, is set
  /// aside: a new identity does not send what an old one measured.
  package mutating func keepSession(
    in store: StateStore?, _ state: SessionState, sync: Configuration.Sync, logger: Logger
  ) async {
    guard let store else { return }
    switch sync {
    case .always: client.storeDelay = .zero
    case .within(let delay): client.storeDelay = delay
    case .never: return
    }
    client.store = store
    guard let owner = state.owner, owner.clientIdentifier != connect.clientIdentifier else {
      client.session = state
      return
    }
    do throws(StorageError) {
      let count = try await store.setSessionAside()
      guard count > 0 else { return }
      logger.warning("\(count) messages that were under way as \(owner.clientIdentifier) are set aside, not sent")
    } catch {
      logger.error("\(error); the session of \(owner.clientIdentifier) is left alone, and this one is not kept")
      client.store = nil
    }
  }
}
