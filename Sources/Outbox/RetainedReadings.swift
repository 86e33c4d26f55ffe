import DequeModule
import LimpetInstants
import MQTTCore
import Readings

/// The newest reading that the broker retains of each stream, as it was sent: a broker that has lost what it retained
/// gets it again.
///
/// The same message goes out, byte for byte, with its old `time` and `seq` (only the message expiry is reduced): a
/// subscriber that has it already sees the duplicate by its `seq`. It goes after the birth and before the backlog, at a
/// bounded rate. A stream with a newer reading that waits or is under way needs none. Readings of an earlier process
/// are not known here.
package struct RetainedReadings {
  package typealias Instant = BootClock.Instant

  fileprivate struct Sent {
    let stream: StreamID
    let message: Message
    let time: Instant
  }

  /// Connections that may end with the same one under way.
  package static let attempts = 3

  /// Acknowledged readings, by stream.
  private var kept: [StreamID: (token: Session.Token, sent: Sent)] = [:]
  /// Readings on their way to the broker for the first time; the session repeats them if needed.
  private var firsts: [Session.Token: Sent] = [:]
  /// Streams whose reading is to be sent again, in their order.
  private var waiting: Deque<StreamID> = []
  private var underWay: Set<StreamID> = []
  /// Streams whose topic rests: their reading goes when the topic is tried again.
  private var resting: Set<StreamID> = []
  private var losses: [StreamID: Int] = [:]
  private var budget: DrainBudget
  /// Sent again and acknowledged; refused, or given up.
  package private(set) var restored: UInt64 = 0
  package private(set) var failed: UInt64 = 0

  /// - Parameter rate: how many a second.
  package init(rate: Int, at now: Instant) { budget = DrainBudget(rate: rate, at: now) }

  /// Whether a reading is to be sent again.
  package var hasNext: Bool { !waiting.isEmpty }
  package var count: Int { waiting.count + underWay.count }

  // MARK: Readings

  /// A retained reading was handed to the session.
  package mutating func sent(_ message: Message, of stream: StreamID, _ token: Session.Token, at now: Instant) {
    firsts[token] = Sent(stream: stream, message: message, time: now)
  }

  /// The course of a reading is over.
  package mutating func settled(_ token: Session.Token, isDelivered: Bool) {
    // Most streams are not retained.
    guard !firsts.isEmpty, let sent = firsts.removeValue(forKey: token), isDelivered else { return }
    // Answers may come in another order.
    guard token > kept[sent.stream]?.token ?? 0 else { return }
    kept[sent.stream] = (token, sent)
  }

  /// Another configuration: forgets readings that are no longer retained under their topic, since they may be old when
  /// they are again.
  package mutating func keep(_ isRetained: (StreamID, TopicName) -> Bool) {
    kept = kept.filter { isRetained($0.key, $0.value.sent.message.topic) }
    firsts = firsts.filter { isRetained($0.value.stream, $0.value.message.topic) }
  }

  // MARK: A broker that has lost them

  /// - Parameter isNew: the broker had no session for this connection, so it may have lost everything.
  package mutating func connected(isNew: Bool, at now: Instant) {
    budget.restart(at: now)
    if isNew {
      losses = [:]
      resting = []
      waiting = Deque(kept.keys.sorted())
    }
  }

  /// The connection ended: a reading under way is sent on the next one.
  package mutating func disconnected() {
    for stream in underWay.sorted(by: >) {
      losses[stream, default: 0] += 1
      if losses[stream, default: 0] < Self.attempts { waiting.prepend(stream) } else { failed += 1 }
    }
    underWay = []
  }

  /// The next to be sent again; `restored` follows.
  ///
  /// - Parameters:
  ///   - isResting: the broker refuses readings of the stream.
  ///   - isWanted: the stream still has this topic, and nothing of it waits.
  package mutating func next(
    at now: Instant, isResting: (StreamID) -> Bool = { _ in false }, _ isWanted: (StreamID, TopicName) -> Bool
  ) -> (stream: StreamID, message: Message)? {
    while let stream = waiting.first {
      if isResting(stream) {
        waiting.removeFirst()
        resting.insert(stream)
        continue
      }
      guard let sent = kept[stream]?.sent, isWanted(stream, sent.message.topic),
        !firsts.values.contains(where: { $0.stream == stream }), let message = sent.again(at: now)
      else {
        waiting.removeFirst()
        continue
      }
      guard budget.allows(at: now) else { return nil }
      budget.spend()
      waiting.removeFirst()
      underWay.insert(stream)
      return (stream, message)
    }
    return nil
  }

  /// When `next` has more, though nothing else happens.
  package func deadline(at now: Instant) -> Instant? { waiting.isEmpty ? nil : budget.next(at: now) }

  /// The session had no room for it.
  package mutating func giveBack(_ stream: StreamID) {
    guard underWay.remove(stream) != nil else { return }
    waiting.prepend(stream)
  }

  /// The topic of the stream is tried again.
  package mutating func tryOut(_ stream: StreamID) {
    if resting.remove(stream) != nil { waiting.append(stream) }
  }

  /// The broker has answered.
  ///
  /// - Parameter rests: it refuses messages on the stream's topic.
  package mutating func restored(_ stream: StreamID, isDelivered: Bool, rests: Bool = false) {
    guard underWay.remove(stream) != nil else { return }
    losses[stream] = nil
    if rests { resting.insert(stream) }
    if isDelivered { restored += 1 } else { failed += 1 }
  }
}

extension RetainedReadings.Sent {
  /// The message as it goes out again; nil: it has expired.
  fileprivate func again(at now: BootClock.Instant) -> Message? {
    guard let interval = message.properties.messageExpiryInterval else { return message }
    let passed = time.duration(to: now).components.seconds
    guard passed < Int64(interval) else { return nil }
    var message = message
    message.properties.messageExpiryInterval = UInt32(Int64(interval) - max(0, passed))
    return message
  }
}
