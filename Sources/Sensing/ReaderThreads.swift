import LimpetInstants
import LimpetPlatform
import Measuring

/// What the threads share. They hold this, not the reader, so that the reader can go while one of them hangs.
final class ReaderThreads: Sendable {
  private struct State {
    var queue = ReadQueue()
    var hasWatch = false
    /// The deadline the watch sleeps to; nil when it sleeps until it is woken.
    var watchesUntil: ReadQueue.Instant?
    /// Results that are not reported yet, in order; a thread that finds no other reporting reports all of them.
    var reports: [Report] = []
    var isReporting = false

    mutating func add(_ results: [ReadResult]) {
      if !results.isEmpty { reports.append(.results(results)) }
    }
  }

  private enum Report {
    case results([ReadResult])
    case bus(BusChange)
  }

  /// Why a thread waits.
  private enum Condition {
    static let work = 0
    static let deadline = 1
    static let count = 2
  }

  private let lock = ConditionLock(State(), conditions: Condition.count)
  private let busChanged: @Sendable (BusChange) -> Void
  private let deliver: @Sendable ([ReadResult]) -> Void

  init(busChanged: @escaping @Sendable (BusChange) -> Void, deliver: @escaping @Sendable ([ReadResult]) -> Void) {
    self.busChanged = busChanged
    self.deliver = deliver
  }

  func submit(_ jobs: [ReadJob]) -> [ReadResult] {
    let (submission, startsWatch) = lock.withLock { state in
      let submission = state.queue.submit(jobs, at: .now)
      let startsWatch = !state.hasWatch && submission.refused.count < jobs.count
      state.hasWatch = state.hasWatch || startsWatch
      wakeWatch(&state)
      return (submission, startsWatch)
    }
    if startsWatch, DetachedThread.start("sensor-watch", { self.watch() }) != 0 {
      // Reads go on without a watch; the next submission tries again.
      lock.withLock { $0.hasWatch = false }
    }
    return submission.refused + give(submission.help)
  }

  /// Gets a worker for a job that waits. Returns the jobs that fail because there is none.
  private func give(_ help: ReadQueue.Help) -> [ReadResult] {
    switch help {
    case .none:
      return []
    case .wake:
      lock.signal(Condition.work)
      return []
    case .start(let index):
      let failure = DetachedThread.start("sensor-read-\(index)") { self.work(index) }
      return failure == 0 ? [] : lock.withLock { $0.queue.couldNotStart(index, errno: failure) }
    }
  }

  /// The life of a reader thread.
  private func work(_ index: Int) {
    while true {
      var step = lock.wait(for: Condition.work) { state -> ConditionLock<State>.Poll<ReadQueue.Step> in
        let step = state.queue.next(for: index, at: .now)
        if case .wait = step { return .wait }
        wakeWatch(&state)
        return .ready(step)
      }
      while case .read(let job) = step {
        let outcome = Result { () throws(SensorError) in try job.source.read() }
        let finish = lock.withLock { state in
          let finish = state.queue.finish(index, outcome: outcome, at: .now)
          if let bus = finish.resumed { state.reports.append(.bus(.resumed(bus))) }
          if case .deliver(let results) = finish.step { state.add(results) }
          wakeWatch(&state)
          return finish
        }
        report()
        step = finish.step
      }
      if case .end = step { return }
    }
  }

  /// The life of the thread that watches the clock.
  private func watch() {
    while true {
      let advance = lock.wait(for: Condition.deadline) { state -> ConditionLock<State>.Poll<ReadQueue.Advance?> in
        guard !state.queue.isStopped else { return .ready(nil) }
        let advance = state.queue.advance(to: .now)
        guard advance.isEmpty else {
          state.reports += advance.suspended.map { .bus(.suspended($0)) }
          state.add(advance.results)
          return .ready(advance)
        }
        state.watchesUntil = state.queue.nextDeadline
        return state.watchesUntil.map { .waitAtMost(ReadQueue.Instant.now.duration(to: $0)) } ?? .wait
      }
      guard let advance else { return }
      let failed = give(advance.help)
      lock.withLock { $0.add(failed) }
      report()
    }
  }

  /// Reports the results. Without the lock, since the receiver may submit; one thread at a time, so that a late value
  /// never comes before its own timeout.
  private func report() {
    var isFirst = true
    while true {
      let next = lock.withLock { state -> Report? in
        guard !(isFirst && state.isReporting) else { return nil }
        isFirst = false
        state.isReporting = !state.reports.isEmpty && !state.queue.isStopped
        return state.isReporting ? state.reports.removeFirst() : nil
      }
      switch next {
      case .results(let results)?: deliver(results)
      case .bus(let change)?: busChanged(change)
      case nil: return
      }
    }
  }

  /// Wakes the watch only for a deadline before the one it sleeps to: with fast reads that is once in a while, not once a
  /// read. Call with the lock held.
  private func wakeWatch(_ state: inout State) {
    guard let next = state.queue.nextDeadline else { return }
    if let current = state.watchesUntil, current <= next { return }
    state.watchesUntil = next
    lock.signal(Condition.deadline)
  }

  func stop() {
    lock.withLock { $0.queue.stop() }
    lock.broadcast(Condition.work)
    lock.broadcast(Condition.deadline)
  }

  var status: BlockingReader.Status {
    lock.withLock { state in
      let queue = state.queue
      let now = ReadQueue.Instant.now
      return BlockingReader.Status(
        threads: queue.workers.count { if case .absent = $0 { false } else { true } },
        hanging: queue.hungReads.map {
          BlockingReader.Status.Hang(id: $0.job.id, bus: $0.job.bus, duration: $0.since.duration(to: now))
        },
        suspended: queue.suspended.sorted { $0.name < $1.name },
        waiting: queue.unbegun,
        timeouts: queue.timeouts,
        refusals: queue.refusals)
    }
  }
}
