internal import Glibc
import LimpetInstants
import LimpetPlatform
import MQTTCore
import MQTTStore

/// What devices were in the last 30 days, in a file of SQLite that outlives the watch.
///
/// A thread of its own writes, once a second; who tells it waits for no disk. The file is its owner's alone (0600), and
/// bounded: by age, and by size, where the oldest goes first. While a device flaps, a minute of it is one row.
final class FleetHistory: Sendable {
  static let age = Duration.days(30)
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
  }

  private struct State {
    var waiting: [Row] = []
    var lost = 0
    var shouldStop = false
    var hasStopped = false
  }

  /// States by device, oldest first, from a moment on, with the one that held then.
  let past: [String: [(time: Timestamp, word: String)]]
  private let state = ConditionLock(State(), conditions: 2)

  /// Opens the file, makes it where there is none, and reads what it has.
  ///
  /// - Parameters:
  ///   - since: what is older is read for the state that held then, no more.
  ///   - say: called on the writing thread when it fails, and when it works again.
  init(
    path: String, since: Timestamp, now: Timestamp, age: Duration = age, size: Int64 = size,
    say: @escaping @Sendable (String) -> Void
  ) throws(StorageError) {
    let file = try FleetHistoryFile(path: path, age: age, size: size)
    past = try file.states(since: since)
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
      state.lost += rows.count - min(room, rows.count)
    }
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
    var pruned = BootClock.now
    while true {
      let (rows, lost, isLast) = state.wait { state -> ConditionLock<State>.Poll<([Row], Int, Bool)> in
        guard !state.waiting.isEmpty || state.shouldStop else { return .wait }
        defer { (state.waiting, state.lost) = ([], 0) }
        return .ready((state.waiting, state.lost, state.shouldStop))
      }
      if lost > 0 { say("the history leaves out \(lost) changes: its disk is too slow") }
      do throws(StorageError) {
        try file.add(rows, coalescing: Self.coalescing)
        if pruned + Self.pruning <= .now, let last = rows.last {
          pruned = .now
          try file.prune(at: last.time)
        }
        if failure != nil { say("the history can be written again") }
        failure = nil
      } catch {
        let text = "\(error)"
        if text != failure { say("the history has a gap: \(text)") }
        failure = text
      }
      if isLast {
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

/// The file of a history, for one thread at a time.
final class FleetHistoryFile {
  private static let version: Int64 = 1

  private let database: Database
  private let age: Duration
  private let size: Int64
  /// The newest row of each device that was written here.
  private var newest: [String: (time: Timestamp, word: String)] = [:]

  init(path: String, age: Duration, size: Int64) throws(StorageError) {
    (self.age, self.size) = (age, size)
    // Who reads it knows when which device is away.
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw StorageError(errno: errno, attempt: "open the history", file: path) }
    let isPrivate = fchmod(descriptor, 0o600) == 0
    let code = errno
    close(descriptor)
    guard isPrivate else { throw StorageError(errno: code, attempt: "keep the history to its owner", file: path) }
    database = try Database(path: path)
    let version = try database.query("PRAGMA user_version") { $0.integer(0) }.first ?? 0
    let tables = try database.query("SELECT count(*) FROM sqlite_schema") { $0.integer(0) }.first ?? 0
    guard version == Self.version || (version == 0 && tables == 0) else {
      throw StorageError(errno: EEXIST, attempt: "use a file that is not a history of limpet watch", file: path)
    }
    try database.accept()
    try database.write("make the history's table") { () throws(StorageError) in
      try database.run(
        """
        CREATE TABLE IF NOT EXISTS change (device TEXT NOT NULL, time INTEGER NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (device, time)) WITHOUT ROWID
        """)
      try database.run("CREATE INDEX IF NOT EXISTS change_time ON change (time)")
      try database.run("PRAGMA user_version = \(Self.version)")
    }
  }

  func states(since: Timestamp) throws(StorageError) -> [String: [(time: Timestamp, word: String)]] {
    var states: [String: [(time: Timestamp, word: String)]] = [:]
    // With max() the other columns are those of its row (sqlite.org/lang_select.html, "Bare columns in an aggregate query").
    for row in try database.query(
      "SELECT device, max(time), state FROM change WHERE time < ? GROUP BY device", .integer(since.microseconds),
      row: { ($0.text(0), $0.integer(1), $0.text(2)) })
    {
      states[row.0, default: []].append((Timestamp(microseconds: row.1), row.2))
    }
    for row in try database.query(
      "SELECT device, time, state FROM change WHERE time >= ? ORDER BY device, time", .integer(since.microseconds),
      row: { ($0.text(0), $0.integer(1), $0.text(2)) })
    {
      states[row.0, default: []].append((Timestamp(microseconds: row.1), row.2))
    }
    newest = states.compactMapValues(\.last)
    return states
  }

  /// - Parameter coalescing: how much of a device's flapping is one row.
  func add(_ rows: [FleetHistory.Row], coalescing: Duration) throws(StorageError) {
    guard !rows.isEmpty else { return }
    var newest = newest
    try database.write("write the history") { () throws(StorageError) in
      for row in rows {
        let before = newest[row.device]
        // What the broker kept from before the watch began is there already.
        if before?.word == row.word { continue }
        if row.isFlapping, let before,
          row.time.microseconds - before.time.microseconds < coalescing.wholeNanoseconds / 1000
        {
          try database.run(
            "UPDATE change SET state = ? WHERE device = ? AND time = ?", .text(row.word), .text(row.device),
            .integer(before.time.microseconds))
          newest[row.device] = (before.time, row.word)
          continue
        }
        try database.run(
          "INSERT OR REPLACE INTO change (device, time, state) VALUES (?, ?, ?)", .text(row.device),
          .integer(row.time.microseconds), .text(row.word))
        newest[row.device] = (row.time, row.word)
      }
    }
    self.newest = newest
  }

  /// What is too old goes, and then the oldest tenth until it is small enough; the newest of each device stays.
  func prune(at now: Timestamp) throws(StorageError) {
    let oldest = now.microseconds - age.wholeNanoseconds / 1000
    try remove(before: oldest)
    while try bytes() > size {
      let middle = try database.query(
        "SELECT time FROM change ORDER BY time LIMIT 1 OFFSET (SELECT count(*) / 10 + 1 FROM change)",
        row: { $0.integer(0) }
      ).first
      guard let middle, try remove(before: middle) > 0 else { return }
    }
  }

  @discardableResult
  private func remove(before time: Int64) throws(StorageError) -> Int {
    try database.write("shorten the history") { () throws(StorageError) in
      try database.run(
        """
        DELETE FROM change WHERE time < ?1 AND time < (SELECT max(time) FROM change AS other WHERE other.device = change.device)
        """, .integer(time))
      return try database.query("SELECT changes()") { Int($0.integer(0)) }.first ?? 0
    }
  }

  /// Of pages in use.
  private func bytes() throws(StorageError) -> Int64 {
    func pragma(_ name: String) throws(StorageError) -> Int64 {
      try database.query("PRAGMA \(name)", row: { $0.integer(0) }).first ?? 0
    }
    return (try pragma("page_count") - pragma("freelist_count")) * (try pragma("page_size"))
  }
}

extension FleetHistory.Row {
  init(_ change: FleetChange) {
    self.init(
      device: change.device.name, time: change.time, word: change.device.state.word, isFlapping: change.isFlapping)
  }
}
