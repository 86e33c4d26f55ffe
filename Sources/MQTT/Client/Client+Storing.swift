import Instants
import MQTTCore
import NIOCore
import Platform

/// Carries the session's changes to its store: one write at a time, on the store's own thread.
extension Client {
  func store(_ change: SessionChange, _ ticket: Session.StoreTicket?) {
    guard configuration.store != nil else { return }
    hasChanges = true
    lateChanges.append(change)
    guard ticket != nil else { return }
    collectChanges(ticket)
    if let ticket = storeQueue.skippedTicket { session.stored(through: ticket, at: .now, into: &actions) }
  }

  /// - Parameter ticket: of the last of them.
  private func collectChanges(_ ticket: Session.StoreTicket? = nil, at now: Session.Instant = .now) {
    guard let last = lateChanges.popLast() else { return }
    for change in lateChanges { storeQueue.add(change, ticket: nil, at: now) }
    storeQueue.add(last, ticket: ticket, at: now)
    lateChanges.removeAll(keepingCapacity: true)
  }

  func own(_ owner: SessionOwner) {
    guard owner != self.owner else { return }
    self.owner = owner
    store(.owner(owner), nil)
    collectChanges()
    // Not with what follows, which may come to nothing: a process that is killed now would find a session on the server
    // that it does not know, and connect twice to be rid of it.
    if let changes = storeQueue.takeAll() { write(changes) }
  }

  /// The store has another file than before, which knows nothing of the session: all of it is written there at once.
  public func storeBeginsAnew() {
    guard configuration.store != nil else { return }
    collectChanges()
    storeQueue.storeHasNothing(at: .now)
    if let owner { store(.owner(owner), nil) }
    session.storeAll(into: &actions)
    perform()
    writeIfDue()
  }

  /// After every turn in which something may have changed.
  func writeIfDue() {
    hasChanges = false
    let now = Session.Instant.now
    collectChanges(at: now)
    if let changes = storeQueue.take(at: now) {
      write(changes)
    } else {
      armStoreTimer(at: now)
    }
  }

  /// Writes what there is, due or not, and returns when it is written or cannot be, for this reason.
  @discardableResult
  public func flushStore() async -> (any Error)? {
    collectChanges()
    guard !storeQueue.isIdle else { return nil }
    let waiter = Awaited<(any Error)?>()
    storeWaiters.append(waiter)
    if let changes = storeQueue.takeAll() { write(changes) }
    return await waiter.value
  }

  private func write(_ changes: [SessionChange]) {
    guard let store = configuration.store else { return }
    Task {
      do {
        try await store.apply(changes)
        wrote(changes, nil)
      } catch { wrote(changes, error) }
    }
  }

  private func wrote(_ changes: [SessionChange], _ error: (any Error)?) {
    collectChanges()
    let wasFailing = storeQueue.isFailing
    let ticket = storeQueue.finished(error == nil, at: .now)
    if error != nil || wasFailing { delegate?.client(self, did: .storing(error)) }
    if error == nil {
      let tokens = changes.compactMap { if case .message(let message, _) = $0 { message.token } else { nil } }
      if !tokens.isEmpty { delegate?.client(self, did: .stored(tokens)) }
    }
    session.stored(through: ticket, at: .now, into: &actions)
    // What came up meanwhile, or could not be written, has waited for this and no timer.
    hasChanges = true
    perform()
    guard !storeWaiters.isEmpty else { return }
    if error == nil {
      if let changes = storeQueue.takeAll() { return write(changes) }
      if !storeQueue.isIdle { return }
    }
    for waiter in storeWaiters { waiter.give(error) }
    storeWaiters = []
  }

  /// Moved forward only: what fires early just asks again. Taken back when there is nothing to wait for, or each reading
  /// of a quiet device would wake it up twice; where changes come faster than the timer fires it is left alone, since
  /// taking it back and setting it again would be the most of what each of them costs.
  private func armStoreTimer(at now: Session.Instant) {
    guard let deadline = storeQueue.deadline else {
      guard !changesQuickly else { return }
      storeTimer?.task.cancel()
      storeTimer = nil
      return
    }
    changesQuickly = lastChange.map { $0.duration(to: now) < storeQueue.delay } ?? false
    lastChange = now
    if let storeTimer, storeTimer.at <= deadline { return }
    storeTimer?.task.cancel()
    let task = after(max(.zero, now.duration(to: deadline))) { client in
      client.storeTimer = nil
      client.writeIfDue()
    }
    storeTimer = (deadline, task)
  }
}
