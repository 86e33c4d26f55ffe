import LimpetInstants
import MQTTCore
import NIOCore

/// I3b, as far as the device itself has said how long it waits: no attempt at a connection comes before its time unless
/// something has happened that ends the wait, and a message that a broker had no place for rests a second at least.
struct WaitsWatch: Sendable {
  /// A crystal that is too fast by 200 parts in a million, and a turn that is looked at late, are no haste.
  private static let tolerance: Int64 = 1000

  private var earliest: WorldTime?
  /// Attempts since the device said when the next one would be: a session thrown away, another version.
  private var owed = 0
  private var wokenUntil = WorldTime(nanoseconds: 0)
  private var returnedAt: WorldTime?
  /// A twin makes a session that is not known here again and again.
  var hasRival = false
  private var denials: [(identifier: PacketIdentifier, message: Message)] = []
  private var held: [(message: Message, time: WorldTime)] = []

  // MARK: Attempts

  mutating func lost(retryAfter delay: Duration, at now: WorldTime) {
    owed = 0
    earliest = now + delay - .nanoseconds(delay.wholeNanoseconds / Self.tolerance)
  }

  /// The network, the clock, the operator or another connection says that waiting is no use any more.
  mutating func wakes() {
    earliest = nil
    owed = 0
  }

  /// The same, as the network and the clock say it: the core looks at that when it has become quiet, with a jitter.
  mutating func wakes(at now: WorldTime) {
    wakes()
    wokenUntil = now + .seconds(3)
  }

  /// It leaves a broker for the first of its list, which had to be reachable for a while.
  ///
  /// - Parameter patience: how long, as configured.
  mutating func returns(after patience: Duration, at now: WorldTime) -> String? {
    defer { returnedAt = now }
    wakes()
    guard let returnedAt else { return nil }
    let since = returnedAt.duration(to: now)
    return since < patience - patience / 1000 ? "it returns to the first broker again after \(since)" : nil
  }

  func isEarly(at now: WorldTime) -> String? {
    if let earliest, now < earliest, now > wokenUntil {
      return "an attempt comes \(now.duration(to: earliest)) before its time"
    }
    return owed > 4 && !hasRival ? "\(owed) attempts without a wait between them" : nil
  }

  mutating func opens() {
    earliest = nil
    owed += 1
  }

  // MARK: Messages

  mutating func begins() {
    denials = []
    held = []
  }

  /// The answer that the broker has given: "not now".
  mutating func denied(_ publish: Publish, _ answer: Denial.Answer) {
    guard case .code(let code) = answer, [0x80, 0x83, 0x97].contains(code.rawValue),
      let identifier = publish.packetIdentifier, publish.message.payload.readableBytes > 0
    else { return }
    denials.append((identifier, publish.message))
  }

  /// The device has read it.
  mutating func refused(_ answer: Acknowledgement, at now: WorldTime) {
    guard let place = denials.firstIndex(where: { $0.identifier == answer.packetIdentifier }) else { return }
    let message = denials.remove(at: place).message
    // A PUBACK of 3.1.1 has no code.
    if answer.reasonCode.isError { held.append((message, now)) }
  }

  mutating func isRepeated(_ publish: Publish, at now: WorldTime) -> String? {
    guard !held.isEmpty else { return nil }
    held.removeAll { $0.time + .milliseconds(999) < now }
    let message = publish.message
    guard let last = held.first(where: { $0.message.topic == message.topic && $0.message.payload == message.payload })
    else { return nil }
    return "\(message.topic) had no place, and is sent again after \(last.time.duration(to: now))"
  }
}
