import DequeModule
import Discovery
import LimpetInstants
import MQTTCore
import Outbox
import Plan
import Readings
import Records

/// The agent as one value: what happens goes in, what is to be done comes out, with one moment at which it wants to be
/// called next. It has no clock, no randomness but its seed, no event loop, thread, file or socket.
///
/// It routes between its owners, each a value with its own rules: `Conversation` (what is said to the broker), `Sampling`
/// and `Lines` (what is measured), `Numbering` (numbers and times), `Keeping` (the store), `HomieLink` (the Homie
/// device's connection), `Serving` (what limpet reports to systemd). A turn is any number of `handle` and `receive`, and one
/// `drain` at its end; then `effects` has what is to be done, and `deadline` is later than now.
package struct Core: Sendable {
  var conversation: Conversation
  var sampling: Sampling
  var lines: Lines
  /// Lines are watched, or are being released.
  var isWatching = false
  var numbering: Numbering
  var keeping: Keeping
  var homie: Homies
  var serving: Serving
  var closing = Closing()
  /// What pulses have to be asked for.
  var counting: [Chore.Action] = []
  var reloads: UInt64 = 0
  /// One change of the network is many messages: they are looked at together, when it has become quiet.
  private var network: (addresses: Set<String>?, quietAt: BootClock.Instant)?
  let beginning: Start
  let setAside: Int
  /// When `handle(.tick)` has to be called at the latest; to be asked after `drain`.
  package private(set) var deadline: BootClock.Instant?

  /// What does not change.
  struct Start: Sendable {
    let boot: String
    let booted: BootClock.Instant
    let instances: Set<String>
  }

  /// - Parameter seed: of all randomness.
  package init(_ beginning: Beginning, seed: UInt64, at now: Moment) {
    var generator = SplitMix64(seed: seed)
    let plan = beginning.plan
    let state = beginning.state
    self.beginning = Start(boot: beginning.boot, booted: beginning.booted, instances: state.instances)
    setAside = beginning.setAside
    var outbox = Outbox(plan.outbox, at: now.boot)
    if let stored = beginning.outbox {
      outbox.open(stored, names: plan.streams.map(\.name), booted: beginning.booted, at: now.boot)
    }
    // Tokens that are stored are bounded: there is one behind them.
    var nextToken = max(Request.firstReading, (beginning.session.messages.last?.token ?? 0) + 1)
    nextToken = max(nextToken, (outbox.lastToken ?? 0) + 1)
    // Past every number that the store may have, should it be opened later.
    if beginning.storeError != nil || beginning.outboxError != nil {
      nextToken = Request.firstReadingWithoutStore(at: now.timestamp)
    }
    let link = Link(plan.link, state: beginning.session, seed: generator.next())
    let announcer = Announcer(
      wanted: plan.homeAssistant, stored: state.announcements, homie: plan.homie?.device.base)
    conversation = Conversation(
      plan: plan, link: link, standing: Standing(at: now),
      ownPresence: OwnPresence(epoch: state.epoch, start: beginning.reason, plan.presence),
      watching: Watching(instances: state.instances.union([plan.presence.instance])),
      announcing: Announcing(announcer),
      sender: Sender(
        plan, outbox, beginning.session, clearings: beginning.outbox?.clearings ?? [], at: now.boot),
      acting: Acting(Outputs(plan.outputs, plain: state.outputs, at: now.boot)),
      generator: SplitMix64(seed: generator.next()))
    conversation.acting.outputs.mutation = plan.link.mutation
    // A command is acknowledged when it is decided.
    conversation.link.acknowledgesByHand()
    numbering = Numbering(plan.streams, beginning.numbers, firstToken: nextToken)
    let lines = Lines(plan.inputs, stored: state.counts, using: &generator)
    self.lines = lines
    sampling = Sampling(plan.sensors, plan.chores(lines), start: now.boot)
    keeping = Keeping(beginning, at: now.boot)
    homie = Homies(plan.homie, stored: state.announcements, seed: generator.next())
    serving = Serving(watchdogInterval: beginning.watchdogInterval, at: now)
    conversation.wishes.storageError = keeping.error
    conversation.ownPresence.owed.found(state.farewells, client: plan.connect.clientIdentifier)
  }

  /// What is to be done. Taken to the end after each turn.
  package var effects: Effects {
    // Mutating, as all that is asked in every turn: a getter that is not has the whole core copied for it.
    mutating get { conversation.effects }
    _modify { yield &conversation.effects }
  }

  package var hasEffects: Bool { mutating get { !conversation.effects.isEmpty } }

  package var plan: DevicePlan { conversation.plan }
  /// Lines whose pulses are added up.
  package var pulsed: [LineID] { lines.measured.map(\.line) }

  /// Packets from the server are to be handed over.
  package mutating func takesPackets(_ id: LinkID) -> Bool {
    switch id {
    case .agent: conversation.link.takesPackets
    case .homie: homie.current?.value.link.takesPackets ?? false
    }
  }

  /// How far an attempt has come.
  package mutating func stage(_ id: LinkID) -> ConnectionStage {
    switch id {
    case .agent: conversation.link.stage
    case .homie: homie.current?.value.link.stage ?? .name
    }
  }

  // MARK: What happens

  package mutating func handle(_ event: consuming Event, at now: Moment) {
    switch consume event {
    case .start: start(at: now)
    case .tick: tick(at: now)
    case .link(.agent, let event): conversation.handle(event, at: now)
    case .link(.homie, let event): homie.handle(event, at: now, into: &conversation.effects)
    case .stored(let ticket, let result): stored(ticket, result, at: now)
    case .lines(let reports, let isFinished): take(reports, isFinished: isFinished)
    case .counted(let pulses): counted(pulses, at: now)
    case .samples(let samples): take(samples, at: now)
    case .notified(let sensors): notified(sensors, at: now)
    case .madeSafe(let asked): madeSafe(asked, at: now)
    case .looked(let turns, let isKernelStuck): looked(gpioTurns: turns, isKernelStuck: isKernelStuck, at: now)
    case .clockJumped: clockJumped(at: now)
    case .driven(let reports): driven(reports, at: now)
    case .commanded(let name, let command, let number): commanded(name, command, number, at: now)
    case .networkChanged(let addresses): network = (addresses, now.boot + Self.networkRest)
    case .asked(let wish): asked(wish, at: now)
    }
  }

  /// A packet from the broker: the way of an acknowledgement, without an event around it.
  package mutating func receive(_ packet: Packet, on id: LinkID, _ attempt: Link.AttemptNumber, at now: Moment) {
    doubtCommands(at: now)
    switch id {
    case .agent:
      conversation.link.receive(packet, attempt, at: now.boot, into: &conversation.linkEffects)
      conversation.carryOut(at: now)
      // A command is on its way to its line before the rest of the turn is thought of.
      if conversation.acting.outputs.hasEffects { carryOutActs(at: now) }
    case .homie: receiveForHomie(packet, attempt, at: now)
    }
  }

  /// The end of a turn: readings get their numbers, what is due goes out, the store is asked.
  package mutating func drain(at now: Moment) {
    speak(at: now)
    settle(at: now)
  }

  /// The first half of `drain`, with all that is to be sent. It can be on its way before the second half.
  package mutating func speak(at now: Moment) {
    carryOutActs(at: now)
    numberReadings(at: now)
    answerConnect(at: now)
    conversation.drain(at: now)
    followHomie()
    goOnWithoutStore()
    homie.drain(isStored: !conversation.announcing.waitsForStore, at: now, into: &conversation.effects)
    followHomiesConnection(at: now)
  }

  /// The second half: the store is asked, and the deadline is known.
  package mutating func settle(at now: Moment) {
    leaveIfDone(at: now)
    publishHealthIfDue()
    askStore(at: now)
    // What the store cannot be asked is answered in this turn.
    conversation.drain(at: now)
    if conversation.leaving.hasEnded { close(at: now) }
    deadline = nextDeadline(at: now)
  }

  private mutating func nextDeadline(at now: Moment) -> BootClock.Instant? {
    guard !closing.hasExited else { return nil }
    let isLeaving = conversation.leaving.isLeaving || conversation.leaving.hasEnded
    return earliest(
      conversation.deadline, homie.deadline, isLeaving ? nil : sampling.deadline, storeDeadline(at: now.boot),
      serving.deadline, closing.deadline, closing.outputsDeadline, network?.quietAt)
  }

  private mutating func tick(at now: Moment) {
    doubtCommands(at: now)
    conversation.tick(at: now)
    homie.tick(at: now, into: &conversation.effects)
    sample(at: now)
    storeIsDue(at: now)
    servingIsDue(at: now)
    networkIsQuiet(at: now)
    remindIfDue(at: now)
  }

  private mutating func start(at now: Moment) {
    storeAnnouncements()
    conversation.handle(.start, at: now)
    watchLines(at: now)
    // A time of `lost` may be over, where the machine was suspended before this turn.
    conversation.listen(at: now)
    conversation.acting.outputs.begin(at: now.boot)
    sample(at: now)
    becomeReadyIfSensing()
    servingIsDue(at: now)
  }

  private mutating func clockJumped(at now: Moment) {
    conversation.clockJumped(at: now)
    homie.clockJumped(jitter: .seconds(1) * conversation.share(), at: now, into: &conversation.effects)
    sample(at: now)
  }

  /// Who has just been given a description has subscribed to what it names by now, and has no values yet: the newest of
  /// each name is published again. What happened once is not, or it would happen again.
  private mutating func remindIfDue(at now: Moment) {
    guard conversation.announcing.isReminderDue(at: now.boot) else { return }
    let share = conversation.share()
    conversation.announcing.takeReminder(at: now.boot, share: share)
    guard conversation.standing.connection != nil, !conversation.leaving.isLeaving else { return }
    let streams = conversation.plan.streams
    let last = streams.streamIDs.compactMap { streams[$0].isEvent ? nil : numbering.last(of: $0) }
    conversation.sender.reminders = Deque(
      last.filter { reading in
        switch reading.content {
        case .good, .doubtful, .total, .output, .bad: true
        case .edge, .gap: false
        }
      })
  }

  /// The Homie device has reached the broker: the agent's own connection need not wait any longer, but for a refusal. (The
  /// other way, each birth wakes the Homie device.)
  private mutating func followHomiesConnection(at now: Moment) {
    let isConnected = conversation.standing.connection != nil
    if !isConnected { conversation.effects.remindLessOfHomie() }
    guard homie.callsAgent(isConnected: isConnected, at: now.boot), !conversation.leaving.isLeaving else { return }
    let jitter = Duration.milliseconds(500) * conversation.share()
    conversation.handle(.networkChanged(addresses: nil, jitter: jitter), at: now)
  }

  private static let networkRest = Duration.milliseconds(300)

  private mutating func networkIsQuiet(at now: Moment) {
    guard let (addresses, quietAt) = network, quietAt <= now.boot else { return }
    network = nil
    if addresses == nil { effects.notes.append(.addressesAreUnknown) }
    guard !conversation.leaving.isLeaving else { return }
    let jitter = Duration.seconds(2) * conversation.share()
    conversation.handle(.networkChanged(addresses: addresses, jitter: jitter), at: now)
    homie.networkChanged(addresses, jitter: jitter, at: now, into: &conversation.effects)
  }
}
