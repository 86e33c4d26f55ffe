import LimpetInstants

/// Holds what a subscriber sees of each device against what the device is: how long an end takes to be seen, and what is
/// wrong for longer than it may be.
///
/// A device that is connected and whose `online` the broker has acknowledged is online; one that has ended is offline;
/// in between nobody can say. While the subscriber itself is away nothing is judged.
struct StateWatch: Sendable {
  typealias Instant = BootClock.Instant

  enum Seen: Sendable { case nothing, online, offline, other }

  private enum Truth: Sendable { case unknown, online, offline }

  private struct Device: Sendable {
    var truth = Truth.unknown
    var seen = Seen.nothing
    var kind = Churn.Kind.stop
    /// Of this end, or of this mismatch.
    var isCounted = false
    var isMeasured = false
    var truthSince = Instant(nanoseconds: 0)
    var seenSince = Instant(nanoseconds: 0)
    /// How long the subscriber may see something else.
    var limit = Duration.zero
  }

  /// Something else than `online` may be seen of a device that is: an old will is put right after a second, and no more
  /// often than every 10 s.
  static let onlineLimit = Duration.seconds(20)

  private var devices: [Device]
  /// Since when the subscriber sees everything; nil: it does not.
  private var watchingSince: Instant?
  /// From the end of a connection to the `offline` that the subscriber sees, by how it ended.
  private(set) var latencies: [Churn.Kind: Percentiles] = [:]
  /// States that were wrong for longer than they may be.
  private(set) var wrong: UInt64 = 0
  /// Ends of which nothing can be said, since the subscriber lost its connection.
  private(set) var unjudged: UInt64 = 0
  /// How often the subscriber got another status than `online` of a device that is online; if that lasts, it is wrong.
  private(set) var corrected: UInt64 = 0

  init(count: Int) { devices = Array(repeating: Device(), count: count) }

  // MARK: What devices do

  mutating func isOnline(_ device: Int, at now: Instant) { begin(device, .online, at: now, limit: Self.onlineLimit) }

  /// It is neither online for sure nor offline.
  mutating func isUndecided(_ device: Int, at now: Instant) { begin(device, .unknown, at: now, limit: .zero) }

  /// The rehearsal ends before the subscriber has seen the end of this device.
  mutating func isGivenUp(_ device: Int, at now: Instant) {
    if !hasSettled(device) { unjudged += 1 }
    isUndecided(device, at: now)
  }

  /// - Parameter limit: within which the subscriber has to see it.
  mutating func ended(_ device: Int, by kind: Churn.Kind, at now: Instant, within limit: Duration) {
    guard watchingSince != nil else {
      unjudged += 1
      return isUndecided(device, at: now)
    }
    devices[device].kind = kind
    begin(device, .offline, at: now, limit: limit)
  }

  private mutating func begin(_ device: Int, _ truth: Truth, at now: Instant, limit: Duration) {
    devices[device].truth = truth
    devices[device].truthSince = now
    devices[device].limit = limit
    devices[device].isCounted = false
    devices[device].isMeasured = false
  }

  // MARK: What the subscriber does

  mutating func heard(_ device: Int, _ seen: Seen, at now: Instant) {
    guard devices.indices.contains(device) else { return }
    let isNew = devices[device].seen != seen
    if isNew { devices[device].seenSince = now }
    devices[device].seen = seen
    switch devices[device].truth {
    case .unknown: break
    case .online: if isNew, seen != .online { corrected += 1 }
    case .offline:
      guard seen == .offline, !devices[device].isMeasured else { return }
      devices[device].isMeasured = true
      let latency = max(.zero, devices[device].truthSince.duration(to: now))
      latencies[devices[device].kind, default: Percentiles()].add(latency)
    }
  }

  /// It sees everything from now on.
  mutating func watches(at now: Instant) { watchingSince = now }

  /// It sees nothing any more; what was to be seen may have been.
  mutating func watchesNoMore() {
    guard watchingSince != nil else { return }
    watchingSince = nil
    for device in devices.indices where devices[device].truth == .offline && !devices[device].isMeasured {
      devices[device].truth = .unknown
      unjudged += 1
    }
  }

  /// The end of a device was seen, or nobody waits for that any more.
  func hasSettled(_ device: Int) -> Bool {
    switch devices[device].truth {
    case .offline: devices[device].isMeasured || devices[device].isCounted
    case .online, .unknown: true
    }
  }

  /// Devices whose last word was not `offline`.
  var notOffline: Int { devices.count { $0.seen == .online || $0.seen == .other } }

  /// Looks at all of them.
  ///
  /// - Returns: those whose state has been wrong for too long, for the first time.
  mutating func sweep(at now: Instant) -> [Int] {
    guard let watchingSince else { return [] }
    var found: [Int] = []
    for index in devices.indices {
      let device = devices[index]
      let isWrong =
        switch device.truth {
        case .unknown: false
        case .online: device.seen != .online
        case .offline: device.seen == .online || device.seen == .other
        }
      guard isWrong, !device.isCounted else { continue }
      let since = max(device.truthSince, device.seenSince, watchingSince)
      guard since.duration(to: now) > device.limit else { continue }
      devices[index].isCounted = true
      wrong += 1
      found.append(index)
    }
    return found
  }
}
