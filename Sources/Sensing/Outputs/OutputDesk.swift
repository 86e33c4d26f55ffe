internal import CLimpetLinux
import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// The orders for the threads of `OutputDriver`, their reports, and who has which output.
///
/// Tasks stay in the order in which they were asked for. Of drives of one output that nobody has begun only the newest is
/// left: a chip that hung and answers again is not driven through outdated levels.
final class OutputDesk: Sendable {
  enum Task: Sendable {
    /// Behind a reference: all others are small, and there are many of them.
    indirect case hold(OutputSeat)
    case drive(OutputLevel, number: UInt64)
    /// How it is left otherwise.
    case secure(OutputEnd)
    case release(OutputEnd)
  }

  private struct Place {
    /// Who has it; nil: the driver's own thread.
    var bus: BusThread?
    /// A failure was reported, and nobody has taken that report: a drive that is asked for now was decided without it.
    var hasUntakenFailure = false
    /// It was reported that its chip does not answer.
    var isUnanswered = false
    /// It is to be released, and is not yet.
    var isReleasing = false
  }

  private struct Arrival {
    let bus: BusThread
    let seat: OutputSeat
    let found: any FoundOutput
  }

  private struct State {
    var places: [Int: Place] = [:]
    var tasks: [(place: Int, task: Task)] = []
    var reports: [OutputReport] = []
    var isFinished = false
    var shouldStop = false
    var buses: [String: BusThread] = [:]
    var arrivals: [Arrival] = []
    /// Seats of buses that are not held any more.
    var returned: [OutputSeat] = []
    /// Which place an output is at, by its identity.
    var claims: [String: Int] = [:]
  }

  private let state = Mutex(State())
  private let deliver: @Sendable () -> Void
  /// An eventfd(2) that wakes the driver's own thread up; -1 where the process has no descriptors left.
  let wakeUp: CInt
  /// The driver's own thread counts them.
  let turns = Atomic(0)

  init(deliver: @escaping @Sendable () -> Void) {
    self.deliver = deliver
    wakeUp = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
  }

  deinit { if wakeUp >= 0 { close(wakeUp) } }

  // MARK: Orders

  func hold(_ seat: OutputSeat) {
    state.withLock { $0.tasks.append((seat.place, .hold(seat))) }
    wake()
  }

  func drive(_ place: Int, _ level: OutputLevel, number: UInt64) {
    let bus: BusThread?? = state.withLock { state in
      guard state.places[place]?.hasUntakenFailure != true else { return nil }
      Self.dropDrives(of: place, &state)
      state.tasks.append((place, .drive(level, number: number)))
      return state.places[place]?.bus
    }
    if let bus { wake(bus) }
  }

  func secure(_ place: Int, _ safe: OutputEnd) {
    let bus = state.withLock { state in
      state.tasks.append((place, .secure(safe)))
      return state.places[place]?.bus
    }
    wake(bus)
  }

  func release(_ place: Int, _ end: OutputEnd) {
    let bus = state.withLock { state in
      Self.dropDrives(of: place, &state)
      state.tasks.append((place, .release(end)))
      state.places[place, default: Place()].isReleasing = true
      return state.places[place]?.bus
    }
    wake(bus)
  }

  /// Those behind the last task of another kind.
  private static func dropDrives(of place: Int, _ state: inout State) {
    while let last = state.tasks.lastIndex(where: { $0.place == place }), case .drive = state.tasks[last].task {
      state.tasks.remove(at: last)
    }
  }

  func stop() {
    let buses = state.withLock { state in
      state.shouldStop = true
      return Array(state.buses.values)
    }
    for bus in buses { wake(bus) }
    wake()
  }

  func take() -> OutputDriver.Taken {
    state.withLock { state in
      let taken = OutputDriver.Taken(reports: state.reports, isFinished: state.isFinished)
      state.reports = []
      for report in taken.reports { state.places[report.output]?.hasUntakenFailure = false }
      return taken
    }
  }

  private func wake(_ bus: BusThread?) {
    if let bus { bus.wake() } else { wake() }
  }

  func wake() {
    var one: UInt64 = 1
    _ = write(wakeUp, &one, MemoryLayout<UInt64>.size)
  }

  // MARK: Reporting

  func add(_ report: OutputReport) {
    let isFirst = state.withLock { state in
      var place = state.places[report.output] ?? Place()
      switch report.content {
      // The last report was that it is not held; that it is held again comes first.
      case .driven where place.isUnanswered: return false
      case .failed: (place.hasUntakenFailure, place.isUnanswered) = (true, false)
      default: place.isUnanswered = false
      }
      state.places[report.output] = place
      state.reports.append(report)
      return state.reports.count == 1
    }
    if isFirst { deliver() }
  }

  /// It is released: its place is free, and so is the output for another one.
  func released(_ place: Int) {
    add(OutputReport(output: place, content: .released, time: .now))
    state.withLock { state in
      state.places[place] = nil
      state.claims = state.claims.filter { $0.value != place }
    }
    wake()
  }

  func finish() {
    state.withLock { $0.isFinished = true }
    deliver()
  }

  // MARK: The driver's own thread

  struct Work {
    var tasks: [(place: Int, task: Task)] = []
    var returned: [OutputSeat] = []
    /// Nothing is left to be done, also on buses.
    var isOver = false
  }

  func takeWork() -> Work {
    state.withLock { state in
      var work = Work(tasks: Self.takeTasks(of: nil, &state), returned: state.returned)
      state.returned = []
      work.isOver =
        state.shouldStop && state.tasks.isEmpty && work.tasks.isEmpty && state.buses.isEmpty
        && state.arrivals.isEmpty && work.returned.isEmpty
      return work
    }
  }

  var isStopping: Bool { state.withLock { $0.shouldStop } }

  enum Claim {
    case granted
    /// Another place has it, and was asked to let go of it.
    case soon
    /// Another place has it.
    case refused
  }

  func claim(_ identity: String, for place: Int) -> Claim {
    state.withLock { state in
      if let other = Self.claim(of: identity, besides: place, state) { return other }
      guard state.claims[identity] == nil else { return .granted }
      // It may be somewhere else than before.
      state.claims = state.claims.filter { $0.value != place }
      state.claims[identity] = place
      return .granted
    }
  }

  /// nil: no other place has it.
  func claim(of identity: String, besides place: Int) -> Claim? {
    state.withLock { Self.claim(of: identity, besides: place, $0) }
  }

  private static func claim(of identity: String, besides place: Int, _ state: State) -> Claim? {
    guard let owner = state.claims[identity], owner != place else { return nil }
    return state.places[owner]?.isReleasing == true ? .soon : .refused
  }

  /// Gives an output to the thread of its bus.
  ///
  /// - Parameter make: a thread for a bus that has none.
  func send(_ seat: OutputSeat, _ found: any FoundOutput, to key: String, make: () -> BusThread) -> (
    BusThread, isNew: Bool
  ) {
    state.withLock { state in
      let known = state.buses[key]
      let bus = known ?? make()
      state.buses[key] = bus
      state.places[seat.place, default: Place()].bus = bus
      state.arrivals.append(Arrival(bus: bus, seat: seat, found: found))
      return (bus, known == nil)
    }
  }

  /// Reports chips that do not return from being driven.
  ///
  /// - Returns: when to look again; CLOCK_MONOTONIC, in nanoseconds.
  func lookAfterBuses(at now: Int64) -> Int64? {
    var next: Int64?
    let isFirst = state.withLock { state in
      let wasEmpty = state.reports.isEmpty
      for (name, bus) in state.buses {
        let since = bus.busySince.load(ordering: .relaxed)
        guard since > 0 else { continue }
        if now - since < BusThread.patience {
          next = min(next ?? .max, since + BusThread.patience)
          continue
        }
        for place in state.places.keys.sorted()
        where state.places[place]?.bus === bus && state.places[place]?.isUnanswered == false {
          let failure = OutputError.unanswered(name)
          state.reports.append(OutputReport(output: place, content: .failed("\(failure)"), time: .now))
          state.places[place]?.hasUntakenFailure = true
          state.places[place]?.isUnanswered = true
        }
      }
      return wasEmpty && !state.reports.isEmpty
    }
    if isFirst { deliver() }
    return next
  }

  var buses: [BusThread] { state.withLock { Array($0.buses.values) } }

  // MARK: The thread of a bus

  struct BusWork {
    var arrivals: [(seat: OutputSeat, found: any FoundOutput)] = []
    var tasks: [(place: Int, task: Task)] = []
    var shouldStop = false
  }

  func takeWork(of bus: BusThread) -> BusWork {
    state.withLock { state in
      let arrivals = state.arrivals.filter { $0.bus === bus }.map { (seat: $0.seat, found: $0.found) }
      state.arrivals.removeAll { $0.bus === bus }
      return BusWork(arrivals: arrivals, tasks: Self.takeTasks(of: bus, &state), shouldStop: state.shouldStop)
    }
  }

  /// Whether it was reported that its chip does not answer.
  func isUnanswered(_ place: Int) -> Bool { state.withLock { $0.places[place]?.isUnanswered == true } }

  func giveBack(_ seats: [OutputSeat]) {
    guard !seats.isEmpty else { return }
    state.withLock { state in
      for seat in seats { state.places[seat.place]?.bus = nil }
      state.returned += seats
    }
    wake()
  }

  /// - Returns: false: there is something to do for it.
  func retire(_ bus: BusThread) -> Bool {
    let isRetired = state.withLock { state in
      guard !state.arrivals.contains(where: { $0.bus === bus }) else { return false }
      for place in state.places.keys where state.places[place]?.bus === bus { state.places[place]?.bus = nil }
      state.buses = state.buses.filter { $0.value !== bus }
      return true
    }
    if isRetired { wake() }
    return isRetired
  }

  /// Up to the release of a place: what comes behind it is for the driver's own thread, which finds outputs.
  private static func takeTasks(of bus: BusThread?, _ state: inout State) -> [(place: Int, task: Task)] {
    var (taken, left): ([(place: Int, task: Task)], [(place: Int, task: Task)]) = ([], [])
    var done: Set<Int> = []
    for entry in state.tasks {
      guard state.places[entry.place]?.bus === bus, !done.contains(entry.place) else {
        left.append(entry)
        continue
      }
      taken.append(entry)
      if case .release = entry.task { done.insert(entry.place) }
    }
    state.tasks = left
    return taken
  }
}
