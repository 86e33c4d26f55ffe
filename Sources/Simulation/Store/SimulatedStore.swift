import LimpetInstants
import MQTTCore
import Records

/// What goes wrong with a modelled disk.
package enum StoreFault: Sendable, Hashable {
  /// It can neither be read nor written.
  case failed
  case full
  /// What is on it cannot be read.
  case corrupt

  /// As a store says it.
  package var error: StorageError {
    switch self {
    case .failed: .modelled(.inputOutput)
    case .full: .modelled(.full)
    case .corrupt: .modelled(.corrupt)
    }
  }
}

extension StorageError {
  static func modelled(_ kind: Kind) -> StorageError {
    StorageError(kind, attempt: "do what was asked", file: "session.db", message: "it is modelled")
  }
}

/// What a modelled store does with a request that it takes now.
package enum StoreMood: Sendable, Hashable {
  case fine
  case failing(StoreFault)
  /// It answers nothing. When the mood changes, it goes on: what is under way succeeds late.
  case hanging
  /// It answers nothing. When the mood changes, what is under way has failed.
  case hangingThenFailing
}

/// What the owner of a request gets.
package enum StoreEffect<Contents: Sendable, Answer: Sendable>: Sendable {
  case opened(Result<Contents, StorageError>)
  case done(StoreTicket, Result<Answer, StorageError>)
}

/// The agent's store as a model: contents, requests that change them, and everything that goes wrong with disks.
///
/// Requests are done one after the other, each as a whole or not at all. In between lies the commit: a crash before it
/// leaves the contents as they were, one after it as they will be, and in neither case is the request answered.
package struct SimulatedStore<Contents: Sendable, Request: Sendable, Answer: Sendable>: Sendable {
  private enum Job: Sendable {
    case open
    case request(StoreTicket, Request)
  }

  private enum Outcome: Sendable {
    case opened(Result<Contents, StorageError>)
    case done(StoreTicket, Result<Answer, StorageError>)
  }

  private struct Running: Sendable {
    let job: Job
    let commit: WorldTime
    let end: WorldTime
    /// It has been committed, or has failed: reported at the end.
    var outcome: Outcome?
  }

  private let seed: Seed
  private let latency: ClosedRange<Duration>
  private let apply: @Sendable (inout Contents, Request) -> Result<Answer, StorageError>
  /// What is on the disk.
  package private(set) var contents: Contents
  /// What is on the disk cannot be read when it is opened next.
  package var isCorrupt = false
  package private(set) var mood = StoreMood.fine
  private var waiting: [Job] = []
  private var running: Running?
  private var count: UInt64 = 0

  /// - Parameters:
  ///   - latency: of one request, by chance.
  ///   - apply: does a request; what it answers as a failure must have changed nothing.
  package init(
    _ seed: Seed, contents: Contents, latency: ClosedRange<Duration> = .milliseconds(1)...(.milliseconds(20)),
    apply: @escaping @Sendable (inout Contents, Request) -> Result<Answer, StorageError>
  ) {
    self.seed = seed
    self.contents = contents
    self.latency = latency
    self.apply = apply
  }

  /// When something is done next.
  package var deadline: WorldTime? {
    guard let running, !isHanging else { return nil }
    return running.outcome == nil ? running.commit : running.end
  }

  /// The contents are asked for, once for each start of the program.
  package mutating func open(at now: WorldTime) { take(.open, now) }

  package mutating func submit(_ ticket: StoreTicket, _ request: Request, at now: WorldTime) {
    take(.request(ticket, request), now)
  }

  package mutating func tick(
    at now: WorldTime, into effects: inout [StoreEffect<Contents, Answer>]
  ) {
    while let current = running, !isHanging {
      if current.outcome == nil {
        guard current.commit <= now else { return }
        commit(current)
      } else {
        guard current.end <= now else { return }
        finish(current, into: &effects)
      }
    }
  }

  /// From now on requests fare like this; the one under way too, unless it has been committed.
  package mutating func setMood(_ mood: StoreMood, at now: WorldTime) {
    let before = self.mood
    self.mood = mood
    guard let current = running, before == .hanging || before == .hangingThenFailing, !isHanging else { return }
    // The clock of its latency stood still.
    let outcome = before == .hanging ? current.outcome : current.outcome ?? failure(of: current.job, .failed)
    running = scheduled(current.job, now, outcome: outcome)
  }

  /// The program or the machine dies. Nothing that waits is answered or done.
  /// - Parameter isCommitted: whether the request under way reaches the disk, one that hangs too; nil: as far as it had
  ///   got.
  package mutating func crash(at now: WorldTime, isCommitted: Bool? = nil) {
    if let current = running, current.outcome == nil, case .request(_, let request) = current.job {
      var isFailing = false
      if case .failing = mood { isFailing = true }
      if !isFailing, isCommitted ?? (!isHanging && current.commit <= now) { _ = apply(&contents, request) }
    }
    running = nil
    waiting = []
  }

  /// Somebody puts other contents on the disk: none, those of an old backup, those of another board.
  package mutating func replaceContents(with contents: Contents) {
    self.contents = contents
    isCorrupt = false
  }

  /// What happens to the contents other than by requests: the time of their clock, the end of the program.
  package mutating func withContents(_ body: (inout Contents) -> Void) { body(&contents) }

  /// A card was copied: the same contents in another board.
  package func cloned(_ seed: Seed) -> SimulatedStore {
    SimulatedStore(seed, contents: contents, latency: latency, apply: apply)
  }

  // MARK: Doing

  private var isHanging: Bool { mood == .hanging || mood == .hangingThenFailing }

  private mutating func take(_ job: Job, _ now: WorldTime) {
    if running == nil { running = scheduled(job, now, outcome: nil) } else { waiting.append(job) }
  }

  private mutating func scheduled(_ job: Job, _ now: WorldTime, outcome: Outcome?) -> Running {
    count += 1
    let chance = seed.of(count)
    let length = latency.lowerBound + chance.duration(upTo: latency.upperBound - latency.lowerBound)
    return Running(job: job, commit: now + chance.of(1).duration(upTo: length), end: now + length, outcome: outcome)
  }

  private mutating func commit(_ current: Running) {
    var outcome: Outcome
    switch current.job {
    case .open: outcome = .opened(isCorrupt ? .failure(StoreFault.corrupt.error) : .success(contents))
    case .request(let ticket, _): outcome = .done(ticket, .failure(StoreFault.failed.error))
    }
    if case .failing(let fault) = mood {
      outcome = failure(of: current.job, fault)
    } else if case .request(let ticket, let request) = current.job {
      outcome = .done(ticket, apply(&contents, request))
    }
    running?.outcome = outcome
  }

  private func failure(of job: Job, _ fault: StoreFault) -> Outcome {
    switch job {
    case .open: .opened(.failure(fault.error))
    case .request(let ticket, _): .done(ticket, .failure(fault.error))
    }
  }

  private mutating func finish(_ current: Running, into effects: inout [StoreEffect<Contents, Answer>]) {
    running = nil
    switch current.outcome {
    case .opened(let result): effects.append(.opened(result))
    case .done(let ticket, let result): effects.append(.done(ticket, result))
    case nil: break
    }
    if !waiting.isEmpty { running = scheduled(waiting.removeFirst(), current.end, outcome: nil) }
  }
}
