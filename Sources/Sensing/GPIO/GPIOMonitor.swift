internal import CLinux
import Glibc
import Measuring
import Platform
import Synchronization

/// Watches GPIO lines on one thread of its own, and keeps what there is to tell until it is taken.
///
/// A line that cannot be had, or is lost, is looked for again when /dev changes and every 5 s; the others go on. When
/// nobody takes what there is to tell, lines are left to the kernel, which keeps 1,024 events of each and counts what it
/// drops: nothing here grows without a bound.
public final class GPIOMonitor: Sendable {
  public struct Taken: Sendable {
    /// In order; of each input in the order of time.
    public var reports: [GPIOReport]
    /// The lines are released, and nothing follows.
    public var isFinished: Bool

    package init(reports: [GPIOReport], isFinished: Bool) {
      self.reports = reports
      self.isFinished = isFinished
    }
  }

  /// As `ps -L` shows it.
  public static let threadName = "limpet-gpio"

  private let inputs: [GPIOInput]
  private let root: FileRoot
  private let mailbox: GPIOMailbox

  /// - Parameter deliver: Called on the monitor's thread when there is something to take where there was nothing, or will
  ///   be in a moment: hop to an event loop in it, and do not block.
  public init(_ inputs: [GPIOInput], root: FileRoot, deliver: @escaping @Sendable () -> Void) {
    self.inputs = inputs
    self.root = root
    mailbox = GPIOMailbox(inputs: inputs.count, deliver: deliver)
  }

  /// Requests the lines and begins to watch them; call it once. Does not block.
  public func start() {
    let code = DetachedThread.start(Self.threadName) { [inputs, root, mailbox] in
      var watch = GPIOWatch(inputs, root: root, mailbox: mailbox)
      watch.run()
    }
    guard code != 0 else { return }
    for input in inputs.indices {
      mailbox.add([GPIOReport(input: input, content: .failed(.noResources(errno: code)), time: .now)])
    }
    mailbox.finish()
  }

  /// Takes what there is to tell.
  public func take() -> Taken { mailbox.take() }

  /// How often its thread was awake: at least once in 5 s.
  public var turns: Int { mailbox.turns.load(ordering: .relaxed) }

  /// Pulses of an input in mode `counter` since the start, over every loss and return of its line. At most 20 ms late.
  public func pulses(of input: Int) -> PulseCount { mailbox.pulses(of: input) }

  /// Lets go of lines, and then watches others; lines that are not named are not touched. A place that was let go of is
  /// free for another line once it has reported `released`. Does not block.
  ///
  /// - Parameters:
  ///   - released: places of lines.
  ///   - added: lines at places that are free, or the next after the last.
  public func change(releasing released: [Int], adding added: [(place: Int, input: GPIOInput)]) {
    mailbox.change(releasing: released, adding: added)
  }

  /// Takes the events that wait, releases the lines, and then says that it has finished. Does not block.
  public func stop() { mailbox.stop() }
}

/// What the thread has to tell, and what it is told.
final class GPIOMailbox: Sendable {
  private struct State {
    var reports: [GPIOReport] = []
    var pulses: [PulseCount]
    var isFinished = false
    var shouldStop = false
    /// Somebody is on the way to take reports.
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

  /// - Parameter announces: on a single processor whoever sets out early only takes it from the thread.
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

  /// There will be reports in a moment: who takes them may set out now, while they are made. Who comes too early finds
  /// none, and is told again.
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

  func takeChanges() -> [GPIOWatch.Change] {
    state.withLock { state in
      defer { state.changes = [] }
      return state.changes
    }
  }

  /// As of the last `add`: there is no room for more until somebody has taken what there is.
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

  func pulses(of input: Int) -> PulseCount { state.withLock { $0.pulses[input] } }

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
