internal import CLimpetLinux
import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// The thread that watches GPIO lines: it sleeps in poll(2) until one has events. It looks at levels when a line was
/// requested, and every 5 s. Lines without an interrupt belong to `GPIOPoller`, and `LineOpener` requests those behind a bus.
///
/// A value that only this thread has, so that reporting an edge needs no lock but the mailbox's.
struct GPIOWatch: ~Copyable {
  /// What else is to be watched, in order.
  enum Change {
    case release(Int)
    case add(GPIOInput, at: Int)
  }

  /// How often lines that are closed are looked for, and chips looked after.
  private static let checkInterval: Int64 = 5_000_000_000

  private let root: FileRoot
  private let mailbox: GPIOMailbox
  private let devices: DeviceFolder
  private let poller: GPIOPoller
  private let opener: LineOpener
  private var lastTicket = 0
  /// nil: nobody wants it any more.
  private var lines: [WatchedLine?]
  private var bootTime = BootTime()
  private var nextCheck: Int64 = 0
  private var hasRoom = true
  private var polled: [pollfd] = []
  /// The line of each descriptor that is polled, behind those of the mailbox and of /dev.
  private var polledLines: [Int] = []
  // Kept between turns, so that no turn allocates.
  private var events: [LineEvent] = []
  private var findings: [LineTrack.Finding] = []
  private var reports: [GPIOReport] = []

  init(_ inputs: [GPIOInput], root: FileRoot, mailbox: GPIOMailbox) {
    self.root = root
    self.mailbox = mailbox
    devices = DeviceFolder(root: root)
    poller = GPIOPoller(root: root, mailbox: mailbox)
    opener = LineOpener(root: root) { mailbox.wake() }
    let now = BootTime.monotonic()
    lines = inputs.map { WatchedLine($0, at: now) }
  }

  /// Returns when the mailbox says stop.
  mutating func run() {
    while !mailbox.shouldStop {
      mailbox.turns.add(1, ordering: .relaxed)
      let now = BootTime.monotonic()
      if now >= nextCheck { check(at: now) }
      deliver()
      wait()
      announce()
      bootTime.refresh()
      takeTurns()
      // What else there is to do can wait for it, and what that brings goes out before the next sleep.
      deliver()
      change()
      takeOpened()
    }
    poller.stop()
    drain()
    deliver()
    for index in lines.indices { lines[index]?.release(by: opener) }
    lines = []
    mailbox.finish()
  }

  // MARK: Waiting

  private mutating func wait() {
    let now = BootTime.monotonic()
    var wakeUp = nextCheck
    polled.removeAll(keepingCapacity: true)
    polledLines.removeAll(keepingCapacity: true)
    polled.append(pollfd(fd: mailbox.wakeUp, events: Int16(POLLIN), revents: 0))
    polled.append(pollfd(fd: devices.descriptor, events: Int16(POLLIN), revents: 0))
    for index in lines.indices {
      switch lines[index]?.next(at: now, hasRoom: hasRoom) {
      case .nothing, nil: break
      case .rest(let end): wakeUp = min(wakeUp, end)
      case .poll(let descriptor, let deadline):
        if let deadline { wakeUp = min(wakeUp, deadline) }
        polled.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        polledLines.append(index)
      }
    }
    // Rounded up: a moment too early would be a turn for nothing.
    let milliseconds = max(0, (wakeUp - now + 999_999) / 1_000_000)
    _ = poll(&polled, nfds_t(polled.count), CInt(clamping: milliseconds))
  }

  /// Waking up another thread takes longer than reading the events.
  private func announce() {
    for (position, index) in polledLines.enumerated()
    where polled[position + 2].revents & Int16(POLLIN) != 0 && lines[index]?.reportsAtOnce == true {
      return mailbox.announce()
    }
  }

  private mutating func takeTurns() {
    if polled[0].revents != 0 {
      var count: UInt64 = 0
      _ = read(mailbox.wakeUp, &count, MemoryLayout<UInt64>.size)
      // Whoever took the reports made room.
      hasRoom = true
    }
    if polled[1].revents != 0, devices.concernsChips() { nextCheck = 0 }
    for (position, index) in polledLines.enumerated() {
      takeTurn(of: index, answer: polled[position + 2].revents)
    }
  }

  private mutating func takeTurn(of index: Int, answer: Int16) {
    // Before the new events: the sums of the last turn were read.
    if lines[index]?.isSummed == true, mailbox.takeMark(of: index) { lines[index]?.mark() }
    do throws(GPIORequest.Errno) {
      if answer & Int16(POLLIN) != 0 {
        try lines[index]?.take(at: BootTime.monotonic(), by: &events, into: &findings)
      } else if answer != 0 {
        throw GPIORequest.Errno(number: ENODEV)
      } else {
        lines[index]?.elapsed(at: BootTime.monotonic(), into: &findings)
      }
    } catch {
      return close(index, because: error)
    }
    report(index)
    count(index)
  }

  /// The last turn: everything that the kernel has.
  private mutating func drain() {
    let now = BootTime.monotonic()
    for index in lines.indices where lines[index]?.isOpen == true {
      lines[index]?.drain(at: now, by: &events, into: &findings)
      report(index)
      count(index)
    }
  }

  // MARK: Changing

  private mutating func change() {
    for change in mailbox.takeChanges() {
      switch change {
      case .release(let index):
        guard lines.indices.contains(index) else { continue }
        if lines[index]?.isPolled == true { poller.remove(index) }
        lines[index]?.release(by: opener)
        lines[index] = nil
        reports.append(GPIOReport(input: index, content: .released, time: .now))
      case .add(let input, let index):
        let line = WatchedLine(input, at: BootTime.monotonic())
        if lines.indices.contains(index) { lines[index] = line } else { lines.append(line) }
        nextCheck = 0
      }
    }
  }

  // MARK: Finding

  private mutating func check(at now: Int64) {
    nextCheck = now + Self.checkInterval
    for index in lines.indices where lines[index]?.isOrphaned == true {
      close(index, because: GPIORequest.Errno(number: ENODEV))
    }
    for (index, error) in poller.takeLost() {
      lines[index]?.wasLost(error, mailbox.pulses(of: index))
      reports.append(GPIOReport(input: index, content: .failed(error), time: .now))
    }
    poller.lookAfter(at: now)
    for (index, error) in opener.unanswered(at: now) where lines[index]?.ticket != nil { fail(index, error) }
    for index in lines.indices {
      lines[index]?.look(at: now, by: &events, into: &findings)
      report(index)
    }
    var closed: [Int] = []
    for index in lines.indices where lines[index]?.isClosed == true {
      if let end = lines[index]?.giveBack(at: now, bootTime, by: opener) {
        nextCheck = min(nextCheck, end)
      } else {
        closed.append(index)
      }
    }
    guard !closed.isEmpty else { return }
    open(closed, GPIOInventory(root: root))
  }

  /// All are requested before the first is watched: their levels rest together.
  private mutating func open(_ closed: [Int], _ inventory: GPIOInventory) {
    var requested: [Int] = []
    for index in closed {
      do throws(GPIOError) {
        guard let places = try lines[index]?.places(in: inventory) else { continue }
        if places.first.isBehindBus {
          askOpener(for: index, at: places)
        } else {
          try lines[index]?.request(at: places, root: root)
          requested.append(index)
        }
      } catch { fail(index, error) }
    }
    var settling = requested
    while !settling.isEmpty {
      settling = settling.filter { lines[$0]?.isSettling() == true }
      if !settling.isEmpty { usleep(Self.settlePause) }
    }
    for index in requested {
      do throws(GPIOError) { try open(index) } catch { fail(index, error) }
    }
  }

  /// In microseconds.
  private static let settlePause: UInt32 = 200

  private mutating func open(_ index: Int) throws(GPIOError) {
    if let opening = try lines[index]?.open(into: &findings) { try begin(index, opening) }
  }

  private mutating func begin(_ index: Int, _ opening: WatchedLine.Opening) throws(GPIOError) {
    switch opening {
    case .watched(let place):
      reports.append(GPIOReport(input: index, content: .found(place), time: .now))
      report(index)
    case .toPoll(let place):
      guard let line = lines[index] else { return }
      reports.append(GPIOReport(input: index, content: .found(place), time: .now))
      // Reports of the poller come behind it.
      deliver()
      poller.add(index, line.input, at: place, counted: line.count(bootTime))
    case .unwatchable(let place): throw .noInterrupt(place)
    }
  }

  private mutating func askOpener(for index: Int, at places: WatchedLine.Places) {
    guard let line = lines[index] else { return }
    lastTicket += 1
    lines[index]?.isAsked(for: lastTicket)
    opener.open(index, ticket: lastTicket, line, at: places)
  }

  private mutating func takeOpened() {
    for var opened in opener.take() {
      guard lines.indices.contains(opened.index), lines[opened.index]?.ticket == opened.ticket else {
        // Nobody wants it any more.
        opened.line.release(by: opener)
        continue
      }
      lines[opened.index] = opened.line
      findings = opened.findings
      do throws(GPIOError) {
        if let opening = try opened.outcome.get() { try begin(opened.index, opening) }
      } catch { fail(opened.index, error) }
      findings.removeAll(keepingCapacity: true)
    }
    deliver()
  }

  private mutating func fail(_ index: Int, _ error: GPIOError) {
    guard lines[index]?.fail(error) == true else { return }
    reports.append(GPIOReport(input: index, content: .failed(error), time: .now))
  }

  /// The chip is gone, or something worse: reports that the line failed, and looks for it again after a rest.
  private mutating func close(_ index: Int, because cause: GPIORequest.Errno) {
    let now = BootTime.monotonic()
    let error = lines[index]?.close(because: cause, at: now)
    report(index)
    if let error { reports.append(GPIOReport(input: index, content: .failed(error), time: .now)) }
    nextCheck = min(nextCheck, now + WatchedLine.failureRest)
  }

  // MARK: Reporting

  private mutating func report(_ index: Int) {
    for finding in findings {
      reports.append(
        GPIOReport(input: index, content: finding.content, time: bootTime.instant(of: finding.time)))
    }
    findings.removeAll(keepingCapacity: true)
  }

  private func count(_ index: Int) {
    if let line = lines[index], line.isSummed { mailbox.count(line.count(bootTime), of: index) }
  }

  private mutating func deliver() {
    guard !reports.isEmpty else { return }
    hasRoom = mailbox.add(reports)
    reports.removeAll(keepingCapacity: true)
  }
}
