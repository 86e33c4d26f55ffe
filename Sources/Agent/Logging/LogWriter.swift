internal import Glibc
import Logging
import Synchronization
import Threads

/// Writes log lines to stderr from a thread of its own, so that a terminal or a journal that stalls never stops the
/// agent. At most `limit` lines wait; what does not fit is counted, and said once there is room again.
public final class LogWriter: Sendable {
  static let limit = 1000

  private struct Queue {
    var lines: [String] = []
    var lost = 0
    var isWriting = false
    var isClosed = false
  }

  private let queue = Mutex(Queue())
  private let signal = Semaphore()
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

  func write(_ line: String) {
    let accepted = queue.withLock { queue in
      guard !queue.isClosed else { return false }
      guard queue.lines.count < Self.limit else {
        queue.lost += 1
        return true
      }
      queue.lines.append(line)
      return true
    }
    // Without the thread a line is better late than never.
    if accepted { signal.post() } else { writeAll(line) }
  }

  /// Waits until everything has been written, a second at most: for the end of the process.
  public func flush() {
    let deadline = ContinuousClock.now + .seconds(1)
    while queue.withLock({ !$0.lines.isEmpty || $0.isWriting }), ContinuousClock.now < deadline {
      usleep(1000)
    }
  }

  private func run() {
    while true {
      signal.wait()
      let (lines, lost) = queue.withLock { queue in
        queue.isWriting = true
        defer { (queue.lines, queue.lost) = ([], 0) }
        return (queue.lines, queue.lost)
      }
      if !lines.isEmpty { writeAll(lines.joined()) }
      if lost > 0 { writeAll("limpet: \(lost) log lines were lost because nobody read them\n") }
      queue.withLock { $0.isWriting = false }
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

/// sem_overview(7), on the heap, where C wants it.
private final class Semaphore: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func post() { sem_post(semaphore) }

  func wait() { while sem_wait(semaphore) != 0 && errno == EINTR {} }
}

/// One line an event: `2026-11-20T12:00:00.123Z notice: connected to …`, or `<5>connected to …` for the journal.
public struct LineLogHandler: LogHandler {
  public var metadata: Logger.Metadata = [:]
  public var logLevel: Logger.Level
  private let writer: LogWriter

  public init(_ writer: LogWriter, level: Logger.Level = .notice) {
    self.writer = writer
    logLevel = level
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let prefix =
      writer.usesPriorities
      ? "<\(event.level.priority)>" : "\(WallClock.now().time(of: .now)) \(event.level.rawValue): "
    // Foreign text must not look like another event, nor move a terminal's cursor.
    let text = String(
      String.UnicodeScalarView(
        event.message.description.split(whereSeparator: \.isNewline).joined(separator: " ").unicodeScalars.map {
          $0.properties.generalCategory == .control ? " " : $0
        }))
    writer.write("\(prefix)\(text)\n")
  }
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
