internal import CLimpetLinux
import Glibc
import Measuring
import Synchronization

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

  /// The thread has something to take.
  func wake() {
    var one: UInt64 = 1
    _ = write(wakeUp, &one, MemoryLayout<UInt64>.size)
  }
}
