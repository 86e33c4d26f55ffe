import Configuration
import LimpetInstants

/// What is known of a fleet from its status and presence topics: a value that takes messages and the time, and returns
/// what changed.
///
/// It applies what no message says: when the message expiry of a retained `online` passes, the device is `expired`; it
/// was lost together with its broker. Names, texts and the number of devices are bounded, whatever the network sends.
struct FleetView {
  typealias Instant = BootClock.Instant

  /// One moment, on the clock that measures and on the one that labels.
  typealias Moment = (instant: Instant, time: Timestamp)

  /// The two payloads that a status topic has.
  struct Payloads {
    var online = PresenceKeys.online.standard
    var offline = PresenceKeys.offline.standard
  }

  /// A message of a watched topic.
  struct Report {
    var topic: String
    var payload: [UInt8]
    /// The broker had retained it, so it is older than the subscription.
    var isRetained = false
    /// MQTT 5's Message Expiry Interval, as received: how long the message is still valid.
    var expiry: Duration?
    /// User properties of `status` on MQTT 5.
    var reason: String?
    var epoch: UInt64?
    var instance: String?
  }

  /// Bytes of a device's name and of a payload that is looked at.
  static let nameLimit = 256
  static let payloadLimit = 4096
  /// The precision of expiries, which are whole seconds.
  static let expiryStep = Duration.milliseconds(100)
  /// More changes than this in this time are flapping.
  static let flapping = (changes: 3, within: Duration.seconds(600))

  private(set) var devices: [String: WatchedDevice] = [:]
  /// Messages of devices beyond the limit, or with names that are too long.
  private(set) var ignored: UInt64 = 0
  /// When `tick` has to be called next.
  private(set) var deadline: Instant?
  /// Devices that are new while the retained messages of a subscription still come: they are reported once all are
  /// there, status and presence together.
  private var unreported: Set<String> = []
  /// Devices without a message on this connection yet: what the broker kept of them before may be gone.
  private var unconfirmed: Set<String> = []
  /// Devices with news that are no change of state: a reason, a name, the end of flapping.
  private var detailed: Set<String> = []
  private var flapping: Set<String> = []

  private let topics: WatchedTopics
  private let payloads: Payloads
  private let limit: Int

  /// - Parameter limit: devices that are kept.
  init(_ topics: WatchedTopics, _ payloads: Payloads, limit: Int = Watch.deviceLimit) {
    self.topics = topics
    self.payloads = payloads
    self.limit = limit
    for name in topics.devices.prefix(limit) {
      devices[name] = WatchedDevice(name: name)
      unreported.insert(name)
    }
  }

  var onlineCount: Int { devices.values.count { $0.state == .online } }

  /// Those that need a look come first.
  var sorted: [WatchedDevice] {
    devices.values.sorted {
      $0.rank == $1.rank ? $0.name < $1.name : $0.rank < $1.rank
    }
  }

  /// All that is known now, as if it were new.
  func all(at now: Moment) -> [FleetChange] {
    sorted.map { FleetChange(device: $0, previous: nil, isInitial: true, isRetained: true, at: now) }
  }

  /// News of devices that are no change of state, since the last call: no reader is woken up for them.
  mutating func takeDetails(at now: Moment) -> [FleetChange] {
    guard !detailed.isEmpty else { return [] }
    defer { detailed = [] }
    return detailed.sorted().compactMap { devices[$0] }.map {
      FleetChange(device: $0, previous: $0.state, isInitial: false, isRetained: true, at: now)
    }
  }

  /// A connection begins: the retained messages come again, before `settle`.
  mutating func connected() {
    unconfirmed = Set(devices.values.lazy.filter { $0.state != .unknown && $0.state != .expired }.map(\.name))
  }

  mutating func receive(_ report: Report, at now: Moment) -> [FleetChange] {
    guard let (kind, name) = topics.device(of: report.topic) else { return [] }
    guard name.utf8.count <= Self.nameLimit, devices[name] != nil || devices.count < limit else {
      ignored += 1
      return []
    }
    var changes: [FleetChange] = []
    let isNew = devices[name] == nil
    if isNew {
      guard kind == .status || !report.payload.isEmpty else { return [] }
      unreported.insert(name)
    } else if !report.isRetained {
      // The retained state first, and then what came after it.
      changes += self.report(name, at: now, unless: .unknown)
    }
    var device = devices[name] ?? WatchedDevice(name: name)
    let before = device
    switch kind {
    case .status:
      unconfirmed.remove(name)
      device.receive(report, payloads, at: now)
    case .presence:
      device.receive(report.payload.count > Self.payloadLimit ? nil : PresenceReport(report.payload))
    }
    let news = note(&device, before, isRetained: report.isRetained, at: now)
    if news.isEmpty, device.isShownOtherwise(than: before), !unreported.contains(name) { detailed.insert(name) }
    return changes + keep(device, news)
  }

  /// - Returns: the changes, with the new state of the device.
  private mutating func keep(_ device: WatchedDevice, _ changes: [FleetChange]) -> [FleetChange] {
    // A status that was cleared leaves nothing to show.
    if device.isForgotten && !topics.devices.contains(device.name) {
      devices[device.name] = nil
      unreported.remove(device.name)
      detailed.remove(device.name)
      flapping.remove(device.name)
      return changes.map { change in
        var change = change
        change.isGone = true
        return change
      }
    }
    devices[device.name] = device
    if let expiry = device.expiresAt { deadline = min(deadline ?? expiry, expiry) }
    if let end = device.flapsUntil {
      flapping.insert(device.name)
      let after = end + Self.expiryStep
      deadline = min(deadline ?? after, after)
    }
    return changes
  }

  /// The retained messages are there: a status that did not come is no longer retained, and every device that was not
  /// reported yet is reported.
  mutating func settle(at now: Moment) -> [FleetChange] {
    var changes: [FleetChange] = []
    for name in unconfirmed.sorted() {
      guard let before = devices[name] else { continue }
      var device = before
      device.receive(Report(topic: "", payload: []), payloads, at: now)
      changes += keep(device, note(&device, before, isRetained: false, at: now))
    }
    unconfirmed = []
    return changes + unreported.sorted().flatMap { report($0, at: now) }
  }

  /// Time has passed: what has expired is not online any more.
  mutating func tick(at now: Moment) -> [FleetChange] {
    guard let due = deadline, now.instant >= due else { return [] }
    var changes: [FleetChange] = []
    var next: Instant?
    for (name, device) in devices {
      guard let expiry = device.expiresAt else { continue }
      guard now.instant >= expiry else {
        next = min(next ?? expiry, expiry)
        continue
      }
      var expired = device
      expired.expire(at: now)
      changes += note(&expired, device, isRetained: false, at: now)
      devices[name] = expired
    }
    for name in flapping {
      guard let end = devices[name]?.flapsUntil, end >= now.instant else {
        flapping.remove(name)
        detailed.insert(name)
        continue
      }
      next = min(next ?? end + Self.expiryStep, end + Self.expiryStep)
    }
    // Checking all of them for each one would be too much for a fleet that was lost as a whole.
    deadline = next.map { max($0, now.instant + Self.expiryStep) }
    return changes.sorted { $0.device.name < $1.device.name }
  }

  private mutating func report(
    _ name: String, at now: Moment, unless state: WatchedDevice.State? = nil
  ) -> [FleetChange] {
    guard unreported.contains(name), let device = devices[name], device.state != state else { return [] }
    unreported.remove(name)
    return [FleetChange(device: device, previous: nil, isInitial: true, isRetained: true, at: now)]
  }

  /// The change between two states of a device, for the readers.
  private mutating func note(
    _ device: inout WatchedDevice, _ before: WatchedDevice, isRetained: Bool, at now: Moment
  ) -> [FleetChange] {
    let isOther = device.state != before.state || device.isRestart(of: before)
    guard isOther || device.conflict != before.conflict else { return [] }
    if unreported.contains(device.name) {
      // Presence alone is not enough; a live status is news.
      guard !isRetained, device.state != .unknown else { return [] }
      unreported.remove(device.name)
      return [FleetChange(device: device, previous: nil, isInitial: false, isRetained: false, at: now)]
    }
    if isOther { device.changed(at: now.instant) }
    return [FleetChange(device: device, previous: before.state, isInitial: false, isRetained: isRetained, at: now)]
  }
}

/// A change that `limpet watch` shows.
struct FleetChange {
  /// As it is now.
  let device: WatchedDevice
  /// nil: the device is new.
  let previous: WatchedDevice.State?
  /// A retained message from the beginning, which is no news.
  let isInitial: Bool
  let isRetained: Bool
  let time: Timestamp
  let isFlapping: Bool
  /// No message of it is retained any more.
  var isGone = false

  init(
    device: WatchedDevice, previous: WatchedDevice.State?, isInitial: Bool, isRetained: Bool, at now: FleetView.Moment
  ) {
    self.device = device
    self.previous = previous
    self.isInitial = isInitial
    self.isRetained = isRetained
    time = now.time
    isFlapping = device.isFlapping(at: now.instant)
  }
}
