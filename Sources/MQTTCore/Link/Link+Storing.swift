import LimpetInstants

/// The session's changes on their way to its store: one write at a time.
extension Link {
  /// - Parameter ticket: the packets with this ticket wait for the write; while the store fails or is late, no packet
  ///   waits.
  mutating func store(
    _ change: SessionChange, _ ticket: MQTTSession.StoreTicket?, at now: Instant, into effects: inout Effects
  ) {
    guard settings.isStored else { return }
    unqueued.append(change)
    guard ticket != nil else { return }
    queueChanges(ticket, at: now)
    if let ticket = storeQueue.skippedTicket { session.stored(through: ticket, at: now, into: &effects.actions) }
  }

  /// - Parameter ticket: of the last of them.
  private mutating func queueChanges(_ ticket: MQTTSession.StoreTicket? = nil, at now: Instant) {
    guard let last = unqueued.popLast() else { return }
    for change in unqueued { storeQueue.add(change, ticket: nil, at: now) }
    storeQueue.add(last, ticket: ticket, at: now)
    unqueued.removeAll(keepingCapacity: true)
  }

  mutating func own(_ owner: SessionOwner, at now: Instant, into effects: inout Effects) {
    guard owner != self.owner else { return }
    self.owner = owner
    store(.owner(owner), nil, at: now, into: &effects)
    queueChanges(at: now)
    // Not with what follows, which may come to nothing: a process that is killed now would find a session on the server
    // that it does not know, and connect twice to be rid of it.
    write(storeQueue.takeAll(at: now), into: &effects)
  }

  /// All of the session is written at once.
  mutating func storeBeginsAnew(at now: Instant, into effects: inout Effects) {
    guard settings.isStored else { return }
    queueChanges(at: now)
    storeQueue.storeHasNothing(at: now)
    if let owner { store(.owner(owner), nil, at: now, into: &effects) }
    session.storeAll(at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  mutating func writeIfDue(at now: Instant, into effects: inout Effects) {
    queueChanges(at: now)
    write(storeQueue.take(at: now), into: &effects)
  }

  mutating func flushStore(at now: Instant, into effects: inout Effects) {
    queueChanges(at: now)
    guard !storeQueue.isIdle else { return effects.orders.append(.flushed(isDone: true)) }
    isFlushing = true
    write(storeQueue.takeAll(at: now), into: &effects)
  }

  private mutating func write(_ changes: [SessionChange]?, into effects: inout Effects) {
    guard let changes else { return }
    writes += 1
    effects.orders.append(.write(writes, changes))
  }

  mutating func stored(_ number: WriteNumber, isDone: Bool, at now: Instant, into effects: inout Effects) {
    guard number == writes, storeQueue.isWriting else { return }
    queueChanges(at: now)
    let wasWorking = !storeQueue.isFailing && !storeQueue.isLate
    let tokens = isDone ? storeQueue.writtenTokens : []
    let ticket = storeQueue.finished(isDone, at: now)
    if !isDone || !wasWorking { effects.orders.append(.report(.storing(isDone ? .works : .fails))) }
    if !tokens.isEmpty { effects.orders.append(.report(.stored(tokens))) }
    session.stored(through: ticket, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
    guard isFlushing else { return }
    if isDone, let changes = storeQueue.takeAll(at: now) { return write(changes, into: &effects) }
    isFlushing = false
    effects.orders.append(.flushed(isDone: isDone))
  }

  /// Nobody waits for the store any longer: the session goes on in memory, until it has answered.
  mutating func storeIsLate(at now: Instant, into effects: inout Effects) {
    storeQueue.giveUpWaiting()
    effects.orders.append(.report(.storing(.late)))
    guard let ticket = storeQueue.skippedTicket else { return }
    session.stored(through: ticket, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }
}
