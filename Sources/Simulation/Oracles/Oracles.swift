import Core
import LimpetInstants
import MQTTCore
import Plan
import Records

/// The invariants, checked while a world goes on: each gets the events it needs, and reports the first thing that is
/// wrong.
///
/// Promises are those of the first board. Where somebody else may use its identity, what only its owner can keep is not
/// asked for.
struct Oracles: Sendable {
  private var found: Failure?
  let device: DeviceModel
  let lasting: Lasting
  var presence: [PresenceWatch]
  var board: BoardWatch
  var readings: ReadingsWatch
  var sessions: SessionWatch
  var outputs = OutputWatch()
  var retained: RetainedWatch
  /// When something happened last that may keep a device from being online, or its status from being right.
  var lastDisturbance = WorldTime(nanoseconds: 0)
  /// So many of those last at the moment.
  var disturbances = 0
  /// Of another kind each: what was wrong with the store, what a broker has lost.
  var hadTwin = false
  var hadStoreTrouble = false
  var hasLostSessions = false
  /// The device has been at another broker, which knows nothing of what this one has.
  var hasMoved = false
  var hasHidden = false
  /// A broker has not let the device subscribe, and it may do without on the connection that there is.
  var hasSubscribingTrouble = false
  /// A broker has taken readings of the device without a word of whether it has them.
  var hasSentUnheard = false
  /// When something was wrong with the store last.
  var lastStoreTrouble: WorldTime?
  /// The same as of disturbances, of what an operator does not do.
  var faults = 0
  var lastFault = WorldTime(nanoseconds: 0)
  var stopping: Stopping?
  /// By the first board's clock no certificate is valid.
  private var hasEarlyClock = false
  private var lastBroker: Int?
  private var oldConnections: Set<ConnectionID> = []
  /// Brokers that were stopped last so that they forget.
  private var forgetting: Set<Int> = []
  var healedAt: WorldTime?
  var backlogAtHealing = 0
  /// When the first board woke up last.
  var lastSleep = WorldTime(nanoseconds: 0)
  /// When the clock of a broker that is on the board's machine was set last.
  var lastStep = WorldTime(nanoseconds: 0)

  init(_ device: DeviceModel, _ lasting: Lasting) {
    self.device = device
    self.lasting = lasting
    hasSubscribingTrouble = lasting == .deniesSubscriptions || lasting.closes
    presence = (0..<device.brokerCount).map { _ in PresenceWatch() }
    board = BoardWatch(device)
    readings = ReadingsWatch(device)
    sessions = SessionWatch(device)
    retained = RetainedWatch(device)
    if lasting == .keepsNothing || lasting == .deniesStatus {
      for index in presence.indices { presence[index].isIncomplete = true }
    }
  }

  /// The first thing that is wrong.
  var failure: Failure? { found ?? outputs.failure }

  mutating func fail(_ oracle: String, _ message: String, at now: WorldTime) {
    if found == nil { found = Failure(oracle, "\(message) (at \(now.inSeconds))") }
  }

  /// More is measured than a window takes in its round trips.
  func isOverloaded(_ script: Script, _ granted: UInt16?) -> Bool {
    Int64(device.sensors) * 2000 > device.interval.wholeNanoseconds / 1_000_000 * Int64(drainRate(script, granted))
  }

  /// Readings a second, as far as the window and the way there allow.
  /// - Parameter granted: the Receive Maximum of the connection there is: it stays, whatever the next one will have.
  func drainRate(_ script: Script, _ granted: UInt16?) -> Int {
    let most = min(script.setting("receive-maximum") ?? 20, Int64(granted ?? .max))
    let window = min(Int64(device.window), max(1, most - 1))
    let trip = (script.setting("delay") ?? 5) * 4 * (device.qos == .exactlyOnce ? 2 : 1) + 20
    return min(device.drainRate, Int(1000 * window / trip)) / 2
  }

  func forgets(_ broker: Int) -> Bool { forgetting.contains(broker) }

  // MARK: What a script does

  /// Nothing has been wrong on the way to brokers for so long.
  func isReachable(since duration: Duration, at now: WorldTime) -> Bool { faults == 0 && lastFault + duration < now }

  mutating func changes(_ action: Action, at now: WorldTime) {
    let broker = Int(action.target) % device.brokerCount
    retained.begins(action, broker: broker)
    if action.kind.disturbs {
      lastDisturbance = max(lastDisturbance, now)
      if action.kind.lasts { disturbances += 1 }
    }
    if action.kind.isFault {
      lastFault = now
      if action.kind.lasts { faults += 1 }
    }
    if action.kind.isOfStore {
      hadStoreTrouble = true
      lastStoreTrouble = now
    }
    switch action.kind {
    case .twin:
      hadTwin = true
      board.waits.hasRival = true
    case .rollback, .loseSession: hasLostSessions = true
    default: break
    }
    // Held and sent again, behind what came meanwhile.
    if action.kind == .denyByCode || action.kind == .denyByCodeAndClose, [0x80, 0x83, 0x97].contains(action.value) {
      readings.mayOvertake = true
    }
    switch action.kind {
    case .storeEmptied, .storeCorrupt:
      readings.mayBeginAnew = true
      if board.goneSince != nil { forgetOwed(besides: board.device) }
    case .killForgetting:
      hasLostSessions = true
      forgetting.insert(broker)
    case .restart, .kill: forgetting.remove(broker)
    case .denySilently, .loseAcknowledgements: hasHidden = true
    case .denySubscribe, .closeOnSubscribe: hasSubscribingTrouble = true
    case .stepBrokerClock: lastDisturbance = max(lastDisturbance, now + device.lease)
    case .stallBroker: presence[broker].stalls += 1
    case .suspend:
      lastDisturbance = max(lastDisturbance, now + action.duration)
      lastSleep = max(lastSleep, now + action.duration)
    default: break
    }
    switch action.kind {
    case .noRetain, .maximumQoS, .denyByCode, .denyByCodeAndClose, .denySilently, .rollback, .loseAcknowledgements:
      presence[broker].isIncomplete = true
    default: break
    }
  }

  mutating func ends(_ action: Action, at now: WorldTime) {
    let broker = Int(action.target) % device.brokerCount
    retained.ends(action, broker: broker)
    if action.kind.disturbs {
      lastDisturbance = max(lastDisturbance, now)
      disturbances -= 1
    }
    if action.kind.isFault {
      lastFault = now
      faults -= 1
    }
    if action.kind.isOfStore { lastStoreTrouble = now }
    if action.kind == .stallBroker {
      presence[broker].stalls -= 1
      presence[broker].upSince = now
    }
  }

  mutating func heals(backlog: Int, at now: WorldTime) {
    healedAt = now
    backlogAtHealing = backlog
    lastDisturbance = max(lastDisturbance, now)
  }

  /// A connection that has died without a word is found to be dead in this time.
  var noticing: Duration { .seconds(max(15, 2 * Int64(device.keepAlive) + 5)) }

  func isCalm(for duration: Duration, at now: WorldTime) -> Bool {
    disturbances == 0 && lastDisturbance + duration < now
  }

  // MARK: What brokers do

  mutating func saw(_ record: BrokerRecord, broker: Int) {
    let now = record.time
    retained.saw(record, broker: broker)
    switch record.what {
    case .accepted(let client, let id, let publish):
      if client == Commander.client, let number = GivenCommand.number(of: publish.message.properties) {
        outputs.commands.published[number] = now
      }
      if presence[broker].accepted(publish.message, by: client, on: id, at: now) { return }
      guard client == DeviceModel.client, !hadTwin else { return }
      let isLate = board.birth.map { $0.connection != id } ?? false
      if let problem = readings.accepted(publish.message, isLate: isLate, at: now) {
        if problem.oracle == "I2c" && (hasLostSessions || hadStoreTrouble || hasMoved || hasHidden) { return }
        fail(problem.oracle, problem.message, at: now)
      }
    case .connected(DeviceModel.client, let id, _, let will):
      outputs.commands.connected[id] = now
      presence[broker].connected(id, will: will, at: now)
      board.connects(at: now)
    case .disconnected(DeviceModel.client, let id, .success):
      guard !hadTwin, presence[broker].hasSpoken(on: id) else { return }
      if let topic = presence[broker].onlineTopic {
        fail(
          "I1a", "DISCONNECT at broker \(broker), and the last status on \(topic) is not an accepted offline", at: now)
      }
    case .refused(DeviceModel.client, _, let code):
      board.connects(at: now)
      if code == nil { stopping?.isShutOut = true }
    case .denied(DeviceModel.client, let id, let publish, let answer):
      board.denied(publish, answer, on: id)
      // A PUBACK of 3.1.1 has no code.
      if publish.message.qos == .atMostOnce || oldConnections.contains(id) { hasHidden = true }
    case .lost(DeviceModel.client, _, .violation), .lost(DeviceModel.client, _, .denied):
      // The broker itself has ended the connection that was to say goodbye.
      stopping?.isAborted = true
    case .willPublished(DeviceModel.client, let message): presence[broker].published(will: message, at: now)
    case .willDropped(DeviceModel.client, _, .denied): presence[broker].isIncomplete = true
    case .willDropped(DeviceModel.client, _, .killed), .stopped(isOrderly: false): presence[broker].hasAmnesia = true
    case .stopped: presence[broker].upSince = nil
    case .started:
      presence[broker].upSince = now
      presence[broker].hasAmnesia = true
    case .sessionEnded(DeviceModel.client): hasLostSessions = true
    default: break
    }
    if case .stopped = record.what { presence[broker].upSince = nil }
  }

  /// A broker has accepted a CONNECT of that board's.
  mutating func connected(_ index: Int, broker: Int, on id: ConnectionID, sessionPresent: Bool) {
    sessions.connected(index, broker: broker, on: id, sessionPresent: sessionPresent)
    guard index == 0 else { return }
    hasMoved = hasMoved || lastBroker.map { $0 != broker } ?? false
    lastBroker = broker
  }

  // MARK: What a board does

  /// Something has happened that may end a back-off.
  mutating func wakes(_ index: Int, at now: WorldTime) { if index == 0 { board.waits.wakes(at: now) } }

  mutating func reloads(_ device: DeviceModel, at now: WorldTime) {
    board.waits.wakes()
    board.device = device
    outputs.reloads(device, at: now)
    board.reloads()
    let own = DeviceModel.statusTopic(device.topic)
    for index in presence.indices { presence[index].moves(to: own) }
  }

  mutating func asksToEnd(_ index: Int, _ board: Board, at now: WorldTime) {
    guard index == 0 else { return }
    self.board.waits.wakes()
    if board.core.isLeaving { stopping?.isAborted = true }
    // What a broker does not take is found out by several attempts.
    let isSpokenTo = device.isVersion5Spoken && lasting == .nothing || self.board.hasConnected
    if board.core.isInBackOff, !board.core.isLeaving, isSpokenTo, isReachable(since: .seconds(1), at: now) {
      stopping = Stopping(since: now)
    }
    if self.board.askedToEnd == nil { self.board.askedToEnd = now }
    outputs.asksToEnd(at: now)
  }

  /// A certificate that was not valid yet is valid now: the next attempt need not wait any longer.
  mutating func synchronized(_ index: Int, at now: WorldTime) {
    if index == 0 { board.clockIsRight(at: now) }
  }

  /// The wall clock of the first board shows something else.
  mutating func clockIsSet(isTooEarly: Bool, at now: WorldTime) {
    guard isTooEarly != hasEarlyClock else { return }
    hasEarlyClock = isTooEarly
    disturbances += isTooEarly ? 1 : -1
    lastDisturbance = max(lastDisturbance, now)
    faults += isTooEarly ? 1 : -1
    lastFault = now
  }

  mutating func failed(_ index: Int, _ link: LinkID, _ why: Reachability) {
    if index == 0, link == .agent { board.failed(why) }
  }

  mutating func opens(_ index: Int, _ link: LinkID, _ id: ConnectionID, _ version: ProtocolVersion, at now: WorldTime) {
    guard index == 0, link == .agent else { return }
    if version == .v311 { oldConnections.insert(id) }
    if let text = board.opens(at: now) { fail("I3b", text, at: now) }
  }

  mutating func sends(_ index: Int, _ link: LinkID, _ packet: Packet, on id: ConnectionID, at now: WorldTime) {
    guard index == 0, link == .agent else { return }
    switch packet {
    case .connect: board.connects(on: id)
    // I1a looks at what was said before it.
    case .disconnect:
      stopping?.saidGoodbye = true
      if board.birth?.connection == id { board.birth?.isClosing = true }
    case .puback(let answer), .pubrec(let answer): outputs.acknowledged(answer.packetIdentifier, on: id, at: now)
    case .publish(let publish):
      if let text = board.publishes(publish, on: id, at: now) { fail("I3b", text, at: now) }
      if publish.message.qos == .atMostOnce { hasSentUnheard = true }
      outputs.answers(publish.message, at: now)
      if !hadStoreTrouble, sessions.isSuspect(id) {
        fail("I4", "a session is gone on with that a rival had, and the rival is known", at: now)
      }
    case .subscribe(let subscribe):
      if let text = board.subscribes(subscribe, on: id, at: now) { fail("I3b", text, at: now) }
    default: break
    }
  }

  /// A stop that was asked for in a back-off, while the broker could be reached.
  struct Stopping: Sendable {
    let since: WorldTime
    var saidGoodbye = false
    /// It was stopped a second time.
    var isAborted = false
    /// A broker has closed on its CONNECT without a word: one attempt does not find out why.
    var isShutOut = false
  }

  mutating func loses(_ index: Int, _ link: LinkID) { if index == 0, link == .agent { board.birth = nil } }

  mutating func receives(_ index: Int, _ link: LinkID, _ packet: Packet, on id: ConnectionID, at now: WorldTime) {
    guard index == 0, link == .agent else { return }
    switch packet {
    case .puback(let answer):
      board.answered(answer, on: id)
      board.refused(answer, on: id, at: now)
    case .pubrec(let answer): board.refused(answer, on: id, at: now)
    case .connack(let answer): readings.mayRestore = board.connected(answer)
    case .disconnect(let disconnect) where disconnect.reasonCode == .sessionTakenOver: sessions.seesRival(at: now)
    default: break
    }
  }

  mutating func asks(_ index: Int, _ ticket: StoreTicket, _ request: StoreRequest, at now: WorldTime) {
    guard index == 0 else { return }
    if let text = board.asks(ticket, request, at: now) { fail("I3b", text, at: now) }
  }

  mutating func stored(
    _ index: Int, _ ticket: StoreTicket, _ result: Result<StoreAnswer, StorageError>, at now: WorldTime
  ) {
    guard index == 0 else { return }
    board.stored(ticket, result, at: now)
    // Of an earlier process, behind what this one has sent.
    if case .success(.state(let found)) = result, !found.session.messages.isEmpty { readings.mayOvertake = true }
    if case .success(.outbox(let found)) = result, !found.sections.isEmpty { readings.mayOvertake = true }
    if case .failure = result {
      hadStoreTrouble = true
      lastStoreTrouble = now
    }
  }

  /// What a store had from earlier processes counts from here on.
  mutating func adopts(_ index: Int) { if index == 0 { board.rebases = true } }

  mutating func notes(_ index: Int, _ note: Note, at now: WorldTime) {
    guard index == 0 else { return }
    switch note {
    case .rival:
      sessions.seesRival(at: now)
      // What a broker has again may be of an earlier process, which one without a store does not know.
      if !hadTwin, !hadStoreTrouble, device.sync >= 0 || !hasLostSessions {
        fail("I4", "a rival is noted, and there was none", at: now)
      }
    case .lost(_, _, _, let delay, _, _):
      board.longestWait = max(board.longestWait, delay ?? .zero)
      if let delay { board.waits.lost(retryAfter: delay, at: now) }
    // What a rival seemed to have said is its own: it need not keep out of the way.
    case .homieConnected, .rivalWasOwn: board.waits.wakes()
    case .returnsToFirst:
      if let text = board.waits.returns(after: DeviceModel.patience, at: now) { fail("I3b", text, at: now) }
    case .readingGivenUp(.qosNotSupported, _), .readingGivenUp(.retainNotSupported, _):
      fail("I2b", "a reading is given up that a broker of less could have had", at: now)
    case .homieLost(_, let delay, _): retained.longestHomieWait = max(retained.longestHomieWait, delay)
    case .storeIsLate, .storeFails, .storeStaysClosed:
      // What cannot be opened does not say which numbers it has given.
      if case .storeStaysClosed = note { readings.mayBeginAnew = true }
      hadStoreTrouble = true
      lastStoreTrouble = now
    default: break
    }
  }

  /// - Parameter hasEvents: something has happened already, and its next turn gets the event.
  mutating func turned(_ index: Int, _ core: Core.Promises, hasEvents: Bool, _ moment: Moment, at now: WorldTime) {
    guard index == 0 else { return }
    if let problem = board.turned(core, hasEvents: hasEvents, moment, at: now) {
      fail(problem.oracle, problem.message, at: now)
    }
  }
}
