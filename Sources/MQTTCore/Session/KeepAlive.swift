import LimpetInstants

/// When a PINGREQ is due and when its answer is overdue (MQTT 5.0 §3.1.2.10).
///
/// States: quiet (no PINGREQ is out) until `interval` has passed since the last packet sent or since the last one
/// received, whichever is longer ago; then waiting for an answer, which anything received is: bytes, not only packets,
/// since a large one takes its time on a slow link. As long as bytes that the PINGREQ is behind leave, its answer cannot
/// be there: it has its time from the last of them. One that is not there after half an interval is a loss, so a dead
/// connection is found within one and a half.
///
/// A packet that takes long to come fills the way here. The answer comes behind the rest, and while TCP sends again what
/// was lost of that, nothing is received: two intervals without anything are a loss then. And what would say that a
/// PINGREQ was lost comes behind it, too: TCP sends that one again so late that the server, which waits for half an
/// interval, may have closed. So more of them go out meanwhile, whether or not they are answered.
struct KeepAlive: Sendable, Hashable {
  typealias Instant = BootClock.Instant

  /// PINGREQs in an interval, while a packet takes long to come.
  private static let pingsMidPacket: Int64 = 8

  /// In nanoseconds: what is asked at the end of each turn is no matter for 128 bits.
  private let interval: Int64
  private var lastSent: Instant
  private var lastReceived: Instant
  /// The first that has no answer, or when more of what it is behind arrived.
  private var pingSent: Instant?
  /// What was received last is part of a packet, whose first part came then.
  private var midPacketSince: Instant?

  enum Verdict: Hashable {
    case fine
    case sendPing
    case lost
  }

  init(interval: Duration, now: Instant) {
    self.interval = interval.wholeNanoseconds
    lastSent = now
    lastReceived = now
  }

  /// When `verdict` has to be asked for next.
  var deadline: Instant { min(pingDue ?? lossDue, lossDue) }

  /// When the next PINGREQ is; nil: not before there is an answer.
  private var pingDue: Instant? {
    let usual = Instant(nanoseconds: min(lastSent, lastReceived).nanoseconds + interval)
    guard let midPacketSince else { return pingSent == nil ? usual : nil }
    let early = Instant(nanoseconds: max(lastSent, midPacketSince).nanoseconds + interval / Self.pingsMidPacket)
    return pingSent == nil ? min(usual, early) : early
  }

  /// When there is a loss, if nothing is received.
  private var lossDue: Instant {
    guard let pingSent else { return Instant(nanoseconds: .max) }
    guard midPacketSince != nil else { return Instant(nanoseconds: pingSent.nanoseconds + interval / 2) }
    return Instant(nanoseconds: max(pingSent.nanoseconds + interval, lastReceived.nanoseconds + 2 * interval))
  }

  mutating func sent(at now: Instant) { lastSent = now }

  mutating func received(at now: Instant, isPart: Bool = false) {
    lastReceived = now
    pingSent = nil
    midPacketSince = isPart ? midPacketSince ?? now : nil
  }

  /// More of what the PINGREQ is behind has arrived.
  mutating func taken(at now: Instant) { if pingSent != nil { pingSent = now } }

  mutating func verdict(at now: Instant) -> Verdict {
    if now >= lossDue { return .lost }
    guard let pingDue, now >= pingDue else { return .fine }
    if pingSent == nil { pingSent = now }
    return .sendPing
  }
}
