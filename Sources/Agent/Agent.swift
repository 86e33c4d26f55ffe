import Configuration
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
import NIOPosix
import Outbox
import Plan
import Planning
import Readings
import Records
import Sensing
import Storage
import Synchronization

/// The agent: opens its store, finds out which device it is, and runs until it is stopped.
///
/// It lives on the one event loop, with everything that it starts there.
public actor Agent {
  package nonisolated let eventLoop: any EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// Where an agent runs, and what is around it.
  public struct Surroundings: Sendable {
    /// Where sensors and the board's identity are read.
    public var root: FileRoot
    /// The service's folder in memory (systemd.exec(5), RuntimeDirectory=); nil: there is none.
    public var runtimeFolder: String?
    public var log: LogWriter
    public var logThreshold: LogThreshold
    /// Who started this process and wants to know how it is.
    public var service: ServiceManager
    /// Reads the configuration again; it blocks.
    public var load: @Sendable () -> LoadResult

    public init(
      root: FileRoot, runtimeFolder: String?, log: LogWriter, logThreshold: LogThreshold, service: ServiceManager,
      load: @escaping @Sendable () -> LoadResult
    ) {
      self.load = load
      self.root = root
      self.runtimeFolder = runtimeFolder
      self.service = service
      self.log = log
      self.logThreshold = logThreshold
    }
  }

  package var configuration: Configuration
  package let surroundings: Surroundings
  package let logger: Logger
  package let started = BootClock.now
  package var shell: Shell?
  package var control: ControlServer?
  /// Known once the store is open.
  package var device: String?
  /// Random, new in each process.
  package let instance: String
  package let memory: MemoryLimit?
  package let thermometers = W1Conversions()
  /// Where nothing is stored.
  var hold: StoreHold?
  var isReloading = false
  /// A signal asked for it meanwhile.
  var isReloadWanted = false
  var reloads: UInt64 = 0
  var failedReloads: UInt64 = 0
  /// `limpet abort` was asked for.
  var isAbortWanted = false
  /// A signal to end came before there was a shell.
  var isStopWanted = false
  /// Until there is a shell.
  var opener: Opener?

  private init(
    _ configuration: Configuration, _ surroundings: Surroundings, logger: Logger, eventLoop: any EventLoop
  ) {
    self.configuration = configuration
    self.surroundings = surroundings
    var generator = SystemRandomNumberGenerator()
    instance = String(generator.next() as UInt64, radix: 16)
    self.logger = logger
    self.eventLoop = eventLoop
    memory = MemoryLimit.read(in: surroundings.root)
  }

  /// Runs until SIGTERM or SIGINT, a second one of which aborts; blocks its thread.
  ///
  /// - Parameter events: made before any thread.
  /// - Returns: false when the end failed: it was not clean, so that the broker may have to say offline by the will, and
  ///   nobody asked for that with `limpet abort`.
  /// - Throws: when the configuration cannot be run.
  public static func run(
    _ configuration: Configuration, _ surroundings: Surroundings, events: ProcessEvents, logger: Logger
  ) throws(PlanError) -> Bool {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let agent = Agent(configuration, surroundings, logger: logger, eventLoop: group.next())
    let result = Mutex<Result<Bool, PlanError>>(.success(false))
    agent.onLoop { agent in
      Task {
        do throws(PlanError) {
          let isClean = try await agent.run()
          // Whoever starts the process again when it has failed must not undo an abort that was asked for.
          let isWanted = isClean || agent.isAbortWanted
          result.withLock { $0 = .success(isWanted) }
        } catch {
          result.withLock { $0 = .failure(error) }
        }
        events.finish()
      }
    }
    while true {
      switch events.next() {
      case .terminate: agent.onLoop { $0.terminate() }
      case .reload: agent.onLoop { agent in Task { await agent.reloadForSignal() } }
      case .clockJumped: agent.onLoop { $0.clockJumped() }
      case .networkChanged(let addresses): agent.onLoop { $0.networkChanged(addresses) }
      case .finished: return try result.withLock { $0 }.get()
      }
    }
  }

  private nonisolated func onLoop(_ body: @escaping @Sendable (isolated Agent) -> Void) {
    eventLoop.execute { self.assumeIsolated { body($0) } }
  }

  private func terminate() {
    guard let shell else {
      isStopWanted = true
      return opens { opening, _ in opening.stop() }
    }
    shell.assumeIsolated { $0.happens(.asked(.stop)) }
  }

  private func networkChanged(_ addresses: Set<String>?) {
    shell?.assumeIsolated { $0.happens(.networkChanged(addresses)) }
  }

  private func clockJumped() { shell?.assumeIsolated { $0.clockJumped() } }

  private func run() async throws(PlanError) -> Bool {
    logger.notice("limpet \(limpetVersion) starts, process \(getpid()), log level \(surroundings.logThreshold.level)")
    guard let (beginning, store) = try await open() else {
      if isStopWanted { logger.notice("stopped") }
      return isStopWanted
    }
    await startControl()
    let jobs = configuration.jobs(in: surroundings.root, thermometers)
    await locate(jobs)
    let shell = Shell(
      beginning, jobs: jobs,
      transports: Carrier.Settings(configuration),
      Shell.Surroundings(
        root: surroundings.root, runtimeFolder: surroundings.runtimeFolder, controlPath: configuration.control,
        service: surroundings.service, store: store, facts: facts(ofDevice: beginning.plan.device)),
      eventLoop: eventLoop, logger: logger)
    self.shell = shell
    // Stopped before it began: nothing was published, so nothing has to be taken back.
    let isClean = isStopWanted ? true : await shell.run()
    await close(store, within: Self.closingLimit)
    await control?.stop()
    logger.notice("stopped\(isClean ? "" : ", not cleanly")")
    return isClean
  }

  func devicePlan(
    of configuration: Configuration, device: String, _ identity: StoredIdentity?
  ) async throws(PlanError) -> DevicePlan {
    let (root, sensors) = (surroundings.root, configuration.sensors)
    // Facts that the kernel does not give in time are missing in the descriptions for home automation.
    let board = try? await blocking("limpet-board", within: .seconds(3), on: eventLoop) { BoardFacts(root, sensors) }
    var plan = try configuration.devicePlan(
      device: device, instance: instance, board: board ?? BoardFacts(),
      memoryShare: memory?.outboxShare)
    plan.identity = identity
    return plan
  }

  /// For the shell, on the loop that both live on. (Debian's Swift 6.2.3 crashes on `unowned` here.)
  private func facts(ofDevice device: String) -> @Sendable () -> Facts {
    { [weak self] in
      guard let self else { preconditionFailure("an agent outlives its shell") }
      return assumeIsolated { $0.facts(device: device) }
    }
  }
}

extension Carrier.Settings {
  /// How an agent's transports are opened.
  init(_ configuration: Configuration) {
    self.init()
    tls = configuration.tls
    connectTimeout = configuration.broker.connectTimeout
  }
}

extension BoardFacts {
  /// By the device tree, the interfaces that are hardware, and what is there of the sensors.
  init(_ root: FileRoot, _ sensors: [SensorConfiguration]) {
    let channels = sensors.compactMap { sensor in
      sensor.source.labelledChannel(in: root).map { (sensor.name, $0) }
    }
    self.init(
      model: try? root.text(of: "/proc/device-tree/model"),
      channels: Dictionary(channels) { first, _ in first })
    if let identity = BoardIdentity.read(in: root), identity.source == .deviceTree { serial = identity.text }
    let interfaces = ((try? root.entries(of: "/sys/class/net")) ?? []).filter {
      root.exists("/sys/class/net/\($0)/device")
    }
    let first = interfaces.sorted().min { !$0.hasPrefix("wl") && $1.hasPrefix("wl") }
    let address = first.flatMap { try? root.text(of: "/sys/class/net/\($0)/address") }
    if let address, address.utf8.count == 17 { mac = address }
  }
}
