import JSON
import LimpetInstants
import MQTTCore
import NIOCore

/// What the device has published of its presence to one broker.
struct PresenceWatch: Sendable {
  struct Topic: Sendable {
    let topic: TopicName
    /// The last status of the device's own that was accepted, its will included, says online.
    var isOnline = false
    var hasAmnesia = false
    /// A process that is gone said the last one, and could not store that it did; none has said it again.
    var isUnstored = false
    /// The broker did not take, or not keep, all of its messages, and has kept nothing since.
    var isIncomplete = false
    var lastForeign = WorldTime(nanoseconds: 0)
    /// Since when it says online and no will is there.
    var orphanSince: WorldTime?
  }

  var topics: [Topic] = (0..<3).map { Topic(topic: DeviceModel.statusTopic($0)) }
  /// The broker has lost something of it since the device said something there.
  var hasAmnesia: Bool {
    get { topics.contains(where: \.hasAmnesia) }
    set { for place in topics.indices { topics[place].hasAmnesia = newValue } }
  }
  var isIncomplete: Bool {
    get { topics.contains(where: \.isIncomplete) }
    set { for place in topics.indices { topics[place].isIncomplete = newValue } }
  }
  /// Faults that keep it from reading, at the moment.
  var stalls = 0
  var isStalled: Bool { stalls > 0 }
  var upSince: WorldTime? = WorldTime(nanoseconds: 0)
  var lastHeard = WorldTime(nanoseconds: 0)
  /// As it was published last.
  var detectWithin: Duration?
  /// Something has happened that may concern wills and what is retained.
  var isTouched = false
  /// The last connection on which the device has said something about itself.
  private var spoken: ConnectionID?

  var onlineTopic: TopicName? { topics.first { $0.isOnline && !$0.isIncomplete }?.topic }

  /// - Returns: false: it is not about presence.
  mutating func accepted(_ message: Message, by client: String, on id: ConnectionID?, at now: WorldTime) -> Bool {
    if message.topic == DeviceModel.presenceTopic {
      isTouched = true
      if let seconds = Self.detectWithin(message) { detectWithin = seconds }
      return true
    }
    guard let place = topics.firstIndex(where: { $0.topic == message.topic }) else { return false }
    isTouched = true
    lastHeard = now
    if client == DeviceModel.client {
      spoken = id
      topics[place].isOnline = message.payload == Self.online
      if message.retain { topics[place].isIncomplete = false }
      if topics[place].isOnline && message.retain {
        topics[place].hasAmnesia = false
        topics[place].isUnstored = false
      }
    } else {
      topics[place].lastForeign = now
    }
    return true
  }

  /// A process ends, and nothing of what it owes brokers is stored: what it had reloaded away from is nobody's. The topic
  /// that it had is the next one's too, for as long as that keeps it.
  mutating func forgetsOwed(besides own: TopicName) {
    for place in topics.indices {
      topics[place].isUnstored = topics[place].isUnstored || topics[place].isOnline
      if topics[place].topic != own { forget(place) }
    }
  }

  /// The device has this topic from now on: a process that said nothing on another one does not know who did.
  mutating func moves(to own: TopicName) {
    for place in topics.indices where topics[place].isUnstored && topics[place].topic != own { forget(place) }
  }

  private mutating func forget(_ place: Int) {
    topics[place].isOnline = false
    topics[place].hasAmnesia = true
    topics[place].isUnstored = false
  }

  static let online = ByteBuffer(string: "online")

  private static func detectWithin(_ message: Message) -> Duration? {
    guard let fields = JSONValue(parsing: message.payload.readableBytesView), let value = fields["detect_within"] else {
      return nil
    }
    if let whole = value.integer { return .seconds(Int64(whole)) }
    if case .number(let number) = value { return .milliseconds(Int64(number * 1000)) }
    return nil
  }

  mutating func connected(_ id: ConnectionID, will: Message?, at now: WorldTime) {
    isTouched = true
    lastHeard = now
  }

  /// Else it was there to have a session thrown away, and comes again at once.
  func hasSpoken(on id: ConnectionID) -> Bool { spoken == id }

  mutating func published(will message: Message, at now: WorldTime) {
    isTouched = true
    guard let place = topics.firstIndex(where: { $0.topic == message.topic }) else { return }
    if message.retain { topics[place].isOnline = false }
    topics[place].lastForeign = now
  }
}

extension World {
  mutating func checkWills() {
    let now = now
    for index in oracles.presence.indices where brokers[index].isRunning {
      for place in oracles.presence[index].topics.indices {
        let topic = oracles.presence[index].topics[place].topic
        guard oracles.presence[index].isTouched || oracles.presence[index].topics[place].orphanSince != nil else {
          continue
        }
        let isOnline = brokers[index].retainedMessage(topic, at: now)?.payload == PresenceWatch.online
        let will =
          brokers[index].armedWill(of: DeviceModel.client)
          ?? brokers[index].delayedWill(of: DeviceModel.client)?.message
        let isOrphan =
          isOnline && will?.topic != topic && !oracles.presence[index].topics[place].hasAmnesia
          && !oracles.presence[index].topics[place].isIncomplete && !oracles.hadTwin
        guard isOrphan else {
          oracles.presence[index].topics[place].orphanSince = nil
          continue
        }
        let since = oracles.presence[index].topics[place].orphanSince ?? now
        oracles.presence[index].topics[place].orphanSince = since
        // Who is connected there, or about to be, says what is right: after a back-off, which may be long.
        let begun = max(since, oracles.lastDisturbance, oracles.board.connectedSince ?? since)
        let wait = boards[0].isRunning && !boards[0].core.isConnected ? oracles.board.longestWait : .zero
        guard oracles.disturbances == 0, begun + wait + .seconds(15) < now else { continue }
        oracles.fail("I1b", "broker \(index) has \(topic) online, and no will for it", at: now)
      }
      oracles.presence[index].isTouched = false
    }
  }

  /// I1c: connected, the birth accepted, nothing has come between for long enough.
  mutating func checkOnline() {
    guard !oracles.hadTwin, oracles.board.isSettled, oracles.isCalm(for: oracles.noticing + .seconds(12), at: now),
      let since = oracles.board.connectedSince,
      max(since, oracles.lastStep) + .seconds(20) < now
    else { return }
    guard boards[0].core.birthAnswer == .acknowledged, !boards[0].core.isSayingFarewell,
      !boards[0].core.hasRestingTopics, let server = boards[0].core.server
    else { return }
    let index = oracles.device.index(of: server)
    guard brokers[index].isRunning, !boards[0].isAsleep,
      brokers[index].connection(of: DeviceModel.client) == oracles.board.birth?.connection,
      let place = oracles.presence[index].topics.firstIndex(where: { $0.topic == boards[0].core.spokenStatus }),
      !oracles.presence[index].topics[place].isIncomplete,
      oracles.presence[index].topics[place].lastForeign + .seconds(12) < now
    else { return }
    let message = brokers[index].retainedMessage(boards[0].core.spokenStatus, at: now)
    guard message?.payload == PresenceWatch.online else {
      let text = message.map { String(buffer: $0.payload) } ?? "nothing"
      return oracles.fail("I1c", "the device is online at broker \(index), where its status says \(text)", at: now)
    }
  }

  /// I1d: the device is gone, and the broker was there all the time.
  mutating func checkGone() {
    guard !oracles.hadTwin, let gone = oracles.board.goneSince else { return }
    for index in oracles.presence.indices {
      let watch = oracles.presence[index]
      guard let limit = watch.detectWithin, let up = watch.upSince, watch.stalls == 0,
        max(gone, up, watch.lastHeard) + limit + .seconds(1) < now
      else { continue }
      for topic in watch.topics where topic.isOnline && !topic.hasAmnesia && !topic.isIncomplete {
        guard brokers[index].retainedMessage(topic.topic, at: now)?.payload == PresenceWatch.online else {
          continue
        }
        oracles.fail("I1d", "the device is gone, and broker \(index) has \(topic.topic) online after \(limit)", at: now)
      }
    }
  }
}
