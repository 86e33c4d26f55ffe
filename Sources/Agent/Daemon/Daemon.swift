import DequeModule
import Logging
import MQTT
import NIOCore
import Sensing
import Storage
import Time

/// The agent while it runs: takes samples when they are due, numbers them, hands them to the session as it has room,
/// and says `online` and `offline` around them.
///
/// It lives on the client's event loop; reading sensors and writing to the disk happen on threads of their own, whose
/// results come back as one hop a batch. How it acts on the connection is in `Daemon+Connection`, how it reads in
/// `Daemon+Sampling`, how it ends in `Daemon+Stopping`.
actor Daemon {
  nonisolated let eventLoop: any EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// Why the agent started, for the first birth.
  struct Start: Sendable {
    let reason: String
    /// Seconds since it was last known to run, after an end that was not clean.
    var goneFor: UInt64?
  }

  /// What the agent does: all that follows from its configuration.
  struct Plan: Sendable {
    var client: Client.Configuration
    let connect: Connect
    let presence: PresenceMessages
    /// Of every name that has readings, and of those that had some: a reading names its stream by index, so an index
    /// stays a name's for as long as there are readings of it.
    var streams: [Stream]
    var sensors: [PlannedSensor]
    var inputs: [PlannedInput]
    /// Places that the monitor of inputs has, free ones included.
    var places = 0
    /// nil: Home Assistant is told nothing.
    var homeAssistant: HomeAssistantDevice?
    /// nil: it is no Homie device.
    var homie: HomieLink.Plan?
    /// Where GPIO chips are looked for.
    let root: FileRoot
    /// How often counters that moved are stored; nil: never.
    let countCheckpoint: Duration?
    let health: HealthPlan
    var outbox: Outbox.Rules
    /// Of readings, as configured.
    let qos: QoS
    let shutdownTimeout: Duration
    /// The service's folder in memory; nil: there is none.
    let runtimeFolder: String?
    let cleanStart: Bool
    /// The id of the device, and what it was made from, where it was.
    let device: String
    var identity: StoredIdentity?
  }

  var plan: Plan
  /// What the daemon does not know of the agent.
  var facts: @Sendable () -> AgentFacts
  let logger: Logger
  let store: StateStore?
  let service: ServiceManager
  var client: Client?

  // Connection
  var record = ConnectionRecord(at: .now)
  var epoch: UInt64
  var connection: Session.Connected? {
    didSet { granted = connection.map { (PublishLimits($0.limits), $0.version) } }
  }
  /// Of `connection`.
  private(set) var granted: (limits: PublishLimits, version: ProtocolVersion)?
  /// Of the last connection.
  var transport = ServerAddress.Transport.tcp
  var births = 0
  /// What the last birth said, for as long as it holds.
  var birth: PresenceMessages.Statement?
  var leaseTimer: Scheduled<Void>?
  let start: Start
  var networkTimer: Scheduled<Void>?
  /// What is to be said as soon as the server takes another message: of each kind the latest.
  var waitingPresence: [(token: Session.Token, message: Message)] = []
  var healing = SelfHealing()
  var healingTimer: Scheduled<Void>?
  var conflict: ConflictWatch
  var stabilityTimer: Scheduled<Void>?
  var closeWatch = CloseWatch()
  /// SUBSCRIBE has been sent, and not been answered.
  var isSubscribing = false
  /// Connections that the server closed without a word about why, since one that lasted.
  var closesInARow = 0
  /// Why nothing can be stored at the moment.
  var storageError: String?
  /// The store has been read once; else it could not be opened yet.
  var hasOpenedStore: Bool
  /// The store is being opened again, or will be.
  var isReopening = false
  /// What was wrong with the file, which is to be kept aside first.
  var damage: StorageError?
  var reopenDelay = shortestReopening
  var announcer: Announcer
  var homie: HomieLink?

  // Readings
  var sensors: [SensorState]
  /// By the id of their jobs.
  var sensorIndex: [String: Int]
  /// What happens when, again and again.
  var scheduled: [ScheduledWork]
  var schedule: SampleSchedule
  var sampleTimer: Scheduled<Void>?
  var reader: BlockingReader?
  /// Sensors whose read is under way, and since when; one that takes too long is reported by the reader and leaves.
  var reading: [Int: SuspendingClock.Instant] = [:]
  var inputs: InputsState
  var numbers: SequenceAllocator
  /// Readings whose numbers are still being reserved on the disk.
  var unnumbered: Deque<UnnumberedReading> = []
  var outbox: Outbox
  /// Readings of another identity that were set aside at the start.
  let setAside: Int
  /// The times that readings are stored with, and those that they are sent with.
  var labels: TimeLabels
  var sentLabels: TimeLabels
  /// What `wallClock` was told last.
  var lastClock: WallClock?
  var keepTimer: (at: BootClock.Instant, task: Scheduled<Void>)?
  var drainTimer: Scheduled<Void>?
  var reportedDrops: UInt64 = 0
  /// Messages that an earlier process made and that no server has seen.
  var leftOver: Deque<StoredMessage>
  var underWay: Int
  var refused: UInt64 = 0
  var tally = Tally()
  /// The last of each stream.
  var lastReadings: [Reading?]
  var nextToken: Session.Token

  var aliveMark: AliveMark
  var serviceState = ServiceState()
  var metricsFile: MetricsFile?

  // Another configuration
  var renewal: Renewal?
  /// Topics whose retained readings nobody stands for any more.
  var clearings: Deque<TopicName> = []
  var reloads: UInt64 = 0

  // The end
  var stopReason = StopReason.shutdown
  var isAskingWhy = false
  var departure = Departure()
  var departureTimer: Scheduled<Void>?
  private var finished: Bool?
  private var waiter: CheckedContinuation<Bool, Never>?

  init(
    plan: Plan, store: StateStore?, storeError: StorageError?, state: StoredState, outbox: Outbox, setAside: Int,
    numbers: SequenceAllocator, start: Start, service: ServiceManager, facts: @escaping @Sendable () -> AgentFacts,
    eventLoop: any EventLoop, logger: Logger
  ) {
    self.plan = plan
    self.facts = facts
    self.store = store
    self.service = service
    storageError = storeError?.description
    hasOpenedStore = storeError == nil
    self.numbers = numbers
    self.start = start
    conflict = ConflictWatch(instances: state.instances.union([plan.presence.instance]))
    self.eventLoop = eventLoop
    self.logger = logger
    announcer = Announcer(wanted: plan.homeAssistant, stored: state.announcements, homie: plan.homie?.device.base)
    homie = plan.homie.flatMap { homie in
      let stored = state.announcements.first { $0.kind == .homie && $0.topic == homie.device.base }
      return try? HomieLink(
        homie, stored: stored.map(Announcement.init), store: store, eventLoop: eventLoop, logger: logger)
    }
    epoch = state.epoch
    // What an earlier process had sent is the session's, and settled by it; what it had not is sent first.
    let session = plan.client.session
    leftOver = Deque(session.waiting)
    underWay = session.underWay.count
    nextToken = max(FirstToken.readings, (session.messages.last?.token ?? 0) + 1, (outbox.lastToken ?? 0) + 1)
    // Past every number that the store may have, should it be opened later.
    if storeError != nil { nextToken = 1 << 52 + Session.Token(max(0, WallClock.now().time(of: .now).milliseconds)) }
    sensors = plan.sensors.map(SensorState.init)
    lastReadings = Array(repeating: nil, count: plan.streams.count)
    sensorIndex = Dictionary(plan.sensors.enumerated().map { ($1.job.id, $0) }) { first, _ in first }
    scheduled = plan.scheduled
    schedule = SampleSchedule(intervals: scheduled.map(\.interval), start: .now)
    self.outbox = outbox
    self.setAside = setAside
    labels = TimeLabels(streams: plan.streams.count)
    sentLabels = labels
    inputs = InputsState(plan, state.counts)
    aliveMark = AliveMark(runtimeFolder: plan.runtimeFolder)
    metricsFile = plan.health.metricsFile.map { MetricsFile(path: $0, logger: logger) }
  }

  static let shortestReopening = Duration.seconds(5)

  /// How long after the start the code of the start is no longer needed.
  private static let settlingTime = Duration.seconds(5)

  /// Runs until `stop` or `abort` has done its work; false: the shutdown was not clean.
  func run() async -> Bool {
    let client = Client(plan.client, delegate: self, eventLoop: eventLoop, logger: logger)
    self.client = client
    reader = BlockingReader(
      busChanged: { [logger] change in
        switch change {
        case .suspended(let bus): logger.error("\(bus): its reads hang; it is not read until one returns")
        case .resumed(let bus): logger.notice("\(bus): reads return again")
        }
      },
      deliver: { [weak self] results in
        guard let self else { return }
        eventLoop.execute { self.assumeIsolated { $0.sampled(results) } }
      })
    await storeAnnouncements()
    await client.start()
    if storageError != nil { reopenStore() }
    startInputs()
    sample()
    startService()
    _ = after(Self.settlingTime) { _ in StartupPages.release() }
    let isClean = await withCheckedContinuation { continuation in
      if let finished { continuation.resume(returning: finished) } else { waiter = continuation }
    }
    await endHomie()
    return isClean
  }

  func finish(clean: Bool) {
    guard finished == nil else { return }
    finished = clean
    departureTimer?.cancel()
    sampleTimer?.cancel()
    leaseTimer?.cancel()
    healingTimer?.cancel()
    networkTimer?.cancel()
    stabilityTimer?.cancel()
    serviceState.cancelTimers()
    keepTimer?.task.cancel()
    drainTimer?.cancel()
    renewal?.timer?.cancel()
    reader?.shutdown()
    inputs.monitor?.stop()
    waiter?.resume(returning: clean)
    waiter = nil
  }

  /// The system woke up or the clock was set: timers do not count a suspend, so everything is looked at now.
  func clockJumped() {
    lastClock = nil
    client?.assumeIsolated { $0.clockChanged() }
    homie?.assumeIsolated { $0.clockJumped() }
    sample()
  }

  /// One change of the network is many messages: they are looked at together, when it has become quiet.
  func networkChanged(_ addresses: Set<String>) {
    networkTimer?.cancel()
    networkTimer = after(Self.networkRest) { daemon in
      guard !daemon.departure.isLeaving else { return }
      let jitter = Duration.seconds(2) * Double.random(in: 0...1)
      daemon.client?.assumeIsolated { $0.networkChanged(addresses: addresses, jitter: jitter) }
      daemon.homie?.assumeIsolated { $0.networkChanged(addresses, jitter: jitter) }
    }
  }

  private static let networkRest = Duration.milliseconds(300)

  func after(_ delay: Duration, _ body: @escaping @Sendable (isolated Daemon) -> Void) -> Scheduled<Void> {
    eventLoop.scheduleTask(in: TimeAmount(delay)) { self.assumeIsolated { body($0) } }
  }
}

/// The names of requests that are open at one time.
enum FirstToken {
  static let birthStatus: Session.Token = 1
  static let birthPresence: Session.Token = 2
  static let stopPresence: Session.Token = 3
  static let stopStatus: Session.Token = 4
  static let subscription: Session.Token = 5
  static let health: Session.Token = 6
  static let announcement: Session.Token = 7
  static let homeAssistant: Session.Token = 8
  static let unwatching: Session.Token = 9
  static let readings: Session.Token = 16
}

/// What is left of a clean stop for the next start.
extension Daemon {
  /// Numbers as they are, so that the next start goes on without a gap.
  var exactNumbers: [String: UInt64] { numbers.exact }

  /// Readings that were taken and that the broker does not have.
  var unsent: Int { outbox.count + unnumbered.count + leftOver.count + underWay }

  /// Those of them that end with the process.
  var inMemory: Int {
    (outbox.disk.isOpen ? outbox.disk.unwritten : outbox.count) + unnumbered.count
      + (plan.client.store == nil && !outbox.disk.isOpen ? underWay : 0)
  }

  /// Those of them that the next start sends.
  var onDisk: Int { unsent - inMemory }

  /// What is under way is kept.
  func flush() async { await client?.flushStore() }
}
