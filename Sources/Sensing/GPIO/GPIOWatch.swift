internal import CLimpetLinux
import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// The thread that watches GPIO lines: it sleeps in poll(2) until one has events. It looks at levels when a line was
/// requested, and every 5 s. Lines without an interrupt belong to `GPIOPoller`.
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
    }
    poller.stop()
    drain()
    deliver()
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
    for index in lines.indices {
      lines[index]?.look(at: now, by: &events, into: &findings)
      report(index)
    }
    var closed: [Int] = []
    for index in lines.indices where lines[index]?.isOpen == false && lines[index]?.isPolled == false {
      if let end = lines[index]?.giveBack(at: now, bootTime) {
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
        try lines[index]?.request(in: inventory, root: root)
        requested.append(index)
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
    switch try lines[index]?.open(into: &findings) {
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
    case nil: return
    }
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

extension GPIOMonitor {
  /// Takes what there is to report.
  public func take() -> Taken { mailbox.take() }
}

/// What the thread reports, and the requests to it.
final class GPIOMailbox: Sendable {
  private struct State {
    var reports: [GPIOReport] = []
    var pulses: [PulseCount]
    /// Inputs whose sums were read, which the thread does not know yet.
    var marks: Set<Int> = []
    var isFinished = false
    var shouldStop = false
    /// A reader is on the way to take reports.
    var isAnnounced = false
    var changes: [GPIOWatch.Change] = []
    /// The thread waits for room.
    var isHeldBack = false
  }

  /// Reports that may wait before lines are left to the kernel.
  private static let limit = 4096

  private let state: Mutex<State>
  private let announces: Bool
  private let deliver: @Sendable () -> Void
  /// An eventfd(2) that wakes the thread up; -1 where the process has no descriptors left.
  let wakeUp: CInt
  /// The thread counts them.
  let turns = Atomic(0)

  /// - Parameter announces: false on a single processor, where an early reader would only take it from the thread.
  init(
    inputs: Int, announces: Bool = sysconf(CInt(_SC_NPROCESSORS_ONLN)) > 1, deliver: @escaping @Sendable () -> Void
  ) {
    state = Mutex(State(pulses: Array(repeating: PulseCount(), count: inputs)))
    self.announces = announces
    self.deliver = deliver
    wakeUp = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
  }

  deinit { if wakeUp >= 0 { close(wakeUp) } }

  // The thread's side.

  /// There will be reports in a moment: the reader can come while they are made. If it comes too early it finds none,
  /// and is called again.
  func announce() {
    guard announces else { return }
    let isFirst = state.withLock { state in
      guard state.reports.isEmpty, !state.isAnnounced else { return false }
      state.isAnnounced = true
      return true
    }
    if isFirst { deliver() }
  }

  /// - Returns: whether there is room for more.
  @discardableResult
  func add(_ reports: [GPIOReport]) -> Bool {
    let (isFirst, hasRoom) = state.withLock { state in
      let isFirst = state.reports.isEmpty && !reports.isEmpty && !state.isAnnounced
      state.reports += reports
      state.isHeldBack = state.reports.count >= Self.limit
      return (isFirst, !state.isHeldBack)
    }
    if isFirst { deliver() }
    return hasRoom
  }

  func count(_ pulses: PulseCount, of input: Int) { state.withLock { $0.pulses[input] = pulses } }

  /// Whether the sums of an input were read since the last call.
  func takeMark(of input: Int) -> Bool { state.withLock { $0.marks.remove(input) != nil } }

  func takeChanges() -> [GPIOWatch.Change] {
    state.withLock { state in
      defer { state.changes = [] }
      return state.changes
    }
  }

  /// As of the last `add`: there is no room for more until the reports are taken.
  var isHeldBack: Bool { state.withLock { $0.isHeldBack } }

  var shouldStop: Bool { state.withLock { $0.shouldStop } }

  func finish() {
    state.withLock { $0.isFinished = true }
    deliver()
  }

  // The other side.

  func take() -> GPIOMonitor.Taken {
    let (taken, wasHeldBack) = state.withLock { state in
      let taken = GPIOMonitor.Taken(reports: state.reports, isFinished: state.isFinished)
      let wasHeldBack = state.isHeldBack
      state.reports = []
      state.isHeldBack = false
      state.isAnnounced = false
      return (taken, wasHeldBack)
    }
    if wasHeldBack { wake() }
    return taken
  }

  func pulses(of input: Int) -> PulseCount {
    state.withLock { state in
      state.marks.insert(input)
      return state.pulses[input]
    }
  }

  func change(releasing released: [Int], adding added: [(place: Int, input: GPIOInput)]) {
    state.withLock { state in
      state.changes += released.map { .release($0) }
      for (place, input) in added {
        while state.pulses.count <= place { state.pulses.append(PulseCount()) }
        state.pulses[place] = PulseCount()
        state.changes.append(.add(input, at: place))
      }
    }
    wake()
  }

  func stop() {
    state.withLock { $0.shouldStop = true }
    wake()
  }

  private func wake() {
    var one: UInt64 = 1
    _ = write(wakeUp, &one, MemoryLayout<UInt64>.size)
  }
}
