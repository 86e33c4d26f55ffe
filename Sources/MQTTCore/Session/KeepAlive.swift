import LimpetInstants

/// When a PINGREQ is due and when its answer is overdue (MQTT 5.0 §3.1.2.10).
///
/// States: quiet (no PINGREQ is out) until `interval` has passed since the last packet sent or since the last one
/// received, whichever is longer ago; then waiting for an answer, which anything received is: bytes, not only packets,
/// since a large one takes its time on a slow link. As long as bytes that the PINGREQ is behind leave, its answer cannot
/// be there: it has its time from the last of them. One that is not there after half an interval is a loss, so a dead
/// connection is found within one and a half. In the middle of a packet the answer has a whole interval: it comes behind
/// the rest, and while TCP sends again what was lost of that, nothing is received.
struct KeepAlive: Sendable, Hashable {
  typealias Instant = BootClock.Instant

  /// In nanoseconds: what is asked at the end of each turn is no matter for 128 bits.
  private let interval: Int64
  private var lastSent: Instant
  private var lastReceived: Instant
  private var pingSent: Instant?
  /// What was received last is part of a packet.
  private var isMidPacket = false

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
  var deadline: Instant {
    guard let pingSent else { return Instant(nanoseconds: min(lastSent, lastReceived).nanoseconds + interval) }
    return Instant(nanoseconds: pingSent.nanoseconds + (isMidPacket ? interval : interval / 2))
  }

  mutating func sent(at now: Instant) { lastSent = now }

  mutating func received(at now: Instant, isPart: Bool = false) {
    lastReceived = now
    pingSent = nil
    isMidPacket = isPart
  }

  /// More of what the PINGREQ is behind has arrived.
  mutating func taken(at now: Instant) { if pingSent != nil { pingSent = now } }

  mutating func verdict(at now: Instant) -> Verdict {
    guard now >= deadline else { return .fine }
    guard pingSent == nil else { return .lost }
    pingSent = now
    return .sendPing
  }
}
