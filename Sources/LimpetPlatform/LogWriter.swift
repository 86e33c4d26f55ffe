internal import Glibc
import LimpetInstants
import Logging
import Synchronization

/// Writes log lines to stderr from a thread of its own, so that a terminal or a journal that stalls never stops the
/// agent. At most `limit` lines wait; what does not fit is counted, and said once there is room again.
public final class LogWriter: Sendable {
  package static let limit = 1000

  /// What did not come through, since the start.
  package struct Counts: Sendable, Equatable {
    package var lost: UInt64 = 0
    package var suppressed: UInt64 = 0

    package init(lost: UInt64 = 0, suppressed: UInt64 = 0) {
      self.lost = lost
      self.suppressed = suppressed
    }
  }

  private struct Queue {
    var lines: [String] = []
    var lost = 0
    var lostEver: UInt64 = 0
    var limiter = LogLimiter()
    var isWriting = false
    var isClosed = false
  }

  private let queue = ConditionLock(Queue())
  /// `<3>` in front of each line, as sd-daemon(3) has it, in place of the time: the journal knows when.
  let usesPriorities: Bool
  private let descriptor: Int32

  /// - Parameter journalStream: the environment's `JOURNAL_STREAM`.
  public init(descriptor: Int32 = 2, journalStream: String?) {
    self.descriptor = descriptor
    usesPriorities = Self.isJournal(descriptor, journalStream)
    if DetachedThread.start("log", { self.run() }) != 0 { queue.withLock { $0.isClosed = true } }
  }

  /// systemd.exec(5): `$JOURNAL_STREAM` holds device and inode of the journal's socket.
  private static func isJournal(_ descriptor: Int32, _ stream: String?) -> Bool {
    var status = stat()
    guard let stream, fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  package func write(_ line: String) {
    let accepted = queue.withLock { queue in
      guard !queue.isClosed else { return false }
      guard queue.lines.count < Self.limit else {
        queue.lost += 1
        queue.lostEver += 1
        return true
      }
      queue.lines.append(line)
      return true
    }
    // Without the thread a line is better late than never.
    if accepted { queue.signal() } else { writeAll(line) }
  }

  /// Writes an event, unless it comes too often.
  package func write(_ event: LogEvent) {
    // Foreign text must not look like another event, nor move a terminal's cursor.
    let text = String(
      String.UnicodeScalarView(
        event.message.description.split(whereSeparator: \.isNewline).joined(separator: " ").unicodeScalars.map {
          $0.properties.generalCategory == .control ? " " : $0
        }))
    guard event.level > .debug else { return write(line(event.level, text)) }
    let verdict = queue.withLock {
      $0.limiter.take(event.level, text, place: "\(event.file):\(event.line):", at: .now)
    }
    switch verdict {
    case .write(leftOut: 0): write(line(event.level, text))
    case .write(let count): write(line(event.level, "\(text) (limpet left out \(count) more like this)"))
    // The thread has to know when to write how many were left out.
    case .leaveOut(let isFirst): if isFirst { queue.signal() }
    }
  }

  private func line(_ level: Logger.Level, _ text: String) -> String {
    let prefix = usesPriorities ? "<\(level.priority)>" : "\(WallClock.now().time(of: .now)) \(level.rawValue): "
    return "\(prefix)\(text)\n"
  }

  package var counts: Counts { queue.withLock { Counts(lost: $0.lostEver, suppressed: $0.limiter.suppressed) } }

  /// Waits until everything has been written, a second at most: for the end of the process.
  public func flush() {
    let deadline = BootClock.now + .seconds(1)
    while queue.withLock({ !$0.lines.isEmpty || $0.isWriting }), BootClock.now < deadline {
      usleep(1000)
    }
  }

  private func run() {
    while true {
      let (lines, lost, rests) = waitForLines()
      for rest in rests { writeAll(line(rest.level, "limpet left out \(rest.count) more like this: \(rest.text)")) }
      if !lines.isEmpty { writeAll(lines.joined()) }
      if lost > 0 { writeAll("limpet: \(lost) log lines were lost because nobody read them\n") }
      queue.withLock { $0.isWriting = false }
    }
  }

  private func waitForLines() -> (lines: [String], lost: Int, rests: [LogLimiter.Rest]) {
    queue.wait { queue in
      let now = BootClock.now
      let rests = queue.limiter.takeRests(at: now)
      guard queue.lines.isEmpty && queue.lost == 0 && rests.isEmpty else {
        queue.isWriting = true
        defer { (queue.lines, queue.lost) = ([], 0) }
        return .ready((queue.lines, queue.lost, rests))
      }
      return queue.limiter.deadline.map { .waitAtMost(now.duration(to: $0)) } ?? .wait
    }
  }

  private func writeAll(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno == EINTR { continue }
      if written < 0 && errno == EAGAIN {
        // Another process made it non-blocking, which a terminal's users share.
        var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&output, 1, -1)
        continue
      }
      guard written > 0 else { return }
      rest = rest.dropFirst(written)
    }
  }
}

/// What is logged, for every logger of the process: it can be changed while they are in use.
public final class LogThreshold: Sendable {
  private let value: Mutex<Logger.Level>

  /// - Parameter level: what is less than this is not logged.
  public init(_ level: Logger.Level) { value = Mutex(level) }

  /// The lowest level that is logged; loggers see a change at once, whichever thread makes it.
  public var level: Logger.Level {
    get { value.withLock { $0 } }
    set { value.withLock { $0 = newValue } }
  }
}

/// One line an event: `2026-11-20T12:00:00.123Z notice: connected to …`, or `<5>connected to …` for the journal.
public struct LineLogHandler: LogHandler {
  /// Kept for whoever asks for it, and not written: a line is its level and its message.
  public var metadata: Logger.Metadata = [:]
  private let writer: LogWriter
  private let threshold: LogThreshold

  /// - Parameter threshold: shared with other handlers, or notice and above for this one.
  public init(_ writer: LogWriter, _ threshold: LogThreshold = LogThreshold(.notice)) {
    self.writer = writer
    self.threshold = threshold
  }

  /// That of the threshold: setting it here sets it for every logger that has the same one.
  public var logLevel: Logger.Level {
    get { threshold.level }
    set { threshold.level = newValue }
  }

  /// One of `metadata`, which is not written.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Hands the line to the writer's thread and returns; the writer leaves out what comes too often.
  public func log(event: LogEvent) { writer.write(event) }
}

extension Logger.Level {
  /// syslog(3).
  fileprivate var priority: Int {
    switch self {
    case .critical: 2
    case .error: 3
    case .warning: 4
    case .notice: 5
    case .info: 6
    case .debug, .trace: 7
    }
  }
}
