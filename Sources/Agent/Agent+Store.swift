import Configuration
import Core
internal import Glibc
import LimpetInstants
import LimpetPlatform
import LimpetText
import Logging
import MQTTCore
import Measuring
import NIOCore
import NIOPosix
import Plan
import Planning
import Records
import Sensing
import Storage

/// What must survive a restart, around the daemon: opened before it, closed behind it.
extension Agent {
  /// What there is to begin with, and the store beside it; nil: this process is not to run.
  typealias Opened = (beginning: Beginning, store: StateStore?)

  /// Carries out what `Opening` asks for.
  ///
  /// - Throws: when the configuration cannot be run.
  func open() async throws(PlanError) -> Opened? {
    guard !isStopWanted else { return nil }
    let folder = configuration.storage.path
    var circumstances = Opening.Circumstances()
    circumstances.folder = folder
    circumstances.storeDelay =
      switch configuration.storage.sync {
      case .always: .zero
      case .within(let delay): delay
      case .never: nil
      }
    circumstances.reason = StartReason.take(runtimeFolder: surroundings.runtimeFolder)?.rawValue
    circumstances.lastAlive = AliveMark(runtimeFolder: surroundings.runtimeFolder).time
    circumstances.boot = BootIdentity.read(in: surroundings.root)
    circumstances.booted = BootIdentity.booted
    circumstances.watchdogInterval = surroundings.service.watchdogInterval
    let isStored = circumstances.storeDelay != nil
    let store = isStored ? await StateStore.unopened(folder: folder, isHeld: false) : nil
    let opener = Opener(Opening(circumstances, at: .now), store)
    self.opener = opener
    defer {
      self.opener = nil
      opener.patience?.cancel()
    }
    opens { opening, _ in opening.start() }
    let beginning = try await opener.end.value.get()
    return beginning.map { ($0, store) }
  }

  /// Something happens to the opening.
  func opens(_ body: (inout Opening, Moment) -> [Opening.Effect]) {
    guard let opener else { return }
    let clock = WallClock.now()
    let effects = body(&opener.opening, Moment(boot: clock.instant, wall: clock, awake: .awake))
    for effect in effects { carryOut(effect, opener) }
    opener.patience?.cancel()
    guard let deadline = opener.opening.deadline else { return }
    opener.patience = eventLoop.scheduleTask(in: TimeAmount(max(.zero, deadline - .now))) { [self] in
      assumeIsolated { $0.opens { $0.tick(at: $1) } }
    }
  }

  private func carryOut(_ effect: Opening.Effect, _ opener: Opener) {
    switch effect {
    case .ask(let ticket, let request): Task { await ask(opener.store, ticket, request) }
    case .hold: Task { await holdFolder() }
    case .plan(let state, let storeWorks):
      Task {
        do throws(PlanError) {
          let plan = try await plan(after: state, storeWorks: storeWorks)
          opens { $0.planned(plan, at: $1) }
        } catch {
          opener.end.give(.failure(error))
        }
      }
    case .findStreams(let names):
      guard let device else { return }
      let streams = names.compactMap { try? configuration.formerStream($0, device: device) }
      opens { $0.found(streams, at: $1) }
    case .note(let note): logger.log(level: note.line.level, "\(note.line.text)")
    case .begin(let beginning): opener.end.give(.success(beginning))
    case .end(let error):
      if let error { logger.critical("\(error)") }
      opener.end.give(.success(nil))
    }
  }

  private func ask(_ store: StateStore?, _ ticket: StoreTicket, _ request: StoreRequest) async {
    let result: Result<StoreAnswer, StorageError>
    do throws(StorageError) {
      guard let store else { throw .noThread(in: configuration.storage.path) }
      result = .success(try await store.perform(request))
    } catch {
      result = .failure(error)
    }
    opens { $0.answered(ticket, result, at: $1) }
  }

  /// Two agents of one configuration would throw each other off the broker, also where neither stores anything.
  private func holdFolder() async {
    let folder = configuration.storage.path
    let result = try? await BlockingWork.run("limpet-storage") {
      Result { () throws(StorageError) in try StoreHold(existing: folder) }
    }
    switch result {
    case .success(let hold):
      self.hold = hold
      opens { $0.held(nil, at: $1) }
    case .failure(let error): opens { $0.held(error, at: $1) }
    // No thread: nobody can be kept from it.
    case nil: opens { $0.held(nil, at: $1) }
    }
  }

  // MARK: Which device this is

  private func plan(after state: StoredState, storeWorks: Bool) async throws(PlanError) -> DevicePlan {
    let (device, identity) = identify(state)
    self.device = device
    let guarantees = Guarantees(
      configuration, device: device, memoryShare: memory?.outboxShare, storeWorks: storeWorks)
    for guarantee in guarantees.lines { logger.info("\(guarantee)") }
    return try await devicePlan(of: configuration, device: device, identity)
  }

  private func identify(_ state: StoredState) -> (String, StoredIdentity?) {
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
    return (identity.id, identity)
  }

  // MARK: The end

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

/// What opens the store of this process, until there is a shell.
final class Opener {
  var opening: Opening
  let store: StateStore?
  let end = Awaited<Result<Beginning?, PlanError>>()
  var patience: Scheduled<Void>?

  init(_ opening: Opening, _ store: StateStore?) {
    self.opening = opening
    self.store = store
  }
}

extension StorageError {
  fileprivate static func noThread(in folder: String) -> Self {
    StorageError(
      .cannotOpen, attempt: "open the store", file: folder, systemError: EAGAIN,
      message: "the system has no thread left"
    ).inLimpetsWords
  }
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
