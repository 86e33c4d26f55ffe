import Discovery
import LimpetInstants
import MQTTCore
import Measuring
import NIOCore
import Plan
import Presence
import Readings
import Records

/// The connection of the Homie device: a connection has one will, and this one's is `$state` = lost.
///
/// It begins when the agent's own connection is there for the first time, keeps itself connected from then on, and ends
/// with the agent: with `disconnected` where there is a connection, at once where there is none. It returns to the first
/// server by itself, as the agent's own connection does, and says `disconnected` where it was.
struct HomieLink: Sendable {
  private(set) var plan: HomiePlan
  private var kept: Kept
  private var lifecycle: HomieLifecycle
  /// Of the readings' names.
  private var nodes: [String: Int]
  private(set) var link: Link
  private var linkEffects = Link.Effects()
  private var hasStarted = false
  private var limits: ServerLimits?
  /// Since the last connection that lasted.
  private var outage: Outage?
  private var hasReached = false
  private var conflict = ConflictWatch(instances: [])
  private var due = Due()
  private var ending = Ending()
  private var generator: SplitMix64
  private var commands: HomieCommands

  /// What the broker may keep of it.
  private struct Kept {
    /// As far as it is on the disk.
    var stored: Announcement?
    /// To be stored.
    var unstored: Announcement?
  }

  var hasEnded: Bool { ending.isOver }

  /// - Parameter stored: what earlier configurations left under the same topics.
  init(_ plan: HomiePlan, stored: Announcement?, seed: UInt64) throws(TopicError) {
    self.plan = plan
    kept = Kept(stored: stored)
    nodes = plan.device.nodesByName
    lifecycle = try HomieLifecycle(plan.device, removed: plan.device.announcement.missing(of: stored))
    generator = SplitMix64(seed: seed)
    link = Link(plan.link, seed: generator.next())
    commands = HomieCommands(plan.device)
    // A command is acknowledged when it is decided.
    link.acknowledgesByHand()
  }

  /// What the broker may keep of it.
  var announcement: Announcement { plan.device.announcement.joined(with: kept.stored) }

  /// Whether it has been connected since this was asked last: the broker can be reached.
  mutating func takeConnected() -> Bool {
    guard hasReached else { return false }
    hasReached = false
    return true
  }

  var hasUnstored: Bool { kept.unstored != nil }

  mutating func takeUnstored() -> Announcement? {
    defer { kept.unstored = nil }
    return kept.unstored
  }

  // MARK: What the agent says

  /// The agent's own connection is there: this one's server can be reached too.
  mutating func start(at now: Moment, into effects: inout Effects) {
    guard !ending.isLeaving else { return }
    handle(hasStarted ? .retryNow : .start, at: now, into: &effects)
    hasStarted = true
  }

  mutating func take(_ content: Reading.Content, of name: String) {
    if let node = nodes[name] { lifecycle.take(content, of: node) }
  }

  /// Whether it can go on with another plan over the connection that it has.
  func canAdopt(_ next: HomiePlan) -> Bool {
    !ending.isLeaving && next.device.base == plan.device.base
      && next.connect.clientIdentifier == plan.connect.clientIdentifier
  }

  /// Is another device from now on: `init`, what it is now, `ready`.
  ///
  /// - Parameter values: the last ones there were.
  mutating func adopt(
    _ next: HomiePlan, values: [(name: String, content: Reading.Content)], at now: Moment, into effects: inout Effects
  ) {
    let kept = announcement
    let isSame = next.device.description == plan.device.description && next.device.nodesByName == nodes
    plan = next
    handle(.reconfigure(next.link, reconnecting: false), at: now, into: &effects)
    link.acknowledgesByHand()
    guard !isSame,
      let lifecycle = try? HomieLifecycle(
        next.device, removed: next.device.announcement.missing(of: kept), firstToken: lifecycle.endOfTokens)
    else { return }
    self.kept.stored = kept
    nodes = next.device.nodesByName
    self.lifecycle = lifecycle
    let isSettable = plan.device.isSettable
    let wasSettable = commands.isSettable
    commands.adopt(next.device)
    if limits != nil, isSettable, !wasSettable { watchCommands(at: now) }
    for value in values { take(value.content, of: value.name) }
    if limits != nil { introduce(at: now) }
  }

  /// Says `disconnected` and ends; past `limit`, or without a connection, at once.
  mutating func leave(within limit: Duration, at now: Moment, into effects: inout Effects) {
    guard !ending.isLeaving else { return }
    ending.isLeaving = true
    // It is saying so already, or has said it.
    let isSaying = ending.isMoving
    ending.isMoving = false
    guard isSaying || lifecycle.leave() else { return abort(at: now, into: &effects) }
    ending.leaveUntil = now.boot + limit
  }

  /// The first server can be used again: this one is left as at an end, so that it keeps no `ready`.
  private mutating func returnToFirst(at now: Moment) {
    guard !ending.isLeaving, !ending.isMoving, limits != nil, lifecycle.leave() else { return }
    ending.isMoving = true
    ending.leaveUntil = now.boot + Farewell.limit
  }

  /// - Parameter isAborted: the server has not acknowledged `disconnected`, and publishes the will.
  private mutating func move(isAborted: Bool, at now: Moment) {
    ending.leaveUntil = nil
    link.handle(.returnToFirst(isAborted: isAborted), at: now.boot, into: &linkEffects)
  }

  /// The connection is cut, so that the broker publishes the will.
  mutating func abort(at now: Moment, into effects: inout Effects) {
    ending.isLeaving = true
    end()
    handle(.abort, at: now, into: &effects)
  }

  private mutating func end() {
    ending.isOver = true
    due.patienceEnds = nil
    due.stableAt = nil
    ending.leaveUntil = nil
  }

  // MARK: What happens

  mutating func handle(_ event: consuming Link.Event, at now: Moment, into effects: inout Effects) {
    link.handle(event, at: now.boot, into: &linkEffects)
    carryOut(at: now, into: &effects)
  }

  mutating func receive(
    _ packet: Packet, _ attempt: Link.AttemptNumber, at now: Moment, into effects: inout Effects
  ) {
    link.receive(packet, attempt, at: now.boot, into: &linkEffects)
    carryOut(at: now, into: &effects)
  }

  var deadline: BootClock.Instant? {
    earliest(link.deadline, due.patienceEnds, due.stableAt, ending.leaveUntil, commands.gate.deadline)
  }

  mutating func tick(at now: Moment, into effects: inout Effects) {
    if link.deadline.map({ $0 <= now.boot }) ?? false { handle(.tick, at: now, into: &effects) }
    if due.patienceEnds.map({ $0 <= now.boot }) ?? false {
      due.patienceEnds = nil
      lifecycle.readingsAreLate()
    }
    if due.stableAt.map({ $0 <= now.boot }) ?? false {
      due.stableAt = nil
      outage = nil
      _ = conflict.lasted()
    }
    if ending.leaveUntil.map({ $0 <= now.boot }) ?? false {
      if ending.isMoving {
        move(isAborted: true, at: now)
        carryOut(at: now, into: &effects)
      } else {
        abort(at: now, into: &effects)
      }
    }
    if let reason = commands.gate.elapse(at: now.boot) { effects.notes.append(.commandsRefused("Homie: \(reason)")) }
    if commands.gate.isRetryDue(at: now.boot) { commands.gate.tryAgain(nonce: nonce(), at: now.boot) }
  }

  // MARK: Commands

  /// The process or the machine may have stood still: commands that waited in the socket look live.
  mutating func doubtCommands(at now: Moment, due: BootClock.Instant?) {
    guard commands.gate.hasStoodStill(at: now, due: due) else { return }
    commands.gate.doubt(nonce: nonce(), at: now.boot)
  }

  /// What was asked since this was.
  mutating func takeHeard() -> [HomieCommands.Heard] { commands.takeHeard() }

  /// What was asked for is decided.
  mutating func answered(
    _ delivery: Session.Delivery, at now: Moment, into effects: inout Effects
  ) {
    link.accept(delivery, at: now.boot, into: &linkEffects)
    carryOut(at: now, into: &effects)
  }

  /// A command is obeyed: `$target` has its payload, byte for byte.
  mutating func accepted(_ name: String, _ bytes: ByteBuffer, _ value: Value) {
    if let node = nodes[name] { lifecycle.accept(bytes, value, of: node) }
  }

  /// What was asked for and will not be is none of what `$target` says.
  mutating func refused(_ name: String) { if let node = nodes[name] { lifecycle.refuse(node) } }

  /// - Parameter value: what an output is to be, by its name; nil: nobody holds it.
  mutating func setTargets(_ value: (String) -> Value?) {
    for (node, name) in lifecycle.targeted { if let value = value(name) { lifecycle.target(value, of: node) } }
  }

  private mutating func nonce() -> String { String(generator.next(), radix: 16) }

  private mutating func watchCommands(at now: Moment) {
    guard let filter = commands.filter else { return }
    let subscription = Subscription(
      filter, qos: .exactlyOnce, retainAsPublished: true, retainHandling: .doNotSend)
    do throws(Session.Rejection) {
      try link.subscribe([subscription], token: HomieRequest.commands, at: now.boot, into: &linkEffects)
      // The server keeps no session of this connection: nothing can have waited.
      commands.gate.subscribing(isNew: true)
    } catch {
      commands.gate.refuse("\(error)")
    }
  }

  private mutating func subscribed(_ codes: [ReasonCode], at now: Moment, into effects: inout Effects) {
    guard let code = codes.first(where: \.isError) else {
      return commands.gate.subscribed(nonce: nonce(), at: now.boot)
    }
    let reason = "Homie: the broker does not let this device subscribe to its commands: \(code)"
    commands.gate.refuse(reason)
    effects.notes.append(.commandsRefused(reason))
  }

  private mutating func heard(_ delivery: Session.Delivery, at now: Moment) {
    if !commands.hear(delivery) { link.accept(delivery, at: now.boot, into: &linkEffects) }
  }

  /// Its own word, behind which commands are new again.
  private mutating func sendFence(_ limits: ServerLimits, at now: Moment) {
    guard let nonce = commands.gate.unsent, let fence = commands.fence else { return }
    let message = Message(topic: fence, payload: ByteBuffer(string: nonce), qos: .atLeastOnce)
    let isSent: Void? = try? link.publish(
      message.adapted(to: limits), token: HomieRequest.fence, transient: true, at: now.boot, into: &linkEffects)
    if isSent != nil { commands.gate.sent() }
  }

  /// - Parameter isStored: it may be published; a farewell leaves nothing behind that is not known.
  mutating func drain(isStored: Bool, at now: Moment, into effects: inout Effects) {
    if isStored || ending.isLeaving || ending.isMoving { pull(at: now, into: &effects) }
    carryOut(at: now, into: &effects)
    link.endTurn(at: now.boot, into: &linkEffects)
    carryOut(at: now, into: &effects)
  }

  private mutating func pull(at now: Moment, into effects: inout Effects) {
    guard let limits else { return }
    sendFence(limits, at: now)
    while link.room(for: .exactlyOnce) > 0, let publication = lifecycle.next() {
      do throws(Session.Rejection) {
        try link.publish(
          publication.message.adapted(to: limits), token: publication.token, transient: true, at: now.boot,
          into: &linkEffects)
      } catch {
        effects.notes.append(.homieNotPublished(publication.message.topic, error))
        _ = lifecycle.settled(publication.token, isDelivered: false)
      }
    }
  }

  private mutating func carryOut(at now: Moment, into effects: inout Effects) {
    while true {
      if let action = linkEffects.nextAction() {
        switch consume action {
        case .send(let packet): effects.add(.send(.homie, packet))
        case .settled(let token, let outcome): settled(token, outcome, at: now, into: &effects)
        case .deliver(let delivery): heard(delivery, at: now)
        case .answered(HomieRequest.commands, let codes): subscribed(codes, at: now, into: &effects)
        default: break
        }
      } else if let order = linkEffects.nextOrder() {
        take(order, at: now, into: &effects)
      } else {
        break
      }
    }
    linkEffects.removeAll()
  }

  private mutating func take(_ order: Link.Order, at now: Moment, into effects: inout Effects) {
    switch order {
    case .open(let number, let server, let version): effects.add(.open(.homie, number, server, version))
    case .close(let number, let closing): effects.add(.close(.homie, number, closing))
    case .askConnect(let number, _, _):
      var connect = plan.connect
      connect.will = lifecycle.will
      link.handle(.connectPacket(number, connect), at: now.boot, into: &linkEffects)
    case .report(.connected(let connected, let server)):
      effects.add(.agreed(.homie, connected.limits))
      hasReached = true
      effects.notes.append(.homieConnected(server, plan.device.base, isNews: outage?.connected() ?? true))
      limits = connected.limits
      due.stableAt = now.boot + plan.link.reconnect.stableAfter
      introduce(at: now)
      watchCommands(at: now)
    case .report(.lost(let loss, let delay)): lost(loss, retryAfter: delay, at: now, into: &effects)
    case .probe(let number, let server): effects.add(.probe(.homie, number, server))
    case .report(.firstServerIsBack): returnToFirst(at: now)
    case .report, .write, .flushed: break
    }
  }

  private mutating func introduce(at now: Moment) {
    lifecycle.connected()
    due.patienceEnds = now.boot + HomieLifecycle.patience
  }

  private mutating func lost(
    _ loss: ConnectionLoss, retryAfter delay: Duration?, at now: Moment, into effects: inout Effects
  ) {
    limits = nil
    due.patienceEnds = nil
    due.stableAt = nil
    lifecycle.lost()
    commands.lost()
    guard !ending.isLeaving else {
      let needsAbort = !link.isStopped
      end()
      if needsAbort { link.handle(.abort, at: now.boot, into: &linkEffects) }
      return
    }
    guard var delay else {
      effects.notes.append(.homieDisconnected(loss))
      return end()
    }
    guard !ending.isMoving else {
      ending.isMoving = false
      lifecycle.comeBack()
      // The connection ended before the server had acknowledged anything.
      if ending.leaveUntil != nil { move(isAborted: false, at: now) }
      return
    }
    // Two with one client identifier slow down, as the agent's own connection does.
    if let wait = conflict.lost(isTakenOver: loss.isTakeOver, share: generator.share()) {
      link.handle(.wait(wait), at: now.boot, into: &linkEffects)
      delay = wait
    }
    if outage == nil { outage = Outage(since: now.boot) }
    effects.notes.append(
      .homieLost(loss, retryAfter: delay, outage?.failed("\(loss)", at: now.boot) ?? .news))
  }

  private mutating func settled(
    _ token: Session.Token, _ outcome: Session.Outcome, at now: Moment, into effects: inout Effects
  ) {
    if case .refused(let code) = outcome { effects.notes.append(.homieRefused(code)) }
    switch lifecycle.settled(token, isDelivered: outcome == .delivered) {
    case .described:
      let announcement = plan.device.announcement
      guard kept.stored != announcement else { return }
      kept.stored = announcement
      kept.unstored = announcement
    case .disconnect where ending.isMoving: move(isAborted: false, at: now)
    case .disconnect: link.handle(.disconnect(.success, within: .seconds(1)), at: now.boot, into: &linkEffects)
    case nil: break
    }
  }
}
