import LimpetInstants
import Measuring

/// Which job runs on which thread: all rules of ``BlockingReader``, without a thread, a lock or a clock of its own.
///
/// A job moves
///
///     submit ──▶ waiting ──▶ reading ──▶ finished ──▶ delivered
///
/// where `waiting` is a list of runs (the jobs of one submission), and a worker takes a whole run, reads its jobs one after
/// the other and delivers their results in one go. The read a worker is in has a pace:
///
///     fast ──10 ms──▶ slow ──timeout──▶ hung
///
/// - fast: nobody needs to look. Sensors that answer from memory never leave this state.
/// - slow: what the worker has finished is delivered, what it has not begun goes back to the head of `waiting`, where
///   another worker takes it. So a slow sensor delays the others of its submission by 10 ms, not by its own time.
/// - hung: the job is reported as timed out. Its worker stays in the read until the kernel returns; the job's id is refused
///   meanwhile.
///
/// Jobs of a serial bus (``Bus/isSerial``) are runs of their own, one a bus at a time: the others of that bus stand in
/// `queued` until it is done. Such a run is not handed over, since another worker would only wait for the same bus; and
/// when one of its reads hangs, its bus is suspended at once. However many such buses there are, one worker remains for
/// other jobs: the bus whose jobs have waited longest goes first.
///
/// When all workers are hung, the buses they hang on are suspended, jobs that wait fail, and further jobs are refused.
/// When a read returns, its worker goes on with other buses; its own bus is resumed when no other read hangs on it.
///
/// Nothing grows without bound: an id is accepted once until it is read, so there are never more jobs than sensors.
///
/// The caller passes in the time, from a clock that stands still in a suspend: a read the machine slept through did not
/// hang. It calls ``advance(to:)`` at ``nextDeadline``, which is nil as long as no read is under way.
package struct ReadQueue {
  package typealias Instant = SuspendingClock.Instant

  static let workerLimit = 4
  /// A read is slow after this. sysfs attributes in memory take microseconds, an I²C transfer about one millisecond.
  static let slowAfter = Duration.milliseconds(10)

  enum Worker {
    /// No thread exists yet; it is started when it is needed first.
    case absent
    case idle
    case reading(Run)
  }

  /// A worker's way through the jobs of a submission.
  struct Run {
    enum Pace { case fast, slow, hung }

    var job: ReadJob
    var since: Instant
    var pace = Pace.fast
    var remaining: ArraySlice<ReadJob>
    var finished: [ReadResult] = []

    /// A read past its timeout is slow too, however short that is.
    var slowAt: Instant { since + min(ReadQueue.slowAfter, job.timeout) }
    var hungAt: Instant { since + job.timeout }
  }

  private(set) var workers = [Worker](repeating: .absent, count: workerLimit)
  package private(set) var waiting: [ArraySlice<ReadJob>] = []
  /// Jobs of serial buses on which a run waits or is read.
  package private(set) var queued: [Bus: [ReadJob]] = [:]
  package private(set) var suspended: Set<Bus> = []
  private(set) var isStopped = false
  /// How many reads were reported as timed out, ever.
  package private(set) var timeouts: UInt64 = 0
  /// How many jobs were refused or failed unread, ever.
  package private(set) var refusals: UInt64 = 0
  /// Jobs accepted and not read yet, and since when.
  private var outstanding: [String: Instant] = [:]
  /// When ``advance(to:)`` called a worker for a job that waits, which no worker has taken since.
  private var calledAt: Instant?

  // MARK: Jobs come in

  package enum Help: Equatable {
    case none
    /// A worker is idle: wake one.
    case wake
    /// Start the thread of this worker. It counts as idle from now on.
    case start(Int)
  }

  package struct Submission {
    /// Jobs that were not accepted, and why.
    package var refused: [ReadResult] = []
    package var help = Help.none
  }

  /// Takes the jobs of one moment as one run.
  package mutating func submit(_ jobs: [ReadJob], at now: Instant) -> Submission {
    var submission = Submission()
    var run: [ReadJob] = []
    for var job in jobs {
      // A sensor may have been found meanwhile, or found elsewhere.
      job.bus = job.source.bus
      if let error = refusal(of: job, at: now) {
        refusals += 1
        submission.refused.append(ReadResult(id: job.id, outcome: .failure(error)))
      } else {
        outstanding[job.id] = now
        if job.bus.isSerial {
          queued[job.bus, default: []].append(job)
        } else {
          run.append(job)
        }
      }
    }
    if !run.isEmpty { waiting.append(run[...]) }
    beginRuns(at: now)
    submission.help = help(at: now)
    return submission
  }

  /// A run of this serial bus waits or is read.
  private func isBusy(_ bus: Bus) -> Bool {
    waiting.contains { $0.first?.bus == bus } || reads.contains { $0.job.bus == bus }
  }

  /// Begins the runs of serial buses, as many as leave a worker for all else.
  private mutating func beginRuns(at now: Instant) {
    guard !queued.isEmpty else { return }
    let limit = max(1, workers.count - hungReads.count - 1)
    var begun = waiting.count { $0.first?.bus.isSerial == true }
    begun += reads.count { $0.job.bus.isSerial && $0.pace != .hung }
    let free = queued.filter { !isBusy($0.key) }
      .map { bus, jobs in (bus: bus, since: jobs.first.flatMap { outstanding[$0.id] } ?? now) }
      .sorted { ($0.since, $0.bus.name) < ($1.since, $1.bus.name) }
    for (bus, _) in free.prefix(max(0, limit - begun)) {
      if let jobs = queued.removeValue(forKey: bus), !jobs.isEmpty { waiting.append(jobs[...]) }
    }
  }

  private func refusal(of job: ReadJob, at now: Instant) -> SensorError? {
    if isStopped { return .stopped }
    if let since = outstanding[job.id] { return .stillRunning(for: since.duration(to: now)) }
    return suspended.contains(job.bus) || hungReads.count == workers.count ? shortage(for: job.bus) : nil
  }

  /// Why there is no thread for a bus.
  private func shortage(for bus: Bus) -> SensorError {
    if suspended.contains(bus) { return .busSuspended(bus) }
    return .noThreadLeft(hanging: Set(hungReads.map(\.job.bus)).sorted { $0.name < $1.name })
  }

  private mutating func help(at now: Instant) -> Help {
    guard !waiting.isEmpty, !isStopped else { return .none }
    var absent: Int?
    var returnsSoon = false
    for (index, worker) in workers.enumerated() {
      switch worker {
      case .idle: return .wake
      case .absent: absent = absent ?? index
      case .reading(let run): returnsSoon = returnsSoon || (run.pace == .fast && now < run.slowAt)
      }
    }
    // A worker in a fast read takes the next run itself in microseconds; when it does not, advance(to:) sees it.
    guard !returnsSoon, let absent else { return .none }
    workers[absent] = .idle
    return .start(absent)
  }

  /// The thread of a worker could not be started. Its jobs fail when no other worker will come to take them.
  mutating func couldNotStart(_ index: Int, errno code: CInt) -> [ReadResult] {
    workers[index] = .absent
    let isServed = workers.contains { worker in
      switch worker {
      case .absent: false
      case .idle: true
      case .reading(let run): run.pace != .hung
      }
    }
    return isServed ? [] : takeWaiting().map { ReadResult(id: $0.id, outcome: .failure(.noThread(errno: code))) }
  }

  // MARK: A worker works

  package enum Step {
    case read(ReadJob)
    case deliver([ReadResult])
    /// Nothing to do: block until woken.
    case wait
    /// The thread ends.
    case end
  }

  /// What an idle worker does next.
  package mutating func next(for index: Int, at now: Instant) -> Step {
    guard !isStopped else {
      workers[index] = .absent
      return .end
    }
    while !waiting.isEmpty {
      var run = waiting.removeFirst()
      guard let job = run.popFirst() else { continue }
      workers[index] = .reading(Run(job: job, since: now, remaining: run))
      calledAt = nil
      return .read(job)
    }
    return .wait
  }

  package struct Finish {
    package var step: Step
    package var resumed: Bus?
  }

  /// A worker's read returned, be it late.
  package mutating func finish(
    _ index: Int, outcome: Result<Measurement, SensorError>, at now: Instant
  ) -> Finish {
    guard case .reading(var run) = workers[index] else { return Finish(step: .wait) }
    workers[index] = .idle
    outstanding[run.job.id] = nil
    guard !isStopped else {
      workers[index] = .absent
      return Finish(step: .end)
    }

    let bus = run.job.bus
    let isFreed = run.pace == .hung && !hungReads.contains { $0.job.bus == bus } && suspended.remove(bus) != nil
    run.finished.append(ReadResult(id: run.job.id, outcome: outcome))
    guard let job = run.remaining.popFirst() else {
      beginRuns(at: now)
      return Finish(step: .deliver(run.finished), resumed: isFreed ? bus : nil)
    }
    workers[index] = .reading(Run(job: job, since: now, remaining: run.remaining, finished: run.finished))
    return Finish(step: .read(job), resumed: isFreed ? bus : nil)
  }

  // MARK: Time passes

  /// When ``advance(to:)`` has something to do, as things stand.
  package var nextDeadline: Instant? {
    var deadline: Instant?
    for run in reads {
      let next: Instant
      switch run.pace {
      case .fast:
        let isAwaited = !run.remaining.isEmpty || !run.finished.isEmpty || !waiting.isEmpty
        next = isAwaited ? run.slowAt : run.hungAt
      case .slow: next = run.hungAt
      case .hung: continue
      }
      deadline = min(deadline ?? next, next)
    }
    if let calledAt, !waiting.isEmpty {
      let again = calledAt + Self.slowAfter
      deadline = min(deadline ?? again, again)
    }
    return deadline
  }

  package struct Advance {
    package var results: [ReadResult] = []
    package var suspended: [Bus] = []
    package var help = Help.none

    package var isEmpty: Bool { results.isEmpty && suspended.isEmpty && help == .none }
  }

  package mutating func advance(to now: Instant) -> Advance {
    var advance = Advance()
    var handedOver: [ArraySlice<ReadJob>] = []
    for index in workers.indices {
      guard case .reading(var run) = workers[index] else { continue }
      if run.pace == .fast, now >= run.slowAt {
        run.pace = .slow
        advance.results += run.finished
        run.finished = []
        if !run.job.bus.isSerial {
          if !run.remaining.isEmpty { handedOver.append(run.remaining) }
          run.remaining = []
        }
      }
      if run.pace == .slow, now >= run.hungAt {
        run.pace = .hung
        timeouts += 1
        let error = SensorError.timedOut(after: run.job.timeout)
        advance.results.append(ReadResult(id: run.job.id, outcome: .failure(error)))
        if run.job.bus.isSerial {
          let bus = run.job.bus
          suspended.insert(bus)
          advance.suspended.append(bus)
          let stranded = Array(run.remaining) + (queued.removeValue(forKey: bus) ?? [])
          run.remaining = []
          advance.results += giveUp(stranded).map { ReadResult(id: $0.id, outcome: .failure(.busSuspended(bus))) }
        }
      }
      workers[index] = .reading(run)
    }
    waiting.insert(contentsOf: handedOver, at: 0)
    beginRuns(at: now)
    if hungReads.count == workers.count {
      let buses = Set(hungReads.map(\.job.bus)).subtracting(suspended)
      suspended.formUnion(buses)
      advance.suspended += buses.sorted { $0.name < $1.name }
      advance.results += takeWaiting().map { ReadResult(id: $0.id, outcome: .failure(shortage(for: $0.bus))) }
    }
    // A thread that was called takes its time until it runs: to call it all the while would keep it from that.
    let isCalled = calledAt.map { now < $0 + Self.slowAfter } ?? false
    advance.help = isCalled ? .none : help(at: now)
    if advance.help != .none { calledAt = now }
    return advance
  }

  /// No further job is begun or reported; idle workers end.
  package mutating func stop() {
    isStopped = true
    waiting = []
    queued = [:]
  }

  /// Jobs accepted that no worker has begun.
  var unbegun: Int {
    waiting.reduce(0) { $0 + $1.count } + queued.values.reduce(0) { $0 + $1.count }
      + reads.reduce(0) { $0 + $1.remaining.count }
  }

  var hungReads: [Run] { reads.filter { $0.pace == .hung } }

  private var reads: [Run] {
    workers.compactMap { if case .reading(let run) = $0 { run } else { nil } }
  }

  /// Takes back what no thread will read.
  private mutating func takeWaiting() -> [ReadJob] {
    let jobs = Array(waiting.joined()) + queued.sorted { $0.key.name < $1.key.name }.flatMap(\.value)
    waiting = []
    queued = [:]
    return giveUp(jobs)
  }

  private mutating func giveUp(_ jobs: [ReadJob]) -> [ReadJob] {
    refusals += UInt64(jobs.count)
    for job in jobs { outstanding[job.id] = nil }
    return jobs
  }
}
