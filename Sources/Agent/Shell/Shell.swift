import Core
internal import Glibc
import LimpetInstants
import LimpetPlatform
import LimpetText
import Logging
import MQTT
import MQTTCore
import Measuring
import NIOCore
import Plan
import Records
import Sensing
import Status
import Storage

/// Carries the core out: transports, the store's thread, the readers' threads, the lines' thread, systemd, the log. It
/// knows no rule: what happens goes into the core, and what the core wants is done.
///
/// It lives on the event loop. A turn is whatever happens at one time, and its end: then the core has its `drain`, what
/// that brings goes out in one write for each connection, and the alarm is set.
package actor Shell {
  package nonisolated let eventLoop: any EventLoop
  package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// What is around the core.
  struct Surroundings: Sendable {
    let root: FileRoot
    /// The service's folder in memory; nil: there is none.
    let runtimeFolder: String?
    /// The path of the control socket.
    let controlPath: String
    let service: ServiceManager
    /// nil: nothing is stored.
    let store: StateStore?
    /// What neither the core nor the shell knows.
    let facts: @Sendable () -> Facts
  }

  var core: Core
  let surroundings: Surroundings
  let logger: Logger
  let carrier: Carrier
  let homieCarrier: Carrier
  /// How each sensor is read.
  private(set) var jobs: [SensorID: ReadJob]
  private(set) var reader: BlockingReader?
  /// nil: the kernel announces no sensors.
  private var attributes: AttributeWatch?
  /// nil: there are no lines, or they are released.
  private(set) var monitor: GPIOMonitor?
  /// nil: there are no outputs, and never were.
  var driver: OutputDriver?
  /// Why the record of outputs is not as it should be, as it was logged.
  var recordFailure: ReadError?
  /// Who waits for the answer to a command, by its number.
  var asking: [UInt64: Awaited<CommandAnswer>] = [:]
  var asked: UInt64 = 0
  private(set) var metrics: Metrics?
  private var aliveMark: AliveMark
  private var retryTimer: Scheduled<Void>?

  private var alarm = Alarm()
  /// The end of this turn is yet to come.
  private var isTurnOpen = false
  /// Of the turn that is under way, where all of it happens at once.
  private var time: Moment?
  private var isPerforming = false
  /// Something has happened since the core had its last `drain`.
  private var hasNews = false
  private var lastClock: WallClock?
  private let end = Awaited<Bool>()

  init(
    _ beginning: Beginning, jobs: [String: ReadJob], transports: Carrier.Settings, _ surroundings: Surroundings,
    eventLoop: any EventLoop, logger: Logger
  ) {
    self.surroundings = surroundings
    self.eventLoop = eventLoop
    self.logger = logger
    carrier = Carrier(transports, eventLoop: eventLoop)
    homieCarrier = Carrier(transports, eventLoop: eventLoop)
    let clock = WallClock.now()
    lastClock = clock
    let now = Moment(boot: clock.instant, wall: clock, awake: .awake)
    core = Core(beginning, seed: .random(in: 0 ... .max), at: now)
    self.jobs = Self.jobs(jobs, for: beginning.plan.sensors, beside: [:])
    aliveMark = AliveMark(runtimeFolder: surroundings.runtimeFolder)
  }

  /// Those of sensors that stay are kept: their sources may know something from the last read.
  private static func jobs(
    _ jobs: [String: ReadJob], for plans: [SensorPlan], beside known: [SensorID: ReadJob]
  ) -> [SensorID: ReadJob] {
    var placed: [SensorID: ReadJob] = [:]
    for plan in plans {
      guard var job = known[plan.id] ?? jobs[plan.name] else { continue }
      job.id = plan.id.text
      placed[plan.id] = job
    }
    return placed
  }

  /// Runs until everything is over; false: the shutdown was not clean.
  func run() async -> Bool {
    metrics = Metrics(eventLoop: eventLoop, logger: logger) { [weak self] in
      self?.assumeIsolated { $0.report }
    }
    metrics?.adopt(core.plan.health)
    reader = BlockingReader(
      busChanged: { [logger] change in
        switch change {
        case .suspended(let bus): logger.error("\(bus): its reads hang; limpet reads it again when one returns")
        case .resumed(let bus): logger.notice("\(bus): reads return again")
        }
      },
      deliver: { [weak self] results in
        guard let self else { return }
        eventLoop.execute { self.assumeIsolated { $0.takeSamples(results) } }
      })
    watchAttributes()
    happens(.start)
    return await end.value
  }

  // MARK: Turns

  /// The time, once for what happens now. The wall clock is asked ten times a second at the most: one that is being
  /// slewed moves by 50 µs in that time, and the kernel reports a step.
  func moment() -> Moment {
    if let time { return time }
    let now = BootClock.now
    if let lastClock, now - lastClock.instant < .milliseconds(100) {
      return Moment(boot: now, wall: lastClock, awake: .awake)
    }
    let clock = WallClock.now(after: lastClock)
    lastClock = clock
    return Moment(boot: now, wall: clock, awake: .awake)
  }

  /// What happens from here to `endTurn`, which follows at once, has one time: clocks are not asked again.
  @discardableResult
  func beginTurn() -> Moment {
    let now = moment()
    (isTurnOpen, hasNews, time) = (true, true, now)
    return now
  }

  /// Something happens, and nothing else in this turn.
  func happens(_ event: consuming Event) {
    core.handle(event, at: beginTurn())
    perform()
    endTurn()
  }

  /// Something happens; more may, and the end of the turn follows.
  func handle(_ event: consuming Event) {
    hasNews = true
    core.handle(event, at: moment())
    perform()
    scheduleTurn()
  }

  /// More happens in this turn, whose end somebody else brings.
  func continueTurn() -> Moment {
    (isTurnOpen, hasNews) = (true, true)
    return moment()
  }

  private func scheduleTurn() {
    guard !isTurnOpen else { return }
    isTurnOpen = true
    eventLoop.execute { self.assumeIsolated { if $0.isTurnOpen { $0.endTurn() } } }
  }

  /// Everything that the turn brings goes out together.
  func endTurn() {
    // What happens meanwhile belongs to it.
    isTurnOpen = true
    let now = moment()
    for _ in 0..<Self.drains {
      hasNews = false
      core.speak(at: now)
      perform()
      // Before the rest is thought of: an edge is at the broker sooner.
      flush()
      core.settle(at: now)
      perform()
      guard hasNews else { break }
    }
    flush()
    (isTurnOpen, time) = (false, nil)
    if hasNews { scheduleTurn() }
    alarm.set(core.deadline, at: now.boot, on: eventLoop) { [self] in assumeIsolated { $0.happens(.tick) } }
  }

  /// Of one turn at the most: the sockets have to be looked at in between.
  private static let drains = 4

  /// Carries out what the core wants. What that brings up queues behind.
  func perform() {
    guard !isPerforming else { return }
    isPerforming = true
    while core.hasEffects {
      carryWires()
      if let request = core.effects.takeStore() { ask(request.ticket, request.request) }
      for note in core.effects.takeNotes() { log(note) }
      for order in core.effects.takeOrders() { perform(order) }
    }
    isPerforming = false
  }

  // MARK: Effects

  /// The store answers from a thread of its own, whenever it does.
  private func ask(_ ticket: StoreTicket, _ request: StoreRequest) {
    guard let store = surroundings.store else {
      let error = StorageError(.closed, attempt: "use the store", file: "", message: "there is none").inLimpetsWords
      return handle(.stored(ticket, .failure(error)))
    }
    Task {
      let answer: Result<StoreAnswer, StorageError>
      do throws(StorageError) { answer = .success(try await store.perform(request)) } catch { answer = .failure(error) }
      happens(.stored(ticket, answer))
    }
  }

  private func perform(_ order: Order) {
    switch order {
    case .read(let sensors):
      let late = reader?.submit(sensors.compactMap { jobs[$0] }) ?? []
      if !late.isEmpty { handle(.samples(late.map(Sample.init))) }
    case .count(let lines): handle(.counted(pulses(of: lines)))
    case .watch(let lines): watch(lines)
    case .rewatch(let released, let added):
      monitor?.change(releasing: released.map(\.place), adding: added.map { (place: $0.0.place, input: $0.1) })
    case .stopWatching: monitor?.stop()
    case .hold(let output, let plan, let level, let adopts): hold(output, plan, level, adopts: adopts)
    case .drive(let output, let level, let number): driver?.drive(output.place, level, number: number)
    case .release(let output, let end): driver?.release(output.place, end)
    case .secure(let output, let end): driver?.secure(output.place, end)
    case .answer(let number, let answer): asking.removeValue(forKey: number)?.give(answer)
    case .look:
      let isStuck = monitor != nil && ThreadState.isUninterruptible(GPIOMonitor.threadName)
      handle(.looked(gpioTurns: monitor?.turns, isKernelStuck: isStuck))
    case .findStopReason: findStopReason()
    case .notify(let notice): notify(notice)
    case .publishHealth:
      core.publishHealth(facts, at: moment())
      hasNews = true
    case .writeMetrics: metrics?.write()
    case .markAlive: aliveMark.make(at: .now)
    case .exit(let isClean): exit(isClean: isClean)
    }
  }

  private func exit(isClean: Bool) {
    retryTimer?.cancel()
    alarm.set(nil, at: .now, on: eventLoop) {}
    metrics?.stop()
    reader?.shutdown()
    attributes?.stop()
    monitor?.stop()
    stopDriving()
    end.give(isClean)
  }

  private func findStopReason() {
    // Who is asked may hang in the kernel, where SIGKILL does not reach it: that thread is left behind.
    StopReason.find(runtimeFolder: surroundings.runtimeFolder) { [eventLoop] reason in
      eventLoop.execute { self.assumeIsolated { $0.happens(.asked(.stopBecause(reason))) } }
    }
  }

  // MARK: systemd

  /// Before systemd knows of a start it needs to know of no reload.
  func notifyReload(_ notice: ServiceNotice) { if core.isReady { notify(notice) } }

  private func notify(_ notice: ServiceNotice) {
    guard !surroundings.service.notify(notice), retryTimer == nil else { return }
    retryNotifying()
  }

  private func retryNotifying() {
    retryTimer = eventLoop.scheduleTask(in: .seconds(1)) {
      self.assumeIsolated { shell in
        shell.retryTimer = nil
        if !shell.surroundings.service.retry() { shell.retryNotifying() }
      }
    }
  }

  // MARK: Lines and sensors

  private func watch(_ lines: [GPIOInput]) {
    let monitor = GPIOMonitor(lines, root: surroundings.root) { [weak self] in
      guard let self else { return }
      eventLoop.execute { self.assumeIsolated { $0.takeLines() } }
    }
    self.monitor = monitor
    monitor.start()
  }

  private func takeLines() {
    guard let monitor else { return }
    let taken = monitor.take()
    let reports = taken.reports.map { LineReport($0, monitor) }
    if taken.isFinished {
      // The last that there is of pulses.
      handle(.counted(pulses(of: core.pulsed)))
      self.monitor = nil
    }
    // The way of an edge: without an event around it.
    beginTurn()
    core.take(reports, isFinished: taken.isFinished)
    perform()
    endTurn()
  }

  private func takeSamples(_ results: [ReadResult]) {
    core.take(results.map(Sample.init), at: beginTurn())
    perform()
    endTurn()
  }

  func pulses(of lines: [LineID]) -> [LineID: PulseCount] {
    guard let monitor else { return [:] }
    return Dictionary(lines.map { ($0, monitor.pulses(of: $0.place)) }) { first, _ in first }
  }

  /// Those of the sensors that there are now.
  private func watchAttributes() {
    attributes?.stop()
    let sources = jobs.filter { $0.value.source.notifies || $0.value.source.hasEvents }.map {
      (id: $0.key.text, source: $0.value.source)
    }
    guard !sources.isEmpty else {
      attributes = nil
      return
    }
    let watch = AttributeWatch(sources, root: surroundings.root) { [weak self] changed in
      guard let self else { return }
      eventLoop.execute { self.assumeIsolated { $0.happens(.notified(changed.map(SensorID.init))) } }
    }
    attributes = watch
    watch.start()
  }

  // MARK: What is asked

  /// Takes another plan.
  ///
  /// - Returns: what has changed, for people; nil: the agent is about to end, and takes nothing.
  func reload(
    _ plan: DevicePlan, _ difference: Difference, jobs: [String: ReadJob], transports: Carrier.Settings
  ) -> [String]? {
    isTurnOpen = true
    defer { endTurn() }
    hasNews = true
    guard let words = core.reload(plan, difference, pulses: pulses(of: core.pulsed), at: moment()) else { return nil }
    self.jobs = Self.jobs(jobs, for: core.plan.sensors, beside: self.jobs)
    watchAttributes()
    carrier.settings = transports
    homieCarrier.settings = transports
    metrics?.adopt(plan.health)
    return words
  }

  /// The system woke up or the clock was set: timers do not count a suspend, so everything is looked at now.
  func clockJumped() {
    lastClock = nil
    happens(.clockJumped)
  }
}

extension Sample {
  init(_ result: ReadResult) { self.init(sensor: SensorID(result.id), outcome: result.outcome) }
}

extension LineReport {
  init(_ report: GPIOReport, _ monitor: GPIOMonitor) {
    let line = LineID(place: report.input)
    let content: Content
    switch report.content {
    case .level(let level): content = .level(level)
    case .edge(let isRising, let isSuspect): content = .edge(isRising: isRising, isSuspect: isSuspect)
    case .gesture(let gesture): content = .gesture(gesture)
    case .gap(let lost): content = .gap(lost: lost)
    case .failed(let error): content = .failed("\(error)")
    case .released: content = .released
    case .found(let place):
      // Its total is that of now.
      self.init(line: line, content: .found("\(place)", pulses: monitor.pulses(of: report.input)), time: .now)
      return
    }
    self.init(line: line, content: content, time: report.time)
  }
}
