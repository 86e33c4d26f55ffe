import LimpetInstants
import MQTTCore
import Outbox
import Plan
import Readings
import Records

/// A process begins: the requests to the store before there is a core, and their answers.
///
/// `reading` the state –it says which device this is, and so what is to be done→ `settingAside` a session of another
/// client, where there is one → `adopting` its readings → over. Another agent that has the folder may be about to end, as
/// at a restart or an upgrade: for `holderPatience` it is asked again. A disk that hangs keeps no device offline: what
/// has not been answered within `limit` the core asks for later.
package struct Opening: Sendable {
  /// What the shell knows of this start.
  package struct Circumstances: Sendable {
    /// Of the store; for errors.
    package var folder = ""
    /// How long the session's changes may be in memory only; nil: nothing is stored (`sync: never`).
    package var storeDelay: Duration?
    /// Of sequence numbers.
    package var blockSize = SequenceAllocator.usualBlock
    /// Why it was started, where who started it says so.
    package var reason: String?
    /// When the last process was known to run, in seconds since 1970.
    package var lastAlive: Int64?
    /// The kernel's name of this boot, and the moment at which its clock was zero.
    package var boot = ""
    package var booted = BootClock.Instant(nanoseconds: 0)
    package var watchdogInterval: Duration?

    package init() {}
  }

  package enum Effect: Sendable {
    /// `answered` with its ticket; one is under way at a time.
    case ask(StoreTicket, StoreRequest)
    /// The folder is kept from other agents, where nothing is stored in it; `held` answers.
    case hold
    /// Which device this is, and what it is to do; `planned` answers.
    case plan(StoredState, storeWorks: Bool)
    /// Names that have readings and are not configured any more; `found` answers at once.
    case findStreams([String])
    case note(Note)
    case begin(Beginning)
    /// This process is not to run: another agent has the storage; nil: it was stopped.
    case end(StorageError?)
  }

  private enum Phase {
    case reading
    /// Another agent has the folder.
    case waiting(until: BootClock.Instant)
    case planning
    case settingAside
    case adopting
    case over
  }

  /// How long another agent may take to end.
  package static let holderPatience = Duration.seconds(5)
  private static let retryDelay = Duration.milliseconds(100)
  /// Longer than what holds the folder may take to end.
  package static let limit = holderPatience + .seconds(3)
  /// Above those of the core.
  package static let firstTicket = StoreTicket(1 << 60)

  private let circumstances: Circumstances
  private let since: BootClock.Instant
  private var phase = Phase.reading
  private var ticket = firstTicket
  private var isWaiting = false
  private var hasReplaced = false
  private var state = StoredState()
  private var session = SessionState()
  private var plan: DevicePlan?
  private var storeError: StorageError?
  private var outboxError: StorageError?
  private var outbox: StoredOutbox?

  package init(_ circumstances: Circumstances, at now: BootClock.Instant) {
    self.circumstances = circumstances
    since = now
  }

  /// When `tick` is to be called; nil: it is over.
  package var deadline: BootClock.Instant? {
    switch phase {
    case .over: nil
    case .waiting(let until): min(until, since + Self.limit)
    // It has a time of its own, and nothing is due meanwhile.
    case .planning: since + Self.limit + .seconds(4)
    default: since + Self.limit
    }
  }

  package mutating func start() -> [Effect] { [read(replacing: nil)] }

  private mutating func read(replacing damage: StorageError?) -> Effect {
    phase = .reading
    return circumstances.storeDelay == nil ? .hold : ask(.reopen(replacing: damage))
  }

  private mutating func ask(_ request: StoreRequest) -> Effect {
    ticket = StoreTicket(ticket.rawValue + 1)
    return .ask(ticket, request)
  }

  /// Stopped before it began: nothing was published, so nothing has to be taken back.
  package mutating func stop() -> [Effect] {
    guard deadline != nil else { return [] }
    phase = .over
    return [.end(nil)]
  }

  package mutating func tick(at now: Moment) -> [Effect] {
    if let deadline, deadline > now.boot { return [] }
    switch phase {
    case .over, .planning: return []
    case .waiting where now.boot < since + Self.limit: return [read(replacing: nil)]
    case .reading, .waiting:
      guard circumstances.storeDelay != nil else { return makePlan() }
      let error = late("open the store")
      storeError = error
      return [.note(.opening(.isLate(error)))] + makePlan()
    case .settingAside:
      return leaveSession(late("set the session aside")) + begin(without: late("read the readings that wait"), at: now)
    case .adopting: return begin(without: late("read the readings that wait"), at: now)
    }
  }

  private func late(_ attempt: String) -> StorageError {
    StorageError(
      .late, attempt: attempt, file: circumstances.folder,
      message: "no answer within \(Self.limit.components.seconds) s"
    ).inLimpetsWords
  }

  // MARK: What the store says

  /// To `hold`; nil: it is held, or there is nothing to hold.
  package mutating func held(_ error: StorageError?, at now: Moment) -> [Effect] {
    guard case .reading = phase else { return [] }
    if let error, error.kind.isHeld { return waits(error, at: now) }
    return makePlan()
  }

  package mutating func answered(
    _ answered: StoreTicket, _ result: Result<StoreAnswer, StorageError>, at now: Moment
  ) -> [Effect] {
    guard answered == ticket else { return [] }
    switch (phase, result) {
    case (.reading, .success(.state(let state))):
      self.state = state
      return stateNotes.map { .note($0) } + makePlan()
    case (.reading, .failure(let error)): return reads(error, at: now)
    case (.settingAside, .success(.setAside(let count))):
      var effects: [Effect] = []
      if count > 0, let owner = state.session.owner {
        effects.append(.note(.opening(.sessionSetAside(count, of: owner.clientIdentifier))))
      }
      return effects + adopt(at: now)
    case (.settingAside, .failure(let error)): return leaveSession(error) + adopt(at: now)
    case (.adopting, .success(.outbox(let outbox))):
      self.outbox = outbox
      let notes = notes(on: outbox).map { Effect.note($0) }
      let names = outbox.formerNames(beside: plan?.streams.map(\.name) ?? [])
      return notes + (names.isEmpty ? begin(at: now) : [.findStreams(names)])
    case (.adopting, .failure(let error)): return begin(without: error, at: now)
    default: return []
    }
  }

  private mutating func reads(_ error: StorageError, at now: Moment) -> [Effect] {
    if error.kind.isHeld { return waits(error, at: now) }
    // A file that proves to be damaged when it is read is kept aside like one that cannot be opened.
    if error.isDamage, !hasReplaced {
      hasReplaced = true
      return [read(replacing: error)]
    }
    storeError = error
    return [.note(.opening(.fails(error)))] + makePlan()
  }

  private mutating func waits(_ error: StorageError, at now: Moment) -> [Effect] {
    guard now.boot < since + Self.holderPatience else {
      phase = .over
      return [.end(error)]
    }
    phase = .waiting(until: now.boot + Self.retryDelay)
    defer { isWaiting = true }
    return isWaiting ? [] : [.note(.opening(.waits(error.cause, for: Self.holderPatience)))]
  }

  private var stateNotes: [Note] {
    var notes: [Note] = []
    if state.unreadable > 0 { notes.append(.opening(.sessionIsUnreadable(rows: state.unreadable))) }
    if let aside = state.keptAside { notes.append(.storeBeginsAnew(aside)) }
    if let error = state.writeError { notes.append(.opening(.cannotBeWritten(error))) }
    return notes
  }

  private func notes(on outbox: StoredOutbox) -> [Note] {
    var notes: [Note] = []
    if outbox.setAside > 0 { notes.append(.opening(.readingsSetAside(outbox.setAside))) }
    if outbox.unreadable > 0 { notes.append(.unreadableReadings(outbox.unreadable)) }
    let waiting = outbox.sections.reduce(0) { $0 + $1.count }
    if waiting > 0 { notes.append(.opening(.readingsWait(waiting))) }
    return notes
  }

  // MARK: What it comes to

  private mutating func makePlan() -> [Effect] {
    phase = .planning
    return [.plan(state, storeWorks: storeError == nil && state.writeError == nil)]
  }

  package mutating func planned(_ plan: DevicePlan, at now: Moment) -> [Effect] {
    guard case .planning = phase else { return [] }
    self.plan = plan
    self.plan?.link.isStored = circumstances.storeDelay != nil
    self.plan?.link.storeDelay = circumstances.storeDelay ?? .seconds(1)
    guard circumstances.storeDelay != nil, storeError == nil else { return begin(at: now) }
    guard let owner = state.session.owner, owner.clientIdentifier != plan.connect.clientIdentifier else {
      session = state.session
      return adopt(at: now)
    }
    // A new identity does not send what an old one measured.
    phase = .settingAside
    return [ask(.setSessionAside)]
  }

  /// It stays as it is: this process stores none.
  private mutating func leaveSession(_ error: StorageError) -> [Effect] {
    plan?.link.isStored = false
    return [.note(.opening(.sessionIsLeft(error, of: state.session.owner?.clientIdentifier ?? "")))]
  }

  private mutating func adopt(at now: Moment) -> [Effect] {
    guard let plan else { return [] }
    phase = .adopting
    return [
      ask(.openOutbox(device: plan.device, boot: circumstances.boot, names: plan.streams.map(\.name)))
    ]
  }

  /// A name that makes no topic stays where it is: nobody could send it.
  package mutating func found(_ streams: [Stream], at now: Moment) -> [Effect] {
    guard case .adopting = phase else { return [] }
    for stream in streams {
      plan?.streams.append(stream)
      plan?.outbox.keepsLatest.append(false)
    }
    return begin(at: now)
  }

  private mutating func begin(without error: StorageError, at now: Moment) -> [Effect] {
    outboxError = error
    return [.note(.opening(.readingsAreInMemory(error)))] + begin(at: now)
  }

  private mutating func begin(at now: Moment) -> [Effect] {
    guard let plan else { return [] }
    phase = .over
    var beginning = Beginning(plan: plan, isStored: circumstances.storeDelay != nil, numbers: numbers(plan, at: now))
    beginning.reason = reason(at: now)
    beginning.storeError = storeError
    beginning.outboxError = outboxError
    beginning.state = state
    beginning.session = session
    beginning.outbox = outbox
    beginning.setAside = outbox?.setAside ?? 0
    beginning.boot = circumstances.boot
    beginning.booted = circumstances.booted
    beginning.watchdogInterval = circumstances.watchdogInterval
    return [.begin(beginning)]
  }

  private func numbers(_ plan: DevicePlan, at now: Moment) -> SequenceAllocator {
    let isStored = circumstances.storeDelay != nil
    var numbers = SequenceAllocator(
      stored: state.sequences, blockSize: circumstances.blockSize, reservesBlocks: circumstances.storeDelay != .zero,
      historyIsLost: isStored && (storeError != nil || state.keptAside != nil))
    numbers.register(plan.streams.map(\.name))
    if !isStored || storeError != nil {
      _ = numbers.requests(at: now.boot)
      numbers.storageIsUnavailable()
    }
    return numbers
  }

  /// After an end that was not clean, how long nothing ran.
  private func reason(at now: Moment) -> Beginning.Reason {
    if let reason = circumstances.reason { return Beginning.Reason(reason) }
    guard state.epoch > 0, state.lastStop == nil else { return Beginning.Reason("start") }
    let time = now.timestamp.milliseconds / 1000
    // A clock that has not been set yet knows no distance.
    let last = circumstances.lastAlive ?? state.lastWrite
    let goneFor = last.flatMap { (0...max(0, time)).contains($0) ? UInt64(time - $0) : nil }
    return Beginning.Reason("recovered", goneFor: goneFor)
  }
}

/// What an opening has to say in the log.
package enum OpeningNote: Sendable {
  case isLate(StorageError)
  case fails(StorageError)
  case waits(String, for: Duration)
  case sessionIsUnreadable(rows: Int)
  case cannotBeWritten(StorageError)
  case sessionSetAside(Int, of: String)
  case sessionIsLeft(StorageError, of: String)
  case readingsSetAside(Int)
  case readingsWait(Int)
  case readingsAreInMemory(StorageError)
}

extension StorageError.Kind {
  var isHeld: Bool { if case .held = self { true } else { false } }
}
