import Configuration
import Core
internal import Glibc
import Instants
import Logging
import MQTTCore
import Measuring
import NIOCore
import NIOPosix
import Outbox
import Plan
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
      .late, attempt: "open the store", file: folder, message: "no answer within \(Self.openingLimit.inWords)"
    ).inLimpetsWords
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
          """
          \(state.unreadable) rows of the stored session are unreadable: limpet sets them aside, and goes on with the \
          rest
          """)
      }
      if let aside = state.keptAside {
        logger.error(
          """
          the storage was damaged: limpet begins a new one, and keeps the damaged file as \(aside.path): \
          \(aside.reason)
          """)
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
        if !hasSaidSo { logger.notice("\(error.cause); waiting \(Self.holderPatience.inWords) for it to end") }
        hasSaidSo = true
        try? await eventLoop.scheduleTask(in: .milliseconds(100)) {}.futureResult.get()
      }
    }
  }

  /// How long another agent may take to end.
  private static let holderPatience = Duration.seconds(5)

  /// What the core begins with.
  ///
  /// - Parameters:
  ///   - store: nil: there is none, or it could not be opened.
  ///   - opened: there is one, open or not.
  func beginning(
    _ plan: DevicePlan, store: StateStore?, opened: Bool, _ state: StoredState, _ storeError: StorageError?
  ) async -> Beginning {
    var plan = plan
    let session = await keepSession(in: store, state.session, &plan)
    let outbox = await openOutbox(store, &plan)
    var beginning = Beginning(plan: plan, isStored: opened, numbers: numbers(store, state, plan))
    beginning.reason = reason(after: state)
    beginning.storeError = storeError
    beginning.outboxError = outbox.error
    beginning.state = state
    beginning.session = session
    beginning.outbox = outbox.stored
    beginning.setAside = outbox.stored?.setAside ?? 0
    beginning.boot = BootIdentity.read(in: surroundings.root)
    beginning.booted = BootIdentity.booted
    beginning.watchdogInterval = surroundings.service.watchdogInterval
    return beginning
  }

  private func reason(after state: StoredState) -> Beginning.Reason {
    if let reason = StartReason.take(runtimeFolder: surroundings.runtimeFolder) {
      return Beginning.Reason(reason.rawValue)
    }
    guard state.epoch > 0, state.lastStop == nil else { return Beginning.Reason("start") }
    let now = WallClock.now().time(of: .now).milliseconds / 1000
    // A clock that has not been set yet knows no distance.
    let last = AliveMark(runtimeFolder: surroundings.runtimeFolder).time ?? state.lastWrite
    let goneFor = last.flatMap { (0...max(0, now)).contains($0) ? UInt64(now - $0) : nil }
    return Beginning.Reason("recovered", goneFor: goneFor)
  }

  func identify(_ store: StateStore?, _ state: StoredState) async -> (String, StoredIdentity?) {
    if case .given(let id) = configuration.device.id { return (id, nil) }
    var generator = SystemRandomNumberGenerator()
    let (identity, origin) = DeviceIdentity.decide(
      stored: state.identity, board: BoardIdentity.read(in: surroundings.root), using: &generator)
    switch origin {
    case .stored: logger.info("this device is \(identity.id)")
    case .new: logger.info("this device is \(identity.id), made from \(identity.source.words)")
    case .moved(let from):
      logger.warning("this storage comes from another board (\(from)); this board is \(identity.id) from now on")
    }
    guard origin != .stored, let store else { return (identity.id, identity) }
    do { try await store.setIdentity(identity) } catch { logger.error("\(error)") }
    return (identity.id, identity)
  }

  private func numbers(_ store: StateStore?, _ state: StoredState, _ plan: DevicePlan) -> SequenceAllocator {
    var numbers = SequenceAllocator(
      stored: state.sequences, reservesBlocks: configuration.storage.sync != .always,
      historyIsLost: configuration.storage.sync != .never && (store == nil || state.keptAside != nil))
    numbers.register(plan.streams.map(\.name))
    if store == nil {
      _ = numbers.requests(at: .now)
      numbers.storageIsUnavailable()
    }
    return numbers
  }

  /// What waits on the disk, with the names that it belongs to.
  private func openOutbox(
    _ store: StateStore?, _ plan: inout DevicePlan
  ) async -> (stored: StoredOutbox?, error: StorageError?) {
    guard let store else { return (nil, nil) }
    let boot = BootIdentity.read(in: surroundings.root)
    do throws(StorageError) {
      let stored = try await store.openOutbox(device: plan.device, boot: boot, names: plan.streams.map(\.name))
      if stored.setAside > 0 {
        logger.warning("\(stored.setAside) readings of another identity waited here; they are set aside, not sent")
      }
      if stored.unreadable > 0 {
        logger.error(
          "\(stored.unreadable) stored readings are unreadable: limpet removes them, and counts them as dropped")
      }
      for name in stored.formerNames(beside: plan.streams.map(\.name)) {
        // A name that makes no topic stays where it is: nobody could send it.
        guard let stream = try? configuration.formerStream(name, device: plan.device) else { continue }
        plan.streams.append(stream)
        plan.outbox.keepsLatest.append(false)
      }
      let waiting = stored.sections.reduce(0) { $0 + $1.count }
      if waiting > 0 { logger.info("\(waiting) readings wait in the storage") }
      return (stored, nil)
    } catch {
      logger.error("\(error); readings that wait are in memory only until it can be opened")
      return (nil, error)
    }
  }

  /// The session goes on where the last process left off, and is kept for the next one; with `clean_start` the server
  /// forgets it, and what was under way is sent as new. That of another client, which this device was before, is set
  /// aside: a new identity does not send what an old one measured.
  private func keepSession(
    in store: StateStore?, _ state: SessionState, _ plan: inout DevicePlan
  ) async -> SessionState {
    guard let store else { return SessionState() }
    switch configuration.storage.sync {
    case .always: plan.link.storeDelay = .zero
    case .within(let delay): plan.link.storeDelay = delay
    case .never: return SessionState()
    }
    plan.link.isStored = true
    guard let owner = state.owner, owner.clientIdentifier != plan.connect.clientIdentifier else { return state }
    do throws(StorageError) {
      let count = try await store.setSessionAside()
      if count > 0 {
        logger.warning("\(count) messages that were under way as \(owner.clientIdentifier) are set aside, not sent")
      }
    } catch {
      logger.error(
        "\(error); limpet leaves the session of \(owner.clientIdentifier) alone, and keeps none of this process")
      plan.link.isStored = false
    }
    return SessionState()
  }

  /// How long the file may take to close at the end: systemd kills what takes much longer.
  static let closingLimit = Duration.seconds(10)

  /// A store that hangs is left to the end of the process.
  func close(_ store: StateStore?, within limit: Duration) async {
    guard let store else { return }
    let end = Awaited<Void>()
    // By a method of this actor: a task of nobody's would run on libdispatch's pool.
    Task { await close(store, then: end) }
    let patience = eventLoop.scheduleTask(in: TimeAmount(limit)) { end.give(()) }
    await end.value
    patience.cancel()
  }

  private func close(_ store: StateStore, then end: Awaited<Void>) async {
    await store.close()
    end.give(())
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
