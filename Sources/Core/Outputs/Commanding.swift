import DequeModule
import JSON
import LimpetInstants
import MQTTCore
import NIOCore
import Plan
import Readings

/// Commands from the broker: which of them are obeyed, and how they are answered.
///
/// A message that a session has kept looks like any other when it comes, and a pump that was switched on yesterday must
/// not start today. So on a session that goes on nothing counts as live before the agent has received its own nonce,
/// which it sends over the same filter: what was sent before comes before ([MQTT-4.6.0-6]).
struct Commanding: Sendable {
  enum Gate: Sendable, Equatable {
    /// Nothing is subscribed to.
    case closed
    /// SUBSCRIBE is on its way. `isNew`: the server had no session, so nothing can have waited.
    case subscribing(isNew: Bool)
    /// The nonce is on its way, or has to be sent.
    case fenced(nonce: String, isSent: Bool, until: BootClock.Instant)
    /// What comes is live.
    case open
    /// Nothing is obeyed, and why.
    case refused(String)
  }

  private(set) var gate = Gate.closed
  /// Nothing is obeyed for want of the agent's own word: when it is sent again, and the one that is out.
  private var retry: (at: BootClock.Instant, nonce: String?, isSent: Bool)?
  /// When anything happened last, by both clocks: what the machine slept is the difference.
  private var lastTurn: (boot: BootClock.Instant, awake: Duration)?
  /// Answers that wait for a place.
  private(set) var answers: Deque<Message> = []
  /// Answers that nobody has taken in time.
  private(set) var lostAnswers: UInt64 = 0

  /// How long the nonce may take.
  static let patience = Duration.seconds(10)
  /// How often it is sent again: a connection may last for months, and what kept the broker from returning it for less.
  static let retryInterval = Duration.seconds(60)
  private static let answerLimit = 64
  /// A process that stood still for 5 s has messages in its socket that look live: it wants to be called as often as this
  /// while it obeys, and has stood still when that came later by as much.
  private static let stall = Duration.milliseconds(2500)
  /// In nanoseconds.
  private static let suspend: Int64 = 1_000_000_000

  var deadline: BootClock.Instant? {
    switch gate {
    case .fenced(_, _, let until): until
    case .open: lastTurn.map { $0.boot + Self.stall }
    case .refused: retry?.at
    case .closed, .subscribing: nil
    }
  }

  /// Why nothing is obeyed now, for people; nil: commands are obeyed, or there is nothing that could bring any.
  var reason: String? {
    switch gate {
    case .closed, .open: nil
    case .subscribing: "the broker has not answered SUBSCRIBE yet"
    case .fenced: "the command may be an old one: the broker has not returned limpet's own message yet"
    case .refused(let reason): reason
    }
  }

  /// What `reason` says is over within seconds.
  var isAwaited: Bool {
    switch gate {
    case .subscribing, .fenced: true
    case .closed, .open, .refused: false
    }
  }

  mutating func subscribing(isNew: Bool) {
    gate = .subscribing(isNew: isNew)
    retry = nil
  }

  mutating func refuse(_ reason: String) {
    gate = .refused(reason)
    retry = nil
  }

  mutating func disconnected() {
    gate = .closed
    retry = nil
    answers = []
  }

  mutating func subscribed(nonce: String, at now: BootClock.Instant) {
    guard case .subscribing(let isNew) = gate else { return }
    gate = isNew ? .open : .fenced(nonce: nonce, isSent: false, until: now + Self.patience)
  }

  /// Something may have waited without anybody knowing: in the socket, while the agent did not run.
  mutating func doubt(nonce: String, at now: BootClock.Instant) {
    switch gate {
    case .open, .fenced: gate = .fenced(nonce: nonce, isSent: false, until: now + Self.patience)
    // The nonce that was sent may come back before commands that wait in the socket.
    case .refused: retry?.nonce = nil
    case .closed, .subscribing: break
    }
  }

  /// Whether the process, or the machine, stood still until now.
  ///
  /// - Parameter due: when the agent wanted to be called.
  mutating func hasStoodStill(at now: Moment, due: BootClock.Instant?) -> Bool {
    defer { lastTurn = (now.boot, now.awake) }
    if let due, due < now.boot, due + Self.stall < now.boot { return true }
    // It slept no longer than what has passed, which is all that is looked at with each message.
    guard let lastTurn, now.boot.nanoseconds &- lastTurn.boot.nanoseconds > Self.suspend else { return false }
    let asleep = lastTurn.boot.duration(to: now.boot) - (now.awake - lastTurn.awake)
    return asleep.wholeNanoseconds > Self.suspend
  }

  /// The nonce to send now.
  var unsent: String? {
    switch gate {
    case .fenced(let nonce, false, _): nonce
    case .refused: retry.flatMap { $0.isSent ? nil : $0.nonce }
    default: nil
    }
  }

  mutating func sent() {
    if case .fenced(let nonce, _, let until) = gate { gate = .fenced(nonce: nonce, isSent: true, until: until) }
    retry?.isSent = true
  }

  /// The agent's own word has come back.
  mutating func heardFence(_ text: String) {
    switch gate {
    case .fenced(let nonce, true, _) where nonce == text: gate = .open
    case .refused where retry?.nonce == text && retry?.isSent == true:
      gate = .open
      retry = nil
    default: break
    }
  }

  /// - Returns: why from now on nothing is obeyed.
  mutating func elapse(at now: BootClock.Instant) -> String? {
    guard case .fenced(_, _, let until) = gate, until <= now else { return nil }
    return missesFence(
      "the broker did not return limpet's own message, so limpet cannot know which commands are old", at: now)
  }

  /// - Returns: the reason, if that is news.
  mutating func missesFence(_ reason: String, at now: BootClock.Instant) -> String? {
    if case .refused = gate { return nil }
    gate = .refused(reason)
    retry = (now + Self.retryInterval, nil, false)
    return reason
  }

  /// The agent's own word is to be sent once more. Nothing is obeyed before it comes back.
  func isRetryDue(at now: BootClock.Instant) -> Bool { retry.map { $0.at <= now } ?? false }

  mutating func tryAgain(nonce: String, at now: BootClock.Instant) {
    retry = (now + Self.retryInterval, nonce, false)
  }

  mutating func answer(_ message: Message) {
    answers.append(message)
    if answers.count > Self.answerLimit {
      answers.removeFirst()
      lostAnswers += 1
    }
  }

  mutating func nextAnswer() -> Message? { answers.popFirst() }
  mutating func giveBack(_ message: Message) { answers.prepend(message) }
}

extension Conversation {
  /// Asks for commands, once a connection is there.
  mutating func watchCommands(sessionPresent: Bool, at now: Moment) {
    subscribeCommands(sessionPresent: sessionPresent, at: now)
    watchHeartbeats(at: now)
  }

  mutating func subscribeCommands(sessionPresent: Bool, at now: Moment) {
    guard let commands = plan.commands, !leaving.isLeaving else { return }
    guard watching.closes.maySubscribe else {
      return acting.commanding.refuse("the broker closes the connection on SUBSCRIBE")
    }
    do throws(Session.Rejection) {
      let filters = commands.filters.map {
        Subscription($0, qos: .exactlyOnce, retainAsPublished: true, retainHandling: .sendIfNew)
      }
      try link.subscribe(filters, token: Request.commands.token, at: now.boot, into: &linkEffects)
      acting.commanding.subscribing(isNew: !sessionPresent)
    } catch {
      refuseCommands("\(error)")
    }
  }

  /// After a reload: other topics, or none any more. A session would go on hearing the old ones.
  mutating func watchOtherCommands(_ old: CommandsPlan?, at now: Moment) {
    watchOtherHeartbeats(old?.heartbeats ?? [], at: now)
    if let old, let new = plan.commands, old.isHeard(as: new) { return carryOut(at: now) }
    unwatch(old?.filters ?? [], at: now)
    acting.commanding.disconnected()
    watching.denied.remove(.commands)
    // What the old filters brought may still be on its way.
    subscribeCommands(sessionPresent: true, at: now)
    carryOut(at: now)
  }

  mutating func unwatch(_ filters: [TopicFilter], at now: Moment) {
    guard !filters.isEmpty else { return }
    try? link.unsubscribe(filters, token: Request.unwatching.token, at: now.boot, into: &linkEffects)
  }

  mutating func commandsSubscribed(_ codes: [ReasonCode], at now: Moment) {
    if let code = codes.first(where: \.isError) {
      watching.denied.add(.commands, at: now.boot)
      refuseCommands("the broker does not let this device subscribe to its commands: \(code)")
    } else {
      acting.commanding.subscribed(nonce: nonce(), at: now.boot)
    }
  }

  private mutating func refuseCommands(_ reason: String) {
    acting.commanding.refuse(reason)
    effects.notes.append(.commandsRefused(reason))
  }

  private mutating func nonce() -> String { String(generator.next(), radix: 16) }

  /// The process or the machine stood still: commands that waited in the socket look live.
  mutating func doubtCommands(at now: Moment, due: BootClock.Instant?) {
    guard plan.commands != nil, acting.commanding.hasStoodStill(at: now, due: due) else { return }
    acting.commanding.doubt(nonce: nonce(), at: now.boot)
  }

  mutating func commandsAreDue(at now: Moment) {
    if let reason = acting.commanding.elapse(at: now.boot) { effects.notes.append(.commandsRefused(reason)) }
    if acting.commanding.isRetryDue(at: now.boot) { acting.commanding.tryAgain(nonce: nonce(), at: now.boot) }
    listen(at: now)
  }

  /// The broker sent something; if another client takes this one's place, it may have been for that one.
  mutating func listen(at now: Moment) {
    let isMissed = standing.connection != nil || plan.link.mutation != .lossNeedsConnection
    let heard = isMissed ? link.lastHeard : now.boot
    acting.outputs.listen(watching.conflict.rival == nil ? heard : nil, at: now.boot)
  }

  /// - Returns: false: it is no command, and nobody answers it later.
  mutating func heardCommand(_ delivery: Session.Delivery, at now: Moment) -> Bool {
    let message = delivery.message
    guard let commands = plan.commands else { return false }
    if !commands.heartbeats.isEmpty, !message.retain, watching.conflict.rival == nil {
      acting.outputs.heartbeat(on: message.topic.description, at: now.boot)
    }
    if message.topic == commands.fence {
      if !message.retain { acting.commanding.heardFence(String(buffer: message.payload)) }
      return false
    }
    let known = commands.names[message.topic]
    guard let name = known ?? commands.name(in: message.topic) else { return false }
    let asker = Asker.broker(
      delivery, responseTopic: message.properties.responseTopic?.description,
      correlation: message.properties.correlationData)
    let command: Command
    do throws(Command.Flaw) {
      guard let read = try Command(message.payload) else { return false }
      command = read
    } catch {
      if known == nil {
        acting.outputs.refuseUnknown(name, asker)
      } else {
        acting.outputs.refuse(Objection(.malformed, error.text), of: name, asker, at: now.boot)
      }
      return true
    }
    if known == nil {
      acting.outputs.refuseUnknown(name, asker)
    } else if let objection = objection(to: message) {
      acting.outputs.refuse(objection, of: name, asker, at: now.boot)
    } else {
      var arrival: Arrival = acting.commanding.gate == .open ? .live : .queued
      if delivery.duplicate { arrival = .redelivered }
      if plan.link.mutation == .waitedCommandIsLive { arrival = .live }
      acting.outputs.take(
        command, of: name, from: asker, arrival,
        until: message.expiry(at: now.boot), at: now)
    }
    return true
  }

  static let rivalRefusal = "another client uses this device's client identifier"

  private func objection(to message: Message) -> Objection? {
    if message.retain, plan.link.mutation != .retainedCommandIsObeyed {
      return .retained
    }
    if watching.conflict.rival != nil { return Objection(.conflict, Self.rivalRefusal) }
    if case .refused(let reason) = acting.commanding.gate { return Objection(.fence, reason) }
    return nil
  }

  // MARK: Answers

  mutating func answer(_ asker: Asker, _ answer: CommandAnswer, at now: Moment) {
    switch asker {
    case .local(let number): effects.orders.append(.answer(number, answer))
    // Its own connection has it.
    case .homie: break
    case .broker(let delivery, let responseTopic, let correlation):
      link.accept(delivery, at: now.boot, into: &linkEffects)
      guard let responseTopic, let commands = plan.commands, commands.mayAnswer(on: responseTopic),
        let topic = try? TopicName(responseTopic)
      else { return }
      var properties = Properties()
      properties.correlationData = correlation
      acting.commanding.answer(Message(topic: topic, payload: answer.json, qos: .atLeastOnce, properties: properties))
    }
  }

  /// Answers, and the nonce that separates old commands from new ones.
  mutating func pullAnswers(_ limits: PublishLimits, at now: Moment) {
    if let commands = plan.commands, let nonce = acting.commanding.unsent {
      let message = Message(topic: commands.fence, payload: ByteBuffer(string: nonce), qos: .atLeastOnce)
      if send(message.adapted(to: limits), .fence, at: now) { acting.commanding.sent() }
    }
    while let message = acting.commanding.nextAnswer() {
      guard send(message.adapted(to: limits), .answer, at: now) else { return acting.commanding.giveBack(message) }
    }
  }

  /// Good for this connection only. False: there is no room for it now.
  private mutating func send(_ message: Message, _ request: Request, at now: Moment) -> Bool {
    do throws(Session.Rejection) {
      try link.publish(message, token: request.token, transient: true, at: now.boot, into: &linkEffects)
    } catch {
      if error == .noRoom || error == .notConnected { return false }
      effects.notes.append(.notPublished(message.topic, error))
    }
    return true
  }

  /// Without a fence nothing is obeyed: the broker takes no message there, or loses it.
  mutating func fenceSettled(_ outcome: Session.Outcome, at now: Moment) {
    guard case .refused(let code) = outcome else { return }
    let reason = "the broker refuses limpet's own message on \(plan.commands?.fence.description ?? ""): \(code)"
    if let reason = acting.commanding.missesFence(reason, at: now.boot) {
      effects.notes.append(.commandsRefused(reason))
    }
  }
}
