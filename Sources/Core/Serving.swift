import LimpetInstants
import MQTTCore

/// The agent's notices to systemd.
struct Serving: Sendable {
  private let watchdogInterval: Duration?
  private var liveness = Liveness()
  /// READY=1 was sent.
  private(set) var isReady = false
  /// A sensor that takes longer than this for its first answer does not delay units that wait for this service.
  private var readyAt: BootClock.Instant?
  private var lookAt: BootClock.Instant?
  private var extendAt: BootClock.Instant?
  private var aliveAt: BootClock.Instant?
  /// Said once: what does not move.
  private var stall: Liveness.Stall?

  private static let readyLimit = Duration.seconds(10)
  /// How much time is asked for, and how often: a stop that no longer moves is ended soon, however long it may take.
  private static let stopExtension = (time: Duration.seconds(15), interval: Duration.seconds(5))
  private static let lookAgain = Duration.seconds(1)
  private static let aliveInterval = Duration.seconds(60)

  init(watchdogInterval: Duration?, at now: Moment) {
    self.watchdogInterval = watchdogInterval
    readyAt = now.boot + Self.readyLimit
    lookAt = watchdogInterval == nil ? nil : now.boot
  }

  var deadline: BootClock.Instant? { earliest(readyAt, lookAt, extendAt) }

  mutating func becomeReady(into effects: inout Effects) {
    guard !isReady else { return }
    isReady = true
    readyAt = nil
    effects.orders.append(.notify(.ready))
  }

  mutating func stops(at now: Moment, into effects: inout Effects) {
    readyAt = nil
    effects.orders.append(.notify(.stopping))
    effects.orders.append(.notify(.status("stopping")))
    extend(at: now, into: &effects)
  }

  private mutating func extend(at now: Moment, into effects: inout Effects) {
    effects.orders.append(.notify(.extendTimeout(Self.stopExtension.time)))
    extendAt = now.boot + Self.stopExtension.interval
  }

  /// The device runs: what is left of the mark after a crash says how long it was gone.
  mutating func isAlive(at now: Moment, into effects: inout Effects) {
    guard aliveAt.map({ $0 + Self.aliveInterval <= now.boot }) ?? true else { return }
    aliveAt = now.boot
    effects.orders.append(.markAlive)
  }

  mutating func isDue(at now: Moment, into effects: inout Effects) {
    if readyAt.map({ $0 <= now.boot }) ?? false { becomeReady(into: &effects) }
    if extendAt.map({ $0 <= now.boot }) ?? false { extend(at: now, into: &effects) }
    guard lookAt.map({ $0 <= now.boot }) ?? false, let watchdogInterval else { return }
    lookAt = now.boot + watchdogInterval
    effects.orders.append(.look)
  }

  mutating func looked(_ look: Liveness.Look, isKernelStuck: Bool, at now: Moment, into effects: inout Effects) {
    var stall = liveness.look(look, at: now.awake)
    if stall == .gpio, isKernelStuck { stall = nil }
    if let stall, stall != self.stall {
      effects.notes.append(.stalls(stall))
      effects.orders.append(.notify(.status("\(stall) hangs")))
    }
    self.stall = stall
    // One that is late may be driven in a moment, and the watchdog waits no longer than it does now.
    if case .output? = stall { lookAt = earliest(lookAt, now.boot + Self.lookAgain) }
    if stall == nil { effects.orders.append(.notify(.alive)) }
  }
}

extension Core {
  /// Before systemd has the notice of the start, it gets none of a reload.
  package var isReady: Bool { serving.isReady }

  mutating func servingIsDue(at now: Moment) { serving.isDue(at: now, into: &conversation.effects) }

  mutating func looked(gpioTurns: Int?, isKernelStuck: Bool, at now: Moment) {
    let look = Liveness.Look(
      gpioTurns: gpioTurns, oldestRead: sampling.oldestRead,
      readLimit: conversation.plan.sensors.reduce(.zero) { $0 + $1.timeout },
      sent: isSending ? conversation.tally.handedOver : nil,
      connectionDue: conversation.leaving.isLeaving ? nil : conversation.standing.due,
      overdueOutput: conversation.acting.outputs.overdue(at: now.boot))
    serving.looked(look, isKernelStuck: isKernelStuck, at: now, into: &conversation.effects)
  }

  /// Something waits, not for the disk, and the session has room for it, whatever its QoS.
  private var isSending: Bool {
    mutating get {
      let disk = conversation.sender.outbox.disk
      guard conversation.standing.connection != nil, !conversation.leaving.isLeaving,
        conversation.sender.waiting > conversation.restingCount, disk.write == nil,
        !disk.isReading, disk.readAgainAt == nil
      else { return false }
      return conversation.link.room(for: .exactlyOnce) > 0
    }
  }
}
