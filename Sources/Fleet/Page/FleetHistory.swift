internal import Glibc
import LimpetInstants
import LimpetPlatform
import MQTTCore
import MQTTStore

/// What devices were in the last 30 days, or as many as its owner says, and when somebody saw it, in a file of SQLite that
/// outlives the watch.
///
/// A thread of its own writes, once a second; its callers wait for no disk. The file is its owner's alone (0600), and
/// bounded: by age, each hour, and by size, after each transaction, where the oldest goes first. While a device flaps, a
/// minute of it is one row.
final class FleetHistory: Sendable {
  static let size: Int64 = 256 << 20
  /// Changes that may wait for the disk.
  static let limit = 100_000
  private static let pause = Duration.seconds(1)
  private static let coalescing = Duration.seconds(60)
  private static let pruning = Duration.seconds(3600)

  struct Row: Sendable, Equatable {
    let device: String
    let time: Timestamp
    let word: String
    let isFlapping: Bool
    /// It says what the newest row of the device was in truth, if that is an end.
    var isCorrection = false
  }

  private struct State {
    var waiting: [Row] = []
    var span: WatchedTimes.Span?
    var lost = 0
    /// When the last change was seen that is lost.
    var lostAt: Timestamp?
    var shouldStop = false
    var hasStopped = false
  }

  /// States by device, oldest first, from a moment on, with the one that held then.
  let past: [String: [(time: Timestamp, word: String)]]
  /// When earlier watches were connected since that moment.
  let watched: [WatchedTimes.Span]
  private let state = ConditionLock(State(), conditions: 2)

  /// Opens the file, makes it where there is none, and reads what it has.
  ///
  /// - Parameters:
  ///   - since: what is older is read for the state that held then, no more.
  ///   - say: called on the writing thread when it fails, and when it works again.
  init(
    path: String, since: Timestamp, now: Timestamp, age: Duration = .days(30), size: Int64 = size,
    say: @escaping @Sendable (String) -> Void
  ) throws(StorageError) {
    let file = try FleetHistoryFile(path: path, age: age, size: size)
    past = try file.states(since: since)
    watched = try file.watched(since: since, until: now)
    try file.prune(at: now)
    // From here on it is the thread's.
    let box = Handover(file: file)
    let code = DetachedThread.start("limpet-history") { [state] in Self.write(box.file, state, say) }
    if code != 0 { throw StorageError(errno: code, attempt: "start a thread", file: path) }
  }

  /// Nobody else has it any more.
  private struct Handover: @unchecked Sendable { let file: FleetHistoryFile }

  func record(_ rows: [Row]) {
    guard !rows.isEmpty else { return }
    state.withLock { state in
      let room = max(0, Self.limit - state.waiting.count)
      state.waiting += rows.prefix(room)
      guard rows.count > room else { return }
      state.lost += rows.count - room
      state.lostAt = rows.last?.time
    }
    state.signal()
  }

  /// This time was watched: a later process learns it.
  func keep(_ span: WatchedTimes.Span) {
    state.withLock { $0.span = span }
    state.signal()
  }

  /// Writes what is left; blocks its thread, for 5 s at the most.
  func stop() {
    state.withLock { $0.shouldStop = true }
    state.signal()
    let end = BootClock.now + .seconds(5)
    state.wait(for: 1) { state in
      let left = BootClock.now.duration(to: end)
      return state.hasStopped || left <= .zero ? .ready(()) : .waitAtMost(left)
    }
  }

  private static func write(
    _ file: FleetHistoryFile, _ state: ConditionLock<State>, _ say: @Sendable (String) -> Void
  ) {
    var failure: String?
    // Of the time until then changes are lost, so the file must not say that somebody saw it.
    var gap: Timestamp?
    var pruned = BootClock.now
    while true {
      let due = state.wait { state -> ConditionLock<State>.Poll<State> in
        guard !state.waiting.isEmpty || state.span != nil || state.shouldStop else { return .wait }
        defer { (state.waiting, state.span, state.lost, state.lostAt) = ([], nil, 0, nil) }
        return .ready(state)
      }
      if due.lost > 0 { say("the history leaves out \(due.lost) changes: its disk is too slow") }
      do throws(StorageError) {
        try file.add(due.waiting, coalescing: Self.coalescing)
        if let lostAt = due.lostAt { gap = lostAt }
        if let span = due.span?.after(gap) { try file.keep(span) }
        if pruned + Self.pruning <= .now, let last = due.span?.until ?? due.waiting.last?.time {
          pruned = .now
          try file.prune(at: last)
        }
        if failure != nil { say("the history can be written again") }
        failure = nil
      } catch {
        let text = error.ofHistory
        if text != failure { say("the history has a gap: \(text)") }
        failure = text
        gap = due.span?.until ?? due.lostAt ?? due.waiting.last?.time ?? gap
      }
      if due.shouldStop {
        state.withLock { $0.hasStopped = true }
        return state.broadcast(1)
      }
      // What comes within a second is one transaction.
      pauseUnlessStopping(state)
    }
  }

  private static func pauseUnlessStopping(_ state: ConditionLock<State>) {
    let end = BootClock.now + Self.pause
    state.wait { state in
      let left = BootClock.now.duration(to: end)
      return state.shouldStop || left <= .zero ? .ready(()) : .waitAtMost(left)
    }
  }
}

extension FleetHistory.Row {
  init(_ change: FleetChange) {
    self.init(
      device: change.device.name, time: change.time, word: change.historyWord, isFlapping: change.isFlapping)
  }
}
