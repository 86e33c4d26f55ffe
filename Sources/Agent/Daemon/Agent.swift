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

/// The agent: opens its store, finds out which device it is, and runs until it is told to stop.
///
/// It lives on the one event loop, with everything that it starts there.
public actor Agent {
  package nonisolated let eventLoop: any EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// Where an agent runs, and what is around it.
  public struct Surroundings: Sendable {
    /// Where sensors and the board's identity are read.
    public var root: FileRoot
    /// The service's folder in memory (systemd.exec(5), RuntimeDirectory=); nil: there is none.
    public var runtimeFolder: String?
    public var log: LogWriter
    public var logThreshold: LogThreshold
    /// Who started this process and wants to know how it is.
    public var service: ServiceManager
    /// Reads the configuration again; it blocks.
    public var load: @Sendable () -> LoadResult

    public init(
      root: FileRoot, runtimeFolder: String?, log: LogWriter, logThreshold: LogThreshold, service: ServiceManager,
      load: @escaping @Sendable () -> LoadResult
    ) {
      self.load = load
      self.root = root
      self.runtimeFolder = runtimeFolder
      self.service = service
      self.log = log
      self.logThreshold = logThreshold
    }
  }

  package var configuration: Configuration
  package let surroundings: Surroundings
  package let logger: Logger
  package let started = BootClock.now
  package var daemon: Daemon?
  package var control: ControlServer?
  /// Known once the store is open.
  package var device: String?
  /// Random, new in each process.
  package let instance: String
  package let memory: MemoryLimit?
  package let thermometers = W1Conversions()
  /// Where nothing is stored.
  private var hold: StoreHold?
  var isReloading = false
  /// A signal asked for it meanwhile.
  var isReloadWanted = false
  var reloads: UInt64 = 0
  var failedReloads: UInt64 = 0
  /// `limpet abort` was asked for.
  var isAbortWanted = false
  /// Signals to end that came so far.
  private var terminations = 0

  private init(
    _ configuration: Configuration, _ surroundings: Surroundings, logger: Logger, eventLoop: any EventLoop
  ) {
    self.configuration = configuration
    self.surroundings = surroundings
    var generator = SystemRandomNumberGenerator()
    instance = String(generator.next() as UInt64, radix: 16)
    self.logger = logger
    self.eventLoop = eventLoop
    memory = MemoryLimit.read(in: surroundings.root)
  }

  /// Runs until SIGTERM or SIGINT, a second one of which aborts; blocks its thread.
  ///
  /// - Parameter events: made before any thread.
  /// - Returns: false when the end failed: it was not clean, so that the broker may have to say offline by the will, and
  ///   nobody asked for that with `limpet abort`.
  /// - Throws: when the configuration cannot be run.
  public static func run(
    _ configuration: Configuration, _ surroundings: Surroundings, events: ProcessEvents, logger: Logger
  ) throws(PlanError) -> Bool {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let agent = Agent(configuration, surroundings, logger: logger, eventLoop: group.next())
    let result = Mutex<Result<Bool, PlanError>>(.success(false))
    agent.onLoop { agent in
      Task {
        do throws(PlanError) {
          let isClean = try await agent.run()
          // Whoever starts the process again when it has failed must not undo an abort that was asked for.
          let isWanted = isClean || agent.isAbortWanted
          result.withLock { $0 = .success(isWanted) }
        } catch {
          result.withLock { $0 = .failure(error) }
        }
        events.finish()
      }
    }
    while true {
      switch events.next() {
      case .terminate: agent.onLoop { $0.terminate() }
      case .reload: agent.onLoop { agent in Task { await agent.reloadForSignal() } }
      case .clockJumped: agent.onLoop { $0.clockJumped() }
      case .networkChanged(let addresses): agent.onLoop { $0.networkChanged(addresses) }
      case .finished: return try result.withLock { $0 }.get()
      }
    }
  }

  private nonisolated func onLoop(_ body: @escaping @Sendable (isolated Agent) -> Void) {
    eventLoop.execute { self.assumeIsolated { body($0) } }
  }

  private func terminate() {
    terminations += 1
    let isFirst = terminations == 1
    daemon?.assumeIsolated { isFirst ? $0.stop() : $0.abort() }
  }

  private func networkChanged(_ addresses: Set<String>?) {
    daemon?.assumeIsolated { $0.networkChanged(addresses) }
  }

  private func clockJumped() { daemon?.assumeIsolated { $0.clockJumped() } }

  private func run() async throws(PlanError) -> Bool {
    logger.notice("limpet \(limpetVersion) starts, process \(getpid()), log level \(surroundings.logThreshold.level)")
    guard let (anyStore, state, storeError) = await openStore() else { return false }
    let store = storeError == nil ? anyStore : nil
    let (device, identity) = await identify(store, state)
    self.device = device
    for guarantee in Guarantees(configuration, device: device, memoryShare: memory?.outboxShare).lines {
      logger.notice("\(guarantee)")
    }
    var plan = try configuration.daemonPlan(
      device: device, instance: instance, root: surroundings.root, runtimeFolder: surroundings.runtimeFolder,
      memory: memory,
      thermometers: thermometers)
    plan.identity = identity
    await startControl()
    if let store {
      do { try await store.addInstance(instance) } catch { logger.error("\(error)") }
    }
    await plan.keepSession(in: store, state.session, sync: configuration.storage.sync, logger: logger)
    let opened = await openOutbox(store, device: device, &plan)
    let daemon = Daemon(
      plan: plan, store: anyStore, storeError: storeError, outboxError: opened.error, state: state,
      outbox: opened.outbox, setAside: opened.setAside,
      clearings: opened.clearings, numbers: await firstNumbers(store, state, plan),
      start: start(after: state), service: surroundings.service,
      facts: facts(ofDevice: device), eventLoop: eventLoop, logger: logger)
    // Told to stop before it began: nothing was published, so nothing has to be taken back.
    self.daemon = daemon
    let isClean = terminations == 0 ? await daemon.run() : true
    await close(await daemon.outbox.disk.isOpen ? anyStore : store, daemon, isClean: isClean)
    await control?.stop()
    logger.notice("stopped\(isClean ? "" : ", not cleanly")")
    return isClean
  }

  /// For the daemon, on the loop that both live on. (Debian's Swift 6.2.3 crashes on `unowned` here.)
  private func facts(ofDevice device: String) -> @Sendable () -> AgentFacts {
    { [weak self] in
      guard let self else { preconditionFailure("an agent outlives its daemon") }
      return assumeIsolated { $0.facts(device: device) }
    }
  }

  // MARK: The store

  /// nil: another agent uses the folder, and this one is not to run.
  private func openStore() async -> (StateStore?, StoredState, StorageError?)? {
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

  private func start(after state: StoredState) -> Daemon.Start {
    guard state.epoch > 0, state.lastStop == nil else { return Daemon.Start(reason: "start") }
    let now = WallClock.now().time(of: .now).milliseconds / 1000
    // A clock that has not been set yet knows no distance.
    let last = AliveMark(runtimeFolder: surroundings.runtimeFolder).time ?? state.lastWrite
    let goneFor = last.flatMap { (0...max(0, now)).contains($0) ? UInt64(now - $0) : nil }
    return Daemon.Start(reason: "recovered", goneFor: goneFor)
  }

  private func identify(_ store: StateStore?, _ state: StoredState) async -> (String, StoredIdentity?) {
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
  private func firstNumbers(
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

  private struct OpenedOutbox {
    var outbox: Outbox
    var setAside = 0
    /// Topics whose retained reading the broker is to forget.
    var clearings: [String] = []
    /// Why it is not open; the daemon tries again.
    var error: StorageError?
  }

  /// What waits on the disk, with the names that it belongs to.
  private func openOutbox(_ store: StateStore?, device: String, _ plan: inout Daemon.Plan) async -> OpenedOutbox {
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
