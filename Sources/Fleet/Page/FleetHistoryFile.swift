internal import Glibc
import LimpetInstants
import MQTTCore
import MQTTStore

/// The file of a history, for one thread at a time.
final class FleetHistoryFile {
  /// 1 had no table of times that were watched. In the first files of 2, `offline` stands for `lost` too.
  private static let version: Int64 = 2

  /// How the bound is shared between the database and the log of its transactions, which is a file of its own beside it
  /// [sqlite.org/wal.html].
  private struct Room {
    /// Bytes of the log for one page.
    private static let frame: Int64 = 536
    /// Pages that one row changes at most: a leaf of the table and of the index, a page for a long name in each, and what
    /// is divided or joined around them.
    private static let pages: Int64 = 8

    /// Bytes of pages in use. A transaction may go beyond it once.
    let file: Int64
    /// Pages in the log after which it begins anew.
    let log: Int64
    /// Rows of one transaction.
    let rows: Int

    init(_ size: Int64) {
      let share = size / 16
      file = size - 2 * share
      log = max(1, min(2048, share / 2 / Self.frame))
      rows = Int(max(1, share / 2 / Self.frame / Self.pages))
    }
  }

  private let database: Database
  private let age: Duration
  private let room: Room
  /// The newest row of each device that was written here.
  private var newest: [String: (time: Timestamp, word: String)] = [:]

  /// - Parameter size: bytes of the file and of its log together.
  init(path: String, age: Duration, size: Int64) throws(StorageError) {
    (self.age, room) = (age, Room(size))
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
    let own =
      try database.query(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('change', 'watched')"
      ) { $0.integer(0) }.first ?? 0
    guard version <= Self.version || own < 2 else {
      throw StorageError(
        .newerSchema(found: version, known: Self.version), attempt: "read the history", file: path, message: "")
    }
    guard own == 2 || tables == 0 || (1...Self.version).contains(version) else {
      throw StorageError(
        .foreign(applicationID: 0), attempt: "use the history", file: path,
        message: "it is a database of another program")
    }
    try database.accept()
    try database.execute("PRAGMA wal_autocheckpoint = \(room.log)")
    try database.write("make the history's tables") { () throws(StorageError) in
      try database.run(
        """
        CREATE TABLE IF NOT EXISTS change (device TEXT NOT NULL, time INTEGER NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (device, time)) WITHOUT ROWID
        """)
      try database.run("CREATE INDEX IF NOT EXISTS change_time ON change (time)")
      try database.run(
        "CREATE TABLE IF NOT EXISTS watched (start INTEGER PRIMARY KEY, until INTEGER NOT NULL)")
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

  /// What the clock says is still to come nobody has seen.
  func watched(since: Timestamp, until now: Timestamp) throws(StorageError) -> [WatchedTimes.Span] {
    try database.query(
      "SELECT start, min(until, ?2) FROM watched WHERE until >= ?1 AND start < ?2 ORDER BY start DESC LIMIT ?3",
      .integer(since.microseconds), .integer(now.microseconds), .integer(Int64(WatchedTimes.limit)),
      row: {
        WatchedTimes.Span(from: Timestamp(microseconds: $0.integer(0)), until: Timestamp(microseconds: $0.integer(1)))
      }
    ).reversed()
  }

  /// A time that goes on is one row. A row of less than a minute is alone in that minute, so a watch that is started and
  /// ended all the time does not fill the file: what it does not say counts as not seen.
  func keep(_ span: WatchedTimes.Span) throws(StorageError) {
    let start = span.from.microseconds
    let distance = WatchedTimes.beat.wholeNanoseconds / 1000
    try database.write("write the history") { () throws(StorageError) in
      try database.run(
        """
        INSERT INTO watched (start, until) SELECT ?1, ?2
        WHERE ?2 - ?1 >= ?3 OR NOT EXISTS (SELECT 1 FROM watched WHERE start > ?1 - ?3 AND start < ?1 + ?3 AND start != ?1)
        ON CONFLICT (start) DO UPDATE SET until = ?2
        """, .integer(start), .integer(span.until.microseconds), .integer(distance))
    }
    try shrink()
  }

  /// - Parameter coalescing: how much of a device's flapping is one row.
  func add(_ rows: [FleetHistory.Row], coalescing: Duration) throws(StorageError) {
    for start in stride(from: 0, to: rows.count, by: room.rows) {
      try write(rows[start...].prefix(room.rows), coalescing)
      try shrink()
    }
  }

  private func write(_ rows: ArraySlice<FleetHistory.Row>, _ coalescing: Duration) throws(StorageError) {
    var written: [String: (time: Timestamp, word: String)] = [:]
    try database.write("write the history") { () throws(StorageError) in
      for row in rows {
        let before = written[row.device] ?? newest[row.device]
        // What the broker kept from before the watch began is there already.
        if before?.word == row.word { continue }
        if let before, isPart(row, of: before, coalescing) {
          try database.run(
            "UPDATE change SET state = ? WHERE device = ? AND time = ?", .text(row.word), .text(row.device),
            .integer(before.time.microseconds))
          written[row.device] = (before.time, row.word)
          continue
        }
        try database.run(
          "INSERT OR REPLACE INTO change (device, time, state) VALUES (?, ?, ?)", .text(row.device),
          .integer(row.time.microseconds), .text(row.word))
        written[row.device] = (row.time, row.word)
      }
    }
    newest.merge(written) { $1 }
  }

  /// It says more of a row that is there, and is none of its own.
  private func isPart(
    _ row: FleetHistory.Row, of before: (time: Timestamp, word: String), _ coalescing: Duration
  ) -> Bool {
    if row.isCorrection, FleetLog.ends.contains(before.word) { return true }
    return row.isFlapping
      && row.time.microseconds - before.time.microseconds < coalescing.wholeNanoseconds / 1000
  }

  /// What is too old goes; the newest of each device stays.
  func prune(at now: Timestamp) throws(StorageError) {
    let oldest = now.microseconds - age.wholeNanoseconds / 1000
    try remove(before: oldest, where: Self.hasFollower) { () throws(StorageError) in false }
    try database.write("shorten the history") { () throws(StorageError) in
      try database.run("DELETE FROM watched WHERE until < ?", .integer(oldest))
    }
    try shrink()
  }

  /// After each transaction: a file that is too large loses its oldest rows, until a tenth of it is free. The newest row
  /// of a device goes only where there is no other.
  private func shrink() throws(StorageError) {
    guard try bytes() > room.file else { return }
    for condition in [Self.hasFollower, "TRUE"] {
      try remove(before: .max, where: condition) { () throws(StorageError) in try bytes() <= room.file / 10 * 9 }
    }
  }

  /// A later row of the same device.
  private static let hasFollower =
    "time < (SELECT max(time) FROM change AS other WHERE other.device = change.device)"

  /// Removes the oldest rows, as many at a time as the log has room for.
  private func remove(
    before end: Int64, where condition: String, until isEnough: () throws(StorageError) -> Bool
  ) throws(StorageError) {
    var start = Int64.min
    while try !isEnough() {
      let rows = try database.query(
        "SELECT device, time FROM change WHERE time BETWEEN ? AND ? - 1 AND \(condition) ORDER BY time LIMIT ?",
        .integer(start), .integer(end), .integer(Int64(room.rows)), row: { (device: $0.text(0), time: $0.integer(1)) })
      guard let last = rows.last else { return }
      try database.write("shorten the history") { () throws(StorageError) in
        for row in rows {
          try database.run(
            "DELETE FROM change WHERE device = ? AND time = ?", .text(row.device), .integer(row.time))
        }
      }
      for row in rows where newest[row.device]?.time.microseconds == row.time { newest[row.device] = nil }
      start = last.time
    }
  }

  /// Of pages in use: those that are free are used before the file grows.
  private func bytes() throws(StorageError) -> Int64 {
    func pragma(_ name: String) throws(StorageError) -> Int64 {
      try database.query("PRAGMA \(name)", row: { $0.integer(0) }).first ?? 0
    }
    return (try pragma("page_count") - pragma("freelist_count")) * (try pragma("page_size"))
  }
}

extension StorageError {
  /// As the owner of a history is to read it. What an agent's store does by itself does not happen here: the file stays
  /// as it is, and its owner decides.
  var ofHistory: String {
    let advice =
      switch kind {
      case .full: "Free some space there; what happens until then the history leaves out."
      case .readOnly: "Mount its file system read-write, or name another file."
      case .cannotOpen: "Make its folder, and let limpet watch's user write there, or name another file."
      case .notADatabase, .corrupt, .foreign: "Move the file away, or name another file."
      case .newerSchema(let found, let known):
        "It has schema \(found), this limpet knows \(known): install the newer limpet again, or move the file away."
      case .busy: "Another program has it open: end that program, or name another file."
      case .inputOutput: "The disk fails: see the kernel's log (dmesg)."
      case .fileIsGone, .held, .late, .closed, .other:
        "Start limpet watch again; if that does not help, name another file."
      }
    // So the database calls whatever it opens.
    let attempt = attempt == "open the store" ? "open the history" : attempt
    let cause = kind.isNewer ? "a newer limpet watch wrote it" : message
    return "cannot \(attempt) in \(file): \(cause)\(code == 0 ? "" : " (SQLite \(code))"). \(advice)"
  }
}

extension StorageError.Kind {
  fileprivate var isNewer: Bool { if case .newerSchema = self { true } else { false } }
}
