import Core
import DequeModule
import Discovery
import Instants
import Logging
import MQTT
import MQTTCore
import NIOCore
import Outbox
import Planning
import Platform
import Presence
import Readings
import Records
import Sensing
import Status
import Storage

/// The agent while it runs: takes samples when they are due, numbers them, hands them to the session as it has room,
/// and says `online` and `offline` around them.
///
/// It lives on the client's event loop; reading sensors and writing to the disk happen on threads of their own, whose
/// results come back as one hop a batch. How it acts on the connection is in `Daemon+Connection`, how it reads in
/// `Daemon+Sampling`, how it ends in `Daemon+Stopping`.
package actor Daemon {
  package nonisolated let eventLoop: any EventLoop
  package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// Why the agent started, for the first birth.
  package struct Start: Sendable {
    package let reason: String
    /// Seconds since it was last known to run, after an end that was not clean.
    package var goneFor: UInt64?

    package init(reason: String, goneFor: UInt64? = nil) {
      self.reason = reason
      self.goneFor = goneFor
    }
  }

  /// What the agent does: all that follows from its configuration.
  package struct Plan: Sendable {
    package var client: Client.Configuration
    package let connect: Connect
    package let presence: PresenceMessages
    /// Of every name that has readings, and of those that had some: a reading names its stream by index, so an index
    /// stays a name's for as long as there are readings of it.
    package var streams: [Stream]
    package var sensors: [PlannedSensor]
    package var inputs: [PlannedInput]
    /// nil: Home Assistant is told nothing.
    package var homeAssistant: HomeAssistantDevice?
    /// nil: it is no Homie device.
    package var homie: HomieLink.Plan?
    /// Where GPIO chips are looked for.
    package let root: FileRoot
    /// How often counters that moved are stored; nil: never.
    package let countCheckpoint: Duration?
    package let health: HealthPlan
    package var outbox: Outbox.Rules
    /// Of readings, as configured.
    package let qos: QoS
    package let shutdownTimeout: Duration
    /// The service's folder in memory; nil: there is none.
    package let runtimeFolder: String?
    package let cleanStart: Bool
    /// The id of the device, and what it was made from, where it was.
    package let device: String
    package var identity: StoredIdentity?
  }

  package var plan: Plan
  /// What the daemon does not know of the agent.
  var facts: @Sendable () -> AgentFacts
  package let logger: Logger
  package let store: StateStore?
  package let service: ServiceManager
  package var client: Client?

  // Connection
  package var record = ConnectionRecord(at: .now)
  package var epoch: UInt64
  package var connection: Session.Connected? {
    didSet { granted = connection.map { (PublishLimits($0.limits), $0.version) } }
  }
  /// Of `connection`.
  package private(set) var granted: (limits: PublishLimits, version: ProtocolVersion)?
  /// Of the last connection.
  package var transport = ServerAddress.Transport.tcp
  var births = 0
  /// What the last birth said, for as long as it holds.
  package var birth: PresenceMessages.Statement?
  package var lease = Lease()
  /// What the broker said of the last online on this connection.
  var birthAnswer = BirthAnswer.none
  var leaseTimer: Scheduled<Void>?
  package let start: Start
  var networkTimer: Scheduled<Void>?
  /// What is to be said as soon as the server takes another message: of each kind the latest.
  var waitingPresence: [(token: Session.Token, message: Message)] = []
  package var healing = SelfHealing()
  var healingTimer: Scheduled<Void>?
  package var conflict: ConflictWatch
  var stabilityTimer: Scheduled<Void>?
  var closeWatch = CloseWatch()
  package var topics = RestingTopics()
  var restTimer: Scheduled<Void>?
  /// Streams of which the broker has taken a reading since it closed on one.
  var workingStreams: Set<Int> = []
  /// Of the last connection.
  var lastServer: ServerAddress?
  var wills = WillFallback()
  /// Of the last CONNECT.
  var askedWill: WillFlags?
  /// SUBSCRIBE has been sent, and not been answered.
  package var isSubscribing = false
  /// Connections that the server closed without a word about why, since one that lasted.
  var closesInARow = 0
  /// Why nothing can be stored at the moment.
  package var storageError: String?
  /// The store has been read once; else it could not be opened yet.
  var hasOpenedStore: Bool
  /// The store is being opened again, or will be.
  var isReopening = false
  /// What was wrong with the file, which is to be kept aside first.
  package var damage: StorageError?
  var reopening = ReopenSchedule()
  var announcer: Announcer
  package var homie: HomieLink?

  // Readings
  package var sampling: Sampling
  /// Of the sensors that `sampling` has.
  var jobs: [SensorID: ReadJob]
  var sampleTimer: Scheduled<Void>?
  package var reader: BlockingReader?
  package var lines: Lines
  /// nil: there are no lines, or they are released.
  package var monitor: GPIOMonitor?
  package var numbering: Numbering
  var reserveTimer: Scheduled<Void>?
  package var outbox: Outbox
  /// Readings of another identity that were set aside at the start.
  package let setAside: Int
  /// The times that readings are sent with.
  var sentLabels: TimeLabels
  /// What `wallClock` was told last.
  var lastClock: WallClock?
  var keepTimer: (at: BootClock.Instant, task: Scheduled<Void>)?
  var drainTimer: Scheduled<Void>?
  /// Messages that an earlier process made and that no server has seen.
  var leftOver: Deque<StoredMessage>
  /// Those of them, and of what is under way, that a storage has which was opened late: the session does not know it.
  var lateMessages: Set<Session.Token> = []
  package var underWay: Int
  package var refused: UInt64 = 0
  var tally = Tally()

  var aliveMark: AliveMark
  var serviceState = ServiceState()
  package var metricsFile: MetricsFile?

  // Another configuration
  var farewell = Farewell()
  var farewellTimer: Scheduled<Void>?
  /// What the CONNECT under way, or the last one, was made with.
  var connectPresence: PresenceMessages
  /// What the last connection was made with and where to, until the broker has acknowledged its `offline`.
  var spoken: (presence: PresenceMessages, server: ServerAddress)?
  package var owed = OwedFarewells()
  package var clearings = Clearings()
  /// Readings that the broker retains, for one that has lost them.
  var retained: RetainedReadings
  var reloads: UInt64 = 0

  // The end
  var stopReason = StopReason.shutdown
  var isAskingWhy = false
  var departure = Departure()
  var departureTimer: Scheduled<Void>?
  private var finished: Bool?
  private let end = Awaited<Bool>()

  package init(
    plan: Plan, store: StateStore?, storeError: StorageError?, outboxError: StorageError?, state: StoredState,
    outbox: Outbox, setAside: Int,
    clearings: [String], numbers: SequenceAllocator, start: Start, service: ServiceManager,
    facts: @escaping @Sendable () -> AgentFacts,
    eventLoop: any EventLoop, logger: Logger
  ) {
    self.plan = plan
    connectPresence = plan.presence
    self.facts = facts
    self.store = store
    self.service = service
    storageError = (storeError ?? outboxError)?.description
    damage = outboxError.flatMap { $0.isDamage ? $0 : nil }
    hasOpenedStore = storeError == nil
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
    // Tokens that are stored are bounded: there is one behind them.
    var nextToken = max(FirstToken.readings, (session.messages.last?.token ?? 0) + 1, (outbox.lastToken ?? 0) + 1)
    // Past every number that the store may have, should it be opened later.
    if storeError != nil || outboxError != nil {
      nextToken = 1 << 52 + Session.Token(max(0, WallClock.now().time(of: .now).milliseconds))
    }
    numbering = Numbering(plan.streams, numbers, firstToken: nextToken)
    var generator = SystemRandomNumberGenerator()
    lines = Lines(plan.inputs.map(\.plan), stored: state.counts, using: &generator)
    sampling = Sampling(plan.sensors.map(\.plan), plan.chores(lines), start: .now)
    jobs = plan.jobs
    self.outbox = outbox
    self.setAside = setAside
    self.clearings.found(clearings)
    retained = RetainedReadings(rate: plan.outbox.drainRate, at: .now)
    sentLabels = TimeLabels(streams: plan.streams.count)
    aliveMark = AliveMark(runtimeFolder: plan.runtimeFolder)
    metricsFile = plan.health.metricsFile.map { MetricsFile(path: $0, logger: logger) }
  }

  /// Runs until `stop` or `abort` has done its work; false: the shutdown was not clean.
  package func run() async -> Bool {
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
    let isClean = await end.value
    await endHomie()
    return isClean
  }

  package func finish(clean: Bool) {
    guard finished == nil else { return }
    finished = clean
    departureTimer?.cancel()
    sampleTimer?.cancel()
    leaseTimer?.cancel()
    healingTimer?.cancel()
    networkTimer?.cancel()
    stabilityTimer?.cancel()
    restTimer?.cancel()
    serviceState.cancelTimers()
    keepTimer?.task.cancel()
    drainTimer?.cancel()
    farewellTimer?.cancel()
    reserveTimer?.cancel()
    reader?.shutdown()
    monitor?.stop()
    end.give(clean)
  }

  /// The system woke up or the clock was set: timers do not count a suspend, so everything is looked at now.
  package func clockJumped() {
    lastClock = nil
    let jitter = Duration.seconds(1) * Double.random(in: 0...1)
    client?.assumeIsolated { $0.clockChanged(jitter: jitter) }
    homie?.assumeIsolated { $0.clockJumped(jitter: jitter) }
    lease.clockJumped(at: .now)
    renewLease()
    sample()
  }

  /// One change of the network is many messages: they are looked at together, when it has become quiet.
  package func networkChanged(_ addresses: Set<String>?) {
    if addresses == nil {
      logger.warning("the network changed, and its addresses cannot be listed: the connection is kept")
    }
    networkTimer?.cancel()
    networkTimer = after(Self.networkRest) { daemon in
      guard !daemon.departure.isLeaving else { return }
      let jitter = Duration.seconds(2) * Double.random(in: 0...1)
      daemon.client?.assumeIsolated { $0.networkChanged(addresses: addresses, jitter: jitter) }
      daemon.homie?.assumeIsolated { $0.networkChanged(addresses, jitter: jitter) }
    }
  }

  private static let networkRest = Duration.milliseconds(300)

  package func after(_ delay: Duration, _ body: @escaping @Sendable (isolated Daemon) -> Void) -> Scheduled<Void> {
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
  static let owedStatus: Session.Token = 10
  static let clearing: Session.Token = 11
  static let readings: Session.Token = 16
  /// Of retained readings that are sent again, and the stream's index behind it: above every token that a store can have.
  static let retained: Session.Token = 1 << 63
}

/// What is left of a clean stop for the next start.
extension Daemon {
  /// Numbers as they are, so that the next start goes on without a gap.
  var exactNumbers: [String: UInt64] { numbering.exact }

  /// Readings that were taken and that the broker does not have.
  var unsent: Int { outbox.count + numbering.waitingCount + leftOver.count + underWay }

  /// Those of them that end with the process.
  var inMemory: Int {
    (outbox.disk.isOpen ? outbox.disk.unwritten : outbox.count) + numbering.waitingCount
      + (plan.client.store == nil ? max(0, underWay - outbox.underWay.count - lateUnderWay) : 0)
  }

  private var lateUnderWay: Int { lateMessages.count - leftOver.count { lateMessages.contains($0.token) } }

  /// Those of them that the next start sends.
  var onDisk: Int { unsent - inMemory }

  /// What is under way is kept.
  package func flush() async { await client?.flushStore() }
}
