import Core
import LimpetInstants
import MQTTCore
import Plan
import Presence
import Records

/// What the first board asks for, and what its core says of itself.
struct BoardWatch: Sendable {
  /// Of the connection that there is.
  struct Birth: Sendable {
    let connection: ConnectionID
    var identifier: PacketIdentifier?
    var isAcknowledged = false
    /// The device has said DISCONNECT.
    var isClosing = false
    var subscriptions: [(filter: String, time: WorldTime)] = []

    init(connection: ConnectionID) { self.connection = connection }
  }

  var device: DeviceModel
  var birth: Birth?
  var connectedSince: WorldTime?
  /// This process has been.
  private(set) var hasConnected = false
  var goneSince: WorldTime?
  var askedToEnd: WorldTime?
  var longestWait = Duration.zero
  /// Since when CONNECT is owed.
  var connectOwedSince: WorldTime?
  var rebases = true
  var lostBefore: UInt64 = 0
  /// Of this connection: what the broker has denied, and topics that rest for it.
  private var denials: [(identifier: PacketIdentifier, topic: TopicName)] = []
  private var refusals: [(topic: TopicName, time: WorldTime, lastAnswer: Int)] = []
  private var isRunning = false
  private var hasFailedForClock = false
  private var retryOwedSince: WorldTime?
  private var base: UInt64 = 0
  private var opened: [WorldTime] = []
  private(set) var lastOpening: WorldTime?
  var waits = WaitsWatch()
  private var request: (ticket: StoreTicket, time: WorldTime, request: StoreRequest)?
  private var failed: (time: WorldTime, request: StoreRequest)?
  private var failures: [WorldTime] = []
  /// Of the store.
  private var answers = 0
  /// CONNECTs of this process since the last that was accepted.
  private var unanswered = 0

  init(_ device: DeviceModel) { self.device = device }

  /// It runs, is not about to end, and its last connection is there.
  var isSettled: Bool { isRunning && askedToEnd == nil && connectedSince != nil }

  mutating func begins(_ board: Board, at now: WorldTime) {
    isRunning = true
    device = board.device
    goneSince = nil
    askedToEnd = nil
    birth = nil
    connectedSince = nil
    hasConnected = false
    unanswered = 0
    connectOwedSince = now
    longestWait = .zero
    rebases = true
    let hasRival = waits.hasRival
    waits = WaitsWatch()
    waits.hasRival = hasRival
    retryOwedSince = nil
    hasFailedForClock = false
    request = nil
    failed = nil
  }

  mutating func ends(at now: WorldTime) {
    isRunning = false
    goneSince = now
    connectedSince = nil
    connectOwedSince = nil
    retryOwedSince = nil
    request = nil
    askedToEnd = nil
  }

  mutating func connects(at now: WorldTime) { connectOwedSince = isRunning ? now : nil }

  // MARK: I3b

  mutating func failed(_ why: Reachability) { hasFailedForClock = why == .certificateNotYetValid }

  mutating func clockIsRight(at now: WorldTime) {
    if isRunning, askedToEnd == nil, hasFailedForClock { retryOwedSince = now }
  }

  /// A11: an attempt that failed for the clock alone is made again when that is set, after a jitter of up to a second.
  func isRetryLate(at now: WorldTime) -> Bool {
    askedToEnd == nil && retryOwedSince.map { $0 + .milliseconds(1500) < now } ?? false
  }

  mutating func opens(at now: WorldTime) -> String? {
    retryOwedSince = nil
    hasFailedForClock = false
    lastOpening = now
    defer { waits.opens() }
    // A stop asks once more, whatever the time.
    if askedToEnd == nil, let text = waits.isEarly(at: now) { return text }
    opened.removeAll { $0 + .seconds(10) < now }
    opened.append(now)
    // Full jitter: the first of a row may follow at once.
    // Servers that are tried in turn share a round.
    return opened.count > 20 + 10 * (device.servers.count - 1)
      ? "\(opened.count) attempts at a connection in 10 s" : nil
  }

  /// The broker will not have messages to this topic: its answer says so.
  mutating func denied(_ publish: Publish, _ answer: Denial.Answer, on id: ConnectionID) {
    // A message that is repeated for a new subscriber, and a birth, say the same in other messages.
    if birth?.connection == id, !device.automation.hasHomeAssistant, !DeviceModel.isPresence(publish.message.topic) {
      waits.denied(publish, answer)
    }
    guard birth?.connection == id, case .code(.notAuthorized) = answer, let identifier = publish.packetIdentifier,
      publish.message.payload.readableBytes > 0, !DeviceModel.isPresence(publish.message.topic)
    else { return }
    denials.append((identifier, publish.message.topic))
  }

  /// The device has read that answer.
  mutating func refused(_ answer: Acknowledgement, on id: ConnectionID, at now: WorldTime) {
    if birth?.connection == id { waits.refused(answer, at: now) }
    guard !denials.isEmpty, birth?.connection == id,
      let place = denials.firstIndex(where: { $0.identifier == answer.packetIdentifier })
    else { return }
    let topic = denials.remove(at: place).topic
    guard answer.reasonCode.isError, !refusals.contains(where: { $0.topic == topic }) else { return }
    // What was handed to the session by then goes with the next request, at QoS 2, or with the one behind it.
    refusals.append((topic, now, answers + (request == nil ? 1 : 2)))
  }

  /// Commands that were not wanted may be so again.
  mutating func reloads() { birth?.subscriptions.removeAll { $0.filter.hasSuffix("/set") } }

  /// - Returns: CONNECTs before it were not answered.
  mutating func connected(_ answer: ConnAck) -> Bool {
    guard answer.reasonCode == .success else {
      unanswered = max(0, unanswered - 1)
      return false
    }
    defer { unanswered = 0 }
    return unanswered > 1
  }

  mutating func connects(on id: ConnectionID) {
    unanswered += 1
    birth = Birth(connection: id)
    waits.begins()
    denials = []
    refusals = []
  }

  private mutating func againRefused(_ publish: Publish, at now: WorldTime) -> String? {
    guard publish.message.payload.readableBytes > 0 else { return nil }
    refusals.removeAll { $0.time + .seconds(30) < now }
    guard let last = refusals.first(where: { $0.topic == publish.message.topic }) else { return nil }
    if publish.message.qos == .exactlyOnce, device.sync >= 0, answers <= last.lastAnswer { return nil }
    return "\(last.topic) was refused, and is tried again after \(last.time.duration(to: now))"
  }

  mutating func publishes(_ publish: Publish, on id: ConnectionID, at now: WorldTime) -> String? {
    if !refusals.isEmpty, birth?.connection == id, let text = againRefused(publish, at: now) { return text }
    if birth?.connection == id, let text = waits.isRepeated(publish, at: now) { return text }
    guard publish.message.topic == DeviceModel.statusTopic(device.topic),
      publish.message.payload == PresenceWatch.online, birth?.connection == id
    else { return nil }
    birth?.identifier = publish.packetIdentifier
    // At QoS 0 that is all there is.
    birth?.isAcknowledged = publish.message.qos == .atMostOnce
    return nil
  }

  mutating func subscribes(_ subscribe: Subscribe, on id: ConnectionID, at now: WorldTime) -> String? {
    guard birth?.connection == id else { return nil }
    for subscription in subscribe.subscriptions {
      let filter = "\(subscription.filter)"
      if let last = birth?.subscriptions.last(where: { $0.filter == filter }), last.time + .seconds(1) > now {
        return "\(filter) is subscribed to again after \(last.time.duration(to: now))"
      }
      birth?.subscriptions.append((filter, now))
    }
    return nil
  }

  mutating func asks(_ ticket: StoreTicket, _ request: StoreRequest, at now: WorldTime) -> String? {
    defer { self.request = (ticket, now, request) }
    if self.request != nil { return "a request to the store follows before the one before is answered" }
    // At the end one more try is better than none.
    if let failed, failed.request == request, askedToEnd == nil, failed.time + shortestRetry > now.advanced {
      return "the same request to the store follows \(failed.time.duration(to: now)) after it failed"
    }
    return failures.count > 20 ? "\(failures.count) requests to the store failed in 10 s" : nil
  }

  mutating func stored(_ ticket: StoreTicket, _ result: Result<StoreAnswer, StorageError>, at now: WorldTime) {
    guard let asked = request, asked.ticket == ticket else { return }
    request = nil
    answers += 1
    failures.removeAll { $0 + .seconds(10) < now }
    guard case .failure = result else {
      // A file that was opened anew has refused nothing.
      if case .reopen = asked.request { failed = nil }
      // Nor has one that has taken something since: what is to be stored again is so for another reason.
      if case .write = asked.request { failed = nil }
      return
    }
    failed = (now, asked.request)
    failures.append(now)
  }

  // MARK: I6

  mutating func answered(_ answer: Acknowledgement, on id: ConnectionID) {
    guard birth?.connection == id, birth?.identifier == answer.packetIdentifier else { return }
    birth?.identifier = nil
    birth?.isAcknowledged = !answer.reasonCode.isError
  }

  // MARK: After a turn

  mutating func turned(_ core: Core.Promises, hasEvents: Bool, _ moment: Moment, at now: WorldTime) -> Failure? {
    if core.isConnected {
      if connectedSince == nil { connectedSince = now }
      hasConnected = true
      connectOwedSince = nil
    } else {
      if connectedSince != nil || connectOwedSince == nil { connectOwedSince = now }
      connectedSince = nil
    }
    return checkBalance(core) ?? checkDeadlines(core, hasEvents: hasEvents, moment, at: now) ?? checkBirth(core)
      ?? checkBytes(core)
  }

  /// A second of a crystal that is too fast.
  private var shortestRetry: Duration { device.automation.drift != 0 ? .milliseconds(999) : .seconds(1) }

  private mutating func checkBalance(_ core: Core.Promises) -> Failure? {
    let balance = core.balance
    let difference = balance.accounted &- balance.numbered
    if rebases {
      base = difference
      rebases = false
    }
    guard difference != base else { return nil }
    return Failure(
      "I2a", "\(balance.numbered) readings are numbered, and \(balance.accounted &- base) are accounted for")
  }

  /// I3c: what is asked for has a deadline.
  private func checkDeadlines(_ core: Core.Promises, hasEvents: Bool, _ moment: Moment, at now: WorldTime) -> Failure? {
    let deadline = core.deadline.map { moment.boot.duration(to: $0) }
    if let request, request.time + shortestRetry * 2 > now, deadline.map({ $0 > .milliseconds(2300) }) ?? true {
      return Failure("I3c", "the store is asked for something, and nobody looks after 2 s")
    }
    // An event that the shell is about to bring needs no deadline.
    guard !hasEvents else { return nil }
    if !core.isConnected, !core.isLeaving, deadline.map({ $0 > max(.seconds(150), longestWait) }) ?? true {
      return Failure("I3c", "there is no connection, and nothing is due for \(deadline.map { "\($0)" } ?? "ever")")
    }
    if core.isConnected, !core.isCut, deadline.map({ $0 > .seconds(Int64(device.keepAlive) * 2) }) ?? true {
      return Failure(
        "I3c",
        "connected, and it is far to what is due: \(core.deadline.map { "\(moment.boot.duration(to: $0))" } ?? "never")"
      )
    }
    return nil
  }

  private func checkBirth(_ core: Core.Promises) -> Failure? {
    guard let birth else { return nil }
    if core.birthAnswer == .acknowledged && core.isConnected && !birth.isAcknowledged && birth.identifier == nil {
      return Failure("I6", "online is said to be acknowledged, and it is not")
    }
    if core.birthAnswer != .acknowledged && core.isConnected && birth.isAcknowledged && !core.isSayingFarewell
      && !core.isLeaving
    {
      return Failure("I6", "online is acknowledged, and not said to be")
    }
    return nil
  }

  private func checkBytes(_ core: Core.Promises) -> Failure? {
    let bytes = core.waitingBytes
    // The newest always has a place.
    let most = max(bytes.now, core.unnumberedBytes)
    guard most > bytes.limit + 4096 else { return nil }
    return Failure("I7", "\(most) bytes of readings wait, and \(bytes.limit) may")
  }
}

extension WorldTime {
  /// A moment more: what comes exactly a second later is a second apart.
  fileprivate var advanced: WorldTime { self + .nanoseconds(1) }
}
