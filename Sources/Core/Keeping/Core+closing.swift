import LimpetInstants
import MQTTCore
import Records

/// The end: what must be in the store for the next start, once nothing more is said to anybody.
struct Closing: Sendable {
  /// Nothing is measured any more, and the Homie device takes its leave.
  var isLeaving = false
  /// How long a disk may take at the end: systemd kills what takes much longer.
  static let limit = Duration.seconds(10)

  var deadline: BootClock.Instant?
  /// Until when outputs may take to get the level they are left with, and the store waits for their reports.
  var outputsDeadline: BootClock.Instant?
  /// One of its own requests has failed: but for the last words none follows.
  private(set) var hasFailed = false
  var hasFlushed = false
  var saysLast = false
  var hasSaidLast = false
  var hasExited = false

  /// A request has failed: it may be one from before, which says nothing about those that follow.
  mutating func requestFailed() { hasFailed = hasFailed || hasFlushed }
}

extension Core {
  mutating func asked(_ wish: Wish, at now: Moment) {
    switch wish {
    case .stop where isLeaving || conversation.leaving.askingUntil != nil: abort(at: now)
    case .stop: stop(because: nil, at: now)
    case .stopBecause(let reason): stop(because: reason, at: now)
    case .abort: abort(at: now)
    }
  }

  private mutating func abort(at now: Moment) {
    homie.abort(at: now, into: &conversation.effects)
    conversation.abort(at: now)
  }

  private mutating func stop(because reason: StopReason?, at now: Moment) {
    guard !conversation.leaving.isLeaving else { return }
    if conversation.leaving.askingUntil == nil { serving.stops(at: now, into: &conversation.effects) }
    conversation.stop(because: reason, isIdle: false, at: now)
  }

  /// Readings that were taken and that the broker does not have.
  package var unsent: Int { conversation.sender.unsent + numbering.waitingCount }

  /// Those of them that end with the process.
  var inMemory: Int {
    let sender = conversation.sender
    let lateUnderWay = sender.late.count - sender.leftOver.count { sender.late.contains($0.token) }
    let underWay = max(0, sender.underWay - sender.outbox.underWay.count - lateUnderWay)
    return (sender.outbox.disk.isOpen ? sender.outbox.disk.unwritten : sender.outbox.count) + numbering.waitingCount
      + (conversation.plan.link.isStored ? 0 : underWay)
  }

  /// Nothing waits that may go, nothing is under way, nothing is being read, and the broker has forgotten what it should.
  private var isIdle: Bool {
    unsent == conversation.restingCount && !sampling.isReading && !isWatching && counting.isEmpty
      && conversation.sender.clearings.count == 0 && conversation.acting.outputs.isReleased
  }

  /// After a stop was asked for: lets go of what is measured, and says good-bye when nothing is left.
  mutating func leaveIfDone(at now: Moment) {
    guard conversation.leaving.isLeaving else { return }
    if !closing.isLeaving {
      closing.isLeaving = true
      if isWatching { effects.orders.append(.stopWatching) }
      stopActing(at: now)
      homie.leave(within: conversation.plan.shutdownTimeout, at: now, into: &conversation.effects)
    }
    // Without a connection there is nobody to say it to: the attempt that is under way comes first.
    guard isIdle, conversation.standing.connection != nil || plan.link.mutation == .farewellNeedsNoConnection else {
      return
    }
    conversation.perform(conversation.leaving.departure.settled(isIdle: true), at: now)
    conversation.carryOut(at: now)
  }

  /// Once nothing more is said: the rest is written, and then everything is over.
  mutating func close(at now: Moment) {
    guard !closing.hasExited else { return }
    if !conversation.leaving.isLeaving { homie.abort(at: now, into: &conversation.effects) }
    guard homie.hasEnded else { return }
    guard let deadline = closing.deadline else {
      if isWatching { effects.orders.append(.stopWatching) }
      if !closing.isLeaving { stopActing(at: now) }
      closing.deadline = now.boot + Closing.limit
      closing.outputsDeadline = now.boot + Closing.limit / 2
      return close(at: now)
    }
    if let limit = closing.outputsDeadline {
      guard conversation.acting.outputs.isReleased || limit <= now.boot else { return }
      closing.outputsDeadline = nil
      if !conversation.acting.outputs.isReleased {
        effects.notes.append(.outputsDoNotAnswer(within: Closing.limit / 2))
      }
    }
    guard now.boot < deadline else {
      effects.notes.append(.storeDoesNotAnswer(within: Closing.limit))
      return exit()
    }
    guard keeping.isOpen else { return exit() }
    guard keeping.isFree else { return }
    numberReadings(at: now)
    if !closing.hasFlushed {
      closing.hasFlushed = true
      conversation.ownPresence.owed.end()
      conversation.handle(.flushStore, at: now)
    }
    if let streams = conversation.sender.outbox.nextNaming(isLast: true, at: now.boot), !closing.hasFailed {
      return askToName(streams, at: now)
    }
    if !closing.hasFailed, writeTheRest(at: now) { return }
    guard !closing.saysLast else { return exit() }
    closing.saysLast = true
    sayLast(at: now)
  }

  private mutating func writeTheRest(at now: Moment) -> Bool {
    var parts = Keeping.Parts()
    var changes = StoreChanges()
    if let write = conversation.wishes.write {
      conversation.wishes.write = nil
      parts.session = write.number
      changes.session = write.changes
    }
    let streams = conversation.plan.streams
    if let batch = conversation.sender.outbox.takeBatch(all: true, { streams[$0].name }, now.wall, at: now.boot) {
      parts.hasBatch = true
      changes.readings = batch
    }
    gatherTheRest(into: &changes, &parts)
    guard !changes.isEmpty else { return false }
    ask(.write(parts), .write(changes), at: now)
    return true
  }

  private mutating func sayLast(at now: Moment) {
    let lost = inMemory
    let kept = unsent - lost
    if kept > 0 { effects.notes.append(.keptForNextStart(kept)) }
    if lost > 0 { effects.notes.append(.lostWithProcess(lost)) }
    var parts = Keeping.Parts()
    parts.isLast = true
    parts.counts = lines.movedCounts
    var changes = StoreChanges()
    changes.exact = numbering.exact
    changes.counts = lines.movedCounts
    if conversation.leaving.ending == true {
      changes.lastStop = LastStop(
        reason: conversation.leaving.reason.rawValue, time: now.timestamp.milliseconds)
    }
    ask(.write(parts), .write(changes), at: now)
  }

  private mutating func exit() {
    if !closing.saysLast {
      let lost = inMemory
      if lost > 0 { effects.notes.append(.lostWithProcess(lost)) }
    }
    closing.hasExited = true
    closing.deadline = nil
    effects.orders.append(.exit(isClean: conversation.leaving.ending ?? false))
  }
}
