import Core
internal import Glibc
import LimpetInstants
import LimpetPlatform
import MQTT
import MQTTCore
import Measuring
import NIOCore
import Plan
import Planning
import Presence
import Status

/// All simulated devices, on one event loop: what they share, and their totals.
///
/// Stays on its event loop, where all of it is called.
final class SimulatedFleet: @unchecked Sendable {
  let eventLoop: any EventLoop
  let template: DeviceTemplate
  private let lookUp: GuardedLookUp
  private let carrierSettings: Carrier.Settings
  var timetable: Timetable
  private var alarm = Alarm()
  private(set) var devices: [SimulatedDevice?]
  private(set) var states: StateWatch
  private(set) var storms: StormWatch
  var acknowledgements = Percentiles()
  /// Seconds, as a broker granted it last.
  var keepAlive: UInt16 = 0
  /// Of the last attempt.
  var version = ProtocolVersion.v5
  private(set) var tally = Tally()
  /// What went wrong, in words, and how often.
  private(set) var problems: [String: UInt64] = [:]
  /// Devices that have ended and are to come back, and not before when.
  private var returning: [(index: Int, at: BootClock.Instant)] = []
  private var generator = SystemRandomNumberGenerator()
  private var lastClock: WallClock?
  private let started = BootClock.now

  struct Tally {
    var connects: UInt64 = 0
    var published: UInt64 = 0
    var publishedBytes: UInt64 = 0
    var pings: UInt64 = 0
    var ends: [Churn.Kind: UInt64] = [:]
  }

  /// In addition to the delays of broker and network.
  private static let endLimit = Duration.seconds(10)
  /// A connection takes a port of its source address; there are 28,000, and some rest after use.
  private static let portsOfAddress = 20_000
  private static let problemLimit = 20
  /// What devices read is short: their own presence and acknowledgements.
  private static let receiveBuffer = 512

  init(_ template: DeviceTemplate, count: Int, tls: TLSSettings, _ lookUp: GuardedLookUp, eventLoop: any EventLoop) {
    self.template = template
    self.lookUp = lookUp
    self.eventLoop = eventLoop
    timetable = Timetable(count: count)
    devices = Array(repeating: nil, count: count)
    states = StateWatch(count: count)
    storms = StormWatch(count: count)
    var settings = Carrier.Settings()
    settings.tls = tls
    settings.receiveBuffer = Self.receiveBuffer
    settings.lookUp = { try await lookUp.addresses($0, $1) }
    carrierSettings = settings
  }

  // MARK: What devices share

  func random() -> UInt64 { generator.next() }

  /// The name of a run.
  func instance() -> String { String(generator.next() as UInt64, radix: 36) }

  /// The time, once for what happens now, as the agent's shell has it.
  func moment() -> Moment {
    let now = BootClock.now
    var awake = timespec()
    clock_gettime(CLOCK_MONOTONIC, &awake)
    let clock: WallClock
    if let lastClock, now - lastClock.instant < .milliseconds(100) {
      clock = lastClock
    } else {
      clock = WallClock.now(after: lastClock)
      lastClock = clock
    }
    return Moment(boot: now, wall: clock, awake: .seconds(awake.tv_sec) + .nanoseconds(awake.tv_nsec))
  }

  func transports(of index: Int) -> Carrier.Settings {
    var settings = carrierSettings
    let place = index / Self.portsOfAddress
    if place > 0 { settings.localAddress = try? SocketAddress(ipAddress: "127.0.0.\(place + 1)", port: 0) }
    return settings
  }

  /// Why a connection may not stay where it is; nil: it may.
  func refusal(of carrier: Carrier, _ index: Int) -> ConnectionLoss? {
    let address = carrier.route?.address
    guard !lookUp.permits(address) else { return nil }
    let refusal = LoadGuard.Refusal(host: address ?? "", address: address ?? "")
    count("\(refusal)")
    return .settings("\(refusal)")
  }

  /// What a sensor would have measured: never the same as before.
  func sample(of sensor: SensorID) -> Sample {
    let value = Double(generator.next() % 10_000) / 100
    return Sample(sensor: sensor, outcome: .success(Measurement(value: .number(value), time: .now)))
  }

  func facts(of device: String) -> Facts {
    Facts(device: device, displayName: nil, process: getpid(), started: started, logLevel: "info")
  }

  // MARK: Time

  /// `Timetable` has it; the timer is to be set where it is the first.
  func wakeUp(for deadline: BootClock.Instant?, at now: BootClock.Instant) {
    guard let deadline, timetable.next == deadline else { return }
    alarm.set(deadline, at: now, on: eventLoop) { self.runDue() }
  }

  private func runDue() {
    let now = BootClock.now
    while let index = timetable.takeDue(at: now) { devices[index]?.tick() }
    let end = BootClock.now
    alarm.set(timetable.next, at: end, on: eventLoop) { self.runDue() }
  }

  // MARK: Ends and returns of devices

  func begin(_ index: Int) throws(PlanError) {
    let plan = try template.device(index, instance: instance())
    let device = SimulatedDevice(index, plan, self, at: moment())
    devices[index] = device
    device.start()
  }

  /// Ends one that can be ended, by chance.
  func end(by kind: Churn.Kind, at now: BootClock.Instant) {
    for _ in 0..<50 {
      let index = Int(generator.next() % UInt64(devices.count))
      guard let device = devices[index], device.isOnline, !device.hasEnded, device.isIdle else { continue }
      tally.ends[kind, default: 0] += 1
      switch kind {
      case .crash:
        states.ended(index, by: kind, at: now, within: Self.endLimit + template.presence.willDelay)
        device.crash()
        comeBack(index, at: now)
      case .stop: device.stop()
      case .halfOpen:
        device.freeze()
        states.ended(index, by: kind, at: now, within: lossLimit)
        comeBack(index, at: now)
      }
      return
    }
  }

  /// What the agent promises of a device whose network is gone.
  private var lossLimit: Duration {
    let promised = PresenceMessages.detectWithin(
      keepAlive: keepAlive, willDelay: template.presence.willDelay, .v5, over: .secureWebSocket)
    return promised.map { .seconds($0) } ?? .seconds(86_400)
  }

  private func comeBack(_ index: Int, at now: BootClock.Instant) {
    returning.append((index, now + .seconds(1) + .milliseconds(Int64(generator.next() % 1000))))
  }

  /// Those whose end has been seen begin again.
  func startAgainWhoMay(at now: BootClock.Instant) {
    guard !returning.isEmpty else { return }
    let all = returning
    returning = []
    for (index, at) in all {
      guard at <= now, states.hasSettled(index) else {
        returning.append((index, at))
        continue
      }
      states.isUndecided(index, at: now)
      devices[index]?.startAgain(at: moment())
    }
  }

  /// No device comes back any more, and devices that hang die.
  func endChurn(at now: BootClock.Instant) {
    returning = []
    for device in devices {
      guard let device, device.life == .isFrozen else { continue }
      // The broker now learns from the device what it would have noticed itself.
      states.isGivenUp(device.index, at: now)
      device.crash()
    }
  }

  var online: Int { devices.count { $0?.isOnline ?? false } }
  var haveBeenOnline: Int { devices.count { $0?.hasBeenOnline ?? false } }
  var running: Int { devices.count { $0.map { !$0.hasEnded } ?? false } }
  var lostReadings: UInt64 { devices.reduce(0) { $0 + ($1?.lostReadings ?? 0) } }
  var unsent: Int { devices.reduce(0) { $0 + ($1?.core.unsent ?? 0) } }
  /// By slot, a name of a device: the number after the last.
  var nextNumbers: [UInt64] {
    let none = [UInt64](repeating: 1, count: template.names.count)
    return devices.flatMap { $0?.nextNumbers ?? none }
  }

  // MARK: Reports of devices

  func isOnline(_ index: Int, at now: BootClock.Instant) {
    states.isOnline(index, at: now)
    storms.returned(index, at: now)
  }

  func lost(_ index: Int, at now: BootClock.Instant) {
    states.isUndecided(index, at: now)
    storms.lost(index, at: now)
  }

  func saidFarewell(_ index: Int, at now: BootClock.Instant) {
    states.ended(index, by: .stop, at: now, within: Self.endLimit)
  }

  func hasEnded(_ index: Int) {
    storms.forget(index, at: .now)
    comeBack(index, at: .now)
  }

  func sent(_ publish: Publish) {
    tally.published += 1
    tally.publishedBytes += UInt64(publish.size(version))
  }

  func sentPing() { tally.pings += 1 }

  func take(_ note: Note, of index: Int) {
    switch note {
    case .connected: tally.connects += 1
    case .lost(let loss, let wasConnected, _, let delay, let server, _):
      if delay != nil { count("\(wasConnected ? "connection lost" : "not connected"): \(loss.advised(server))") }
    case .readingRefused(_, let code, _): count("the broker refused a reading: \(code)")
    case .readingGivenUp(let rejection, _): count("a device gave up a reading: \(rejection)")
    case .presenceRefused(let code): count("the broker refused a presence message: \(code)")
    case .rests(_, let rest, _, _, _):
      count("the broker refuses a topic: \(rest.code.map { "\($0)" } ?? "it closes")")
    case .rival: count("another client uses the client id of a device: is there another rehearsal?")
    case .correctsStatus: count("a device corrected its status")
    default: break
    }
  }

  /// There are few reasons; further ones are counted as one.
  private func count(_ problem: String) {
    let key = problems[problem] != nil || problems.count < Self.problemLimit ? problem : "something else"
    problems[key, default: 0] += 1
  }

  // MARK: Reports of the subscriber

  func heard(_ device: Int, _ seen: StateWatch.Seen, at time: BootClock.Instant) {
    states.heard(device, seen, at: time)
  }

  func subscriberWatches(_ isWatching: Bool, at now: BootClock.Instant) {
    if isWatching { states.watches(at: now) } else { states.watchesNoMore() }
  }

  func sweep(at now: BootClock.Instant) {
    for index in states.sweep(at: now) {
      count("the subscriber saw a wrong state, for example of \(DeviceTemplate.id(of: index))")
    }
  }
}
