import Instants
import MQTT
import NIOCore
import Platform
import Sensing

/// What the agent knows of itself as a service.
struct ServiceState {
  var liveness = Liveness()
  /// READY=1 was told.
  var isReady = false
  /// Said once: what does not move.
  var stall: Liveness.Stall?
  /// When the next thing has to have happened to the connection; nil: there is one, or none is wanted.
  var connectionDue: SuspendingClock.Instant?
  /// Messages that the session was given.
  var handedOver: UInt64 = 0
  var retryTimer: Scheduled<Void>?
  var watchdogTimer: Scheduled<Void>?
  var readyTimer: Scheduled<Void>?
  var extensionTimer: Scheduled<Void>?

  func cancelTimers() {
    for timer in [retryTimer, watchdogTimer, readyTimer, extensionTimer] { timer?.cancel() }
  }
}

extension Daemon {
  /// Before a start has been told there is no reload to tell of.
  func tellReload(_ notice: ServiceNotice) { if serviceState.isReady { tell(notice) } }

  /// Tells systemd. A reload is `.reloadingNow` before it, and `.ready` when it is done.
  package func tell(_ notice: ServiceNotice) {
    guard !service.tell(notice), serviceState.retryTimer == nil else { return }
    retryTelling()
  }

  private func retryTelling() {
    serviceState.retryTimer = after(.seconds(1)) { daemon in
      daemon.serviceState.retryTimer = nil
      if !daemon.service.retry() { daemon.retryTelling() }
    }
  }

  // MARK: The start

  /// A sensor that takes longer than this to answer first does not hold up what waits for this service.
  private static let readyLimit = Duration.seconds(10)

  /// Begins to tell that the agent moves; `ready` follows when sensors and lines have answered.
  func startService() {
    lookAfterMoving()
    serviceState.readyTimer = after(Self.readyLimit) { $0.becomeReady() }
    readyIfSensing()
  }

  /// Once every sensor and every line has answered, be it that it cannot be read. The broker has no say: a board starts
  /// without its network as well.
  func readyIfSensing() {
    guard !serviceState.isReady, !sampling.isReading, lines.haveAnswered else { return }
    becomeReady()
  }

  private func becomeReady() {
    guard !serviceState.isReady else { return }
    serviceState.isReady = true
    serviceState.readyTimer?.cancel()
    tell(.ready)
  }

  // MARK: The watchdog

  private func lookAfterMoving() {
    guard let interval = service.watchdogInterval else { return }
    let look = Liveness.Look(
      gpioTurns: monitor?.turns, oldestRead: sampling.oldestRead,
      readLimit: plan.sensors.reduce(.zero) { $0 + $1.job.timeout }, sent: isSending ? serviceState.handedOver : nil,
      connectionDue: departure.isLeaving ? nil : serviceState.connectionDue)
    var stall = serviceState.liveness.look(look, at: .now)
    if stall == .gpio, ThreadState.isUninterruptible(GPIOMonitor.threadName) { stall = nil }
    if let stall, stall != serviceState.stall {
      logger.critical("\(stall) has stopped moving: the service is left to systemd's watchdog, which restarts it")
      tell(.status("\(stall) has stopped moving"))
    }
    serviceState.stall = stall
    if stall == nil { tell(.alive) }
    serviceState.watchdogTimer = after(interval) { $0.lookAfterMoving() }
  }

  /// Something waits, not for the disk, and the session has room for it, whatever its QoS.
  private var isSending: Bool {
    guard connection != nil, !departure.isLeaving, !outbox.isEmpty || !leftOver.isEmpty, outbox.disk.write == nil,
      !outbox.disk.isReading, outbox.disk.readAgainAt == nil
    else { return false }
    return client?.assumeIsolated { $0.room(for: .exactlyOnce) } ?? 0 > 0
  }

  // MARK: The connection

  /// Says how the connection stands, and until when something else has to happen to it.
  func reportConnection(_ event: Client.Event) {
    switch event {
    case .connecting(let server, _):
      // After a failure its reason says more.
      if serviceState.connectionDue == nil { tell(.status("connecting to \(server)")) }
      serviceState.connectionDue = .now + plan.client.connectTimeout
    case .connected(let connected, let server):
      serviceState.connectionDue = nil
      tell(.status("connected to \(server), MQTT \(connected.version)"))
    default: break
    }
  }

  /// - Parameter delay: until the next attempt; nil: there is none.
  func reportLoss(_ loss: ConnectionLoss, retryAfter delay: Duration?) {
    guard !departure.isLeaving else { return }
    serviceState.connectionDue = delay.map { .now + $0 }
    guard let delay else { return }
    let next = WallClock.now().time(of: .now + delay).description.dropFirst(11).prefix(8)
    // Who has never reached a broker has perhaps never said which.
    let advice = births == 0 ? "; broker.url in the configuration says where the broker is" : ""
    tell(.status("not connected: \(loss); next try at \(next) UTC\(advice)"))
  }

  // MARK: The end

  /// How much time is asked for, and how often: a stop that no longer moves is ended soon, however long it may take.
  private static let stopExtension = (time: Duration.seconds(15), interval: Duration.seconds(5))

  func reportStopping() {
    tell(.stopping)
    tell(.status("stopping"))
    extendStopping()
  }

  private func extendStopping() {
    tell(.extendTimeout(Self.stopExtension.time))
    serviceState.extensionTimer = after(Self.stopExtension.interval) { $0.extendStopping() }
  }
}
