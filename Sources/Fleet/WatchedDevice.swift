import LimpetInstants

/// One device of a fleet, as its status and presence topics show it.
struct WatchedDevice: Sendable {
  typealias Instant = BootClock.Instant

  enum State: Sendable, Equatable {
    /// Nothing is retained on its status topic.
    case unknown
    case online, offline
    /// It was online, and that has expired: it is lost, and so is whoever should have said so.
    case expired
    /// The payload is neither of the two: as it came, so whoever shows it escapes it.
    case other(String)
  }

  /// How it went offline.
  enum Ending: String, Sendable {
    /// It said so itself.
    case clean
    /// The broker's will said so, or nobody.
    case lost
  }

  let name: String
  private(set) var state = State.unknown
  /// The payload of another state is longer than what is kept of it.
  private(set) var isPayloadCut = false
  /// When the state began, as the device says or as it was seen; nil where the broker kept it and nobody says.
  private(set) var since: Timestamp?
  /// As it came, like everything that the device says of itself: whoever shows it escapes it.
  private(set) var reason: String?
  private(set) var ending: Ending?
  /// Two agents use this name: what the device says of the other.
  private(set) var conflict: String?
  private(set) var epoch: UInt64?
  private(set) var instance: String?
  /// What it is called for people.
  var title: String? { presence?.name }
  /// When `online` stops being true by itself.
  private(set) var expiresAt: Instant?

  /// What the status message itself said.
  private struct Status {
    var seen: Timestamp?
    var reason: String?
    var epoch: UInt64?
    var instance: String?
  }
  private var status = Status()
  private var presence: PresenceReport?
  /// The last changes, the oldest first; one more than what is not yet flapping.
  private var changes: [Instant] = []

  init(name: String) { self.name = name }

  /// Neither topic says anything.
  var isForgotten: Bool { state == .unknown && presence == nil }

  mutating func receive(_ report: FleetView.Report, _ payloads: FleetView.Payloads, at now: FleetView.Moment) {
    let state = Self.state(of: report.payload, payloads)
    let isRepetition = state == self.state && report.epoch == status.epoch && report.instance == status.instance
    // On 3.1.1 nothing else shows that the presence so far is of an earlier connection; the new one follows.
    if state == .online, ![.online, .unknown].contains(self.state), report.epoch == nil { presence = nil }
    self.state = state
    isPayloadCut = false
    if case .other = state { isPayloadCut = report.payload.count > FleetView.payloadLimit }
    status = Status(
      seen: isRepetition ? status.seen : report.isRetained ? nil : now.time,
      reason: report.reason, epoch: report.epoch, instance: report.instance)
    // A status that was taken away takes with it what described it.
    if state == .unknown { presence = nil }
    expiresAt = state == .online ? report.expiry.map { now.instant + $0 } : nil
    describe()
  }

  /// - Parameter report: nil where it was taken away, or is none.
  mutating func receive(_ report: PresenceReport?) {
    presence = report
    describe()
  }

  mutating func expire(at now: FleetView.Moment) {
    state = .expired
    expiresAt = nil
    status.seen = now.time
    describe()
  }

  /// A process that took the place of another, without an offline in between.
  func isRestart(of before: WatchedDevice) -> Bool {
    guard state == .online, before.state == .online, let instance, let earlier = before.instance else { return false }
    return instance != earlier
  }

  mutating func changed(at now: Instant) {
    changes = changes.suffix(FleetView.flapping.changes) + [now]
  }

  func isFlapping(at now: Instant) -> Bool { flapsUntil.map { now <= $0 } ?? false }

  /// Until when it flaps, should nothing else happen.
  var flapsUntil: Instant? {
    guard changes.count > FleetView.flapping.changes, let first = changes.first else { return nil }
    return first + FleetView.flapping.within
  }

  /// What people see of it is something else.
  func isShownOtherwise(than other: WatchedDevice) -> Bool {
    since != other.since || reason != other.reason || ending != other.ending || epoch != other.epoch
      || instance != other.instance || title != other.title
  }

  private static func state(of payload: [UInt8], _ payloads: FleetView.Payloads) -> State {
    if payload.elementsEqual(payloads.online.utf8) { return .online }
    if payload.elementsEqual(payloads.offline.utf8) { return .offline }
    return payload.isEmpty ? .unknown : .other(String(decoding: payload.prefix(FleetView.payloadLimit), as: UTF8.self))
  }

  /// Puts together what both topics say. The presence message counts where it is of the same connection: the will
  /// covers the status alone, so after a loss it still describes the birth.
  private mutating func describe() {
    var matching = presence
    if let one = status.epoch, let other = presence?.epoch, one != other { matching = nil }
    let isBirth = matching?.event == .birth
    conflict = state == .online ? matching?.conflict : nil
    epoch = status.epoch ?? matching?.epoch
    switch state {
    case .online:
      instance = status.instance ?? (isBirth ? matching?.instance : nil)
      since = isBirth ? matching?.since ?? status.seen : status.seen
      reason = status.reason ?? (isBirth ? matching?.reason : nil)
      ending = nil
    case .offline:
      instance = status.instance ?? matching?.instance
      switch (status.reason, matching?.event) {
      case ("lost", _), (nil, .birth): ending = .lost
      case (.some, _), (nil, .stop): ending = .clean
      case (nil, nil): ending = nil
      }
      since = ending == .clean && matching?.event == .stop ? matching?.since ?? status.seen : status.seen
      reason = status.reason ?? (isBirth ? "lost" : matching?.reason)
    case .expired:
      since = status.seen
      reason = "expired"
      ending = .lost
    case .unknown, .other:
      instance = status.instance
      since = state == .unknown ? nil : status.seen
      reason = status.reason
      ending = nil
    }
  }
}
