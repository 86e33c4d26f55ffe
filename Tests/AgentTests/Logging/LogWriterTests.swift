import Glibc
import Logging
import Testing

@testable import LimpetPlatform

/// A pipe that a writer writes to. What it holds is read only when a test asks for it.
private final class Pipe {
  let reading: Int32
  let writing: Int32
  private var unread: [UInt8] = []

  /// Bytes: twice what fits. 1032 is F_GETPIPE_SZ of fcntl(2), which Swift's Glibc does not show.
  var moreThanItHolds: Int { 2 * Int(fcntl(writing, 1032)) }

  init() throws {
    var descriptors: [Int32] = [-1, -1]
    try #require(pipe(&descriptors) == 0)
    (reading, writing) = (descriptors[0], descriptors[1])
  }

  deinit {
    close(reading)
    close(writing)
  }

  /// `JOURNAL_STREAM` as it would be if this pipe were the journal's socket.
  var journalStream: String {
    var status = stat()
    fstat(writing, &status)
    return "\(status.st_dev):\(status.st_ino)"
  }

  /// Waits until something can be read; a writer that writes nothing fails the test instead of hanging it.
  func waitForBytes() throws {
    var descriptor = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    try #require(poll(&descriptor, 1, 30_000) == 1, "nothing was written for 30 s")
  }

  /// The next line, without its end.
  func line() throws -> String {
    while true {
      if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        defer { unread.removeFirst(end + 1) }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      try waitForBytes()
      var bytes = [UInt8](repeating: 0, count: 65_536)
      let count = read(reading, &bytes, bytes.count)
      try #require(count > 0)
      unread += bytes[..<count]
    }
  }

  /// Whether everything that was written has been read.
  var isEmpty: Bool {
    var descriptor = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    return unread.isEmpty && poll(&descriptor, 1, 0) == 0
  }
}

struct LogWriterTests {
  @Test("lines are written as they are, in their order")
  func order() throws {
    let pipe = try Pipe()
    let writer = LogWriter(descriptor: pipe.writing, journalStream: nil)
    for number in 0..<500 { writer.write("line \(number) °C\n") }
    for number in 0..<500 { #expect(try pipe.line() == "line \(number) °C") }
  }

  @Test("after flush everything has been written")
  func flush() throws {
    let pipe = try Pipe()
    let writer = LogWriter(descriptor: pipe.writing, journalStream: nil)
    for round in 0..<50 {
      writer.write("round \(round)\n")
      writer.flush()
      #expect(!pipe.isEmpty)
      #expect(try pipe.line() == "round \(round)")
      #expect(pipe.isEmpty)
    }
  }

  /// Has the writer's thread stuck in a pipe that is full, with an empty queue behind it.
  private func stuckWriter(_ pipe: Pipe) throws -> LogWriter {
    let writer = LogWriter(descriptor: pipe.writing, journalStream: nil)
    writer.write(String(repeating: "x", count: pipe.moreThanItHolds) + "\n")
    try pipe.waitForBytes()
    return writer
  }

  @Test("when nobody reads, at most the limit waits, and what was lost is counted and said")
  func bounded() throws {
    let pipe = try Pipe()
    let writer = try stuckWriter(pipe)
    for number in 0..<LogWriter.limit + 25 { writer.write("line \(number)\n") }
    #expect(try pipe.line().allSatisfy { $0 == "x" })
    for number in 0..<LogWriter.limit { #expect(try pipe.line() == "line \(number)") }
    #expect(try pipe.line() == "limpet: 25 log lines were lost because nobody read them")
    writer.write("after\n")
    #expect(try pipe.line() == "after", "the loss is said once")
  }

  @Test("the limit itself is not a loss")
  func justFull() throws {
    let pipe = try Pipe()
    let writer = try stuckWriter(pipe)
    for number in 0..<LogWriter.limit { writer.write("line \(number)\n") }
    _ = try pipe.line()
    for number in 0..<LogWriter.limit { #expect(try pipe.line() == "line \(number)") }
    writer.write("after\n")
    #expect(try pipe.line() == "after")
  }

  @Test("a descriptor that others made non-blocking loses nothing")
  func nonBlocking() throws {
    let pipe = try Pipe()
    try #require(fcntl(pipe.writing, F_SETFL, O_NONBLOCK) == 0)
    let writer = try stuckWriter(pipe)
    for number in 0..<1000 { writer.write("line \(number)\n") }
    #expect(try pipe.line().utf8.count == pipe.moreThanItHolds)
    for number in 0..<1000 { try #require(try pipe.line() == "line \(number)") }
  }

  @Test("it writes priorities where the descriptor is the journal's socket, and nowhere else")
  func journal() throws {
    let pipe = try Pipe()
    let other = try Pipe()
    #expect(LogWriter(descriptor: pipe.writing, journalStream: pipe.journalStream).usesPriorities)
    for stream in [nil, "", "0:0", other.journalStream, pipe.journalStream + "0"] {
      #expect(!LogWriter(descriptor: pipe.writing, journalStream: stream).usesPriorities, "\(stream ?? "none")")
    }
    #expect(!LogWriter(descriptor: -1, journalStream: pipe.journalStream).usesPriorities)
  }
}

struct LineLogHandlerTests {
  private func logger(_ writer: LogWriter, level: Logger.Level = .trace) -> Logger {
    Logger(label: "limpet") { _ in LineLogHandler(writer, LogThreshold(level)) }
  }

  @Test(
    "in the journal a line begins with its priority",
    arguments: [
      (.critical, 2), (.error, 3), (.warning, 4), (.notice, 5), (.info, 6), (.debug, 7), (.trace, 7),
    ] as [(Logger.Level, Int)])
  func priorities(level: Logger.Level, priority: Int) throws {
    let pipe = try Pipe()
    logger(LogWriter(descriptor: pipe.writing, journalStream: pipe.journalStream)).log(level: level, "connected to b")
    #expect(try pipe.line() == "<\(priority)>connected to b")
  }

  @Test("elsewhere it begins with the time and the level", arguments: Logger.Level.allCases)
  func times(level: Logger.Level) throws {
    let pipe = try Pipe()
    logger(LogWriter(descriptor: pipe.writing, journalStream: nil)).log(level: level, "connected to b")
    let line = try pipe.line()
    #expect(String(line.dropFirst(24)) == " \(level.rawValue): connected to b")
    #expect(String(line.prefix(24).map { $0.isASCII && $0.isNumber ? "0" : $0 }) == "0000-00-00T00:00:00.000Z")
  }

  @Test(
    "one event is one line, whatever foreign text it carries",
    arguments: [
      ("a\nb", "a b"), ("a\r\nb", "a b"), ("a\n\n\nb", "a b"), ("a\rb", "a b"), ("a\u{2028}b\u{85}c", "a b c"),
      ("\n<2>forged\n", "<2>forged"), ("a\u{b}b\u{c}c", "a b c"), ("\n", ""), ("", ""),
    ])
  func folded(text: String, line: String) throws {
    let pipe = try Pipe()
    let writer = LogWriter(descriptor: pipe.writing, journalStream: pipe.journalStream)
    logger(writer).error("\(text)")
    #expect(try pipe.line() == "<3>\(line)")
    writer.flush()
    #expect(pipe.isEmpty)
  }

  @Test("what is below the level is not written")
  func level() throws {
    let pipe = try Pipe()
    let logger = logger(LogWriter(descriptor: pipe.writing, journalStream: pipe.journalStream), level: .notice)
    logger.info("not this")
    logger.notice("but this")
    #expect(try pipe.line() == "<5>but this")
  }
}
