import NIOCore
import Time

/// Carries the session's changes to its store: one write at a time, on the store's own thread.
extension Client {
  func store(_ change: SessionChange, _ ticket: Session.StoreTicket?) {
    guard configuration.store != nil else { return }
    storeQueue.add(change, ticket: ticket, at: .now)
    hasChanges = true
    if let ticket = storeQueue.skippedTicket { session.stored(through: ticket, at: .now, into: &actions) }
  }

  func own(_ owner: SessionOwner) {
    guard owner != self.owner else { return }
    self.owner = owner
    store(.owner(owner), nil)
    // Not with what follows, which may come to nothing: a process that is killed now would find a session on the server
    // that it does not know, and connect twice to be rid of it.
    if let changes = storeQueue.takeAll() { write(changes) }
  }

  /// The store has another file than before, which knows nothing of the session: all of it is written there at once.
  public func storeBeginsAnew() {
    guard configuration.store != nil else { return }
    storeQueue.storeHasNothing(at: .now)
    if let owner { store(.owner(owner), nil) }
    session.storeAll(into: &actions)
    perform()
    writeIfDue()
  }

  /// After every turn in which something may have changed.
  func writeIfDue() {
    hasChanges = false
    if let changes = storeQueue.take(at: .now) {
      write(changes)
    } else {
      armStoreTimer()
    }
  }

  /// Writes what there is, due or not, and returns when it is written or cannot be, for this reason.
  @discardableResult
  public func flushStore() async -> (any Error)? {
    guard !storeQueue.isIdle else { return nil }
    return await withCheckedContinuation { waiter in
      storeWaiters.append(waiter)
      if let changes = storeQueue.takeAll() { write(changes) }
    }
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
    for waiter in storeWaiters { waiter.resume(returning: error) }
    storeWaiters = []
  }

  /// Moved forward only: what fires early just asks again. Taken back when there is nothing to wait for, or each reading
  /// of a quiet device would wake it up twice.
  private func armStoreTimer() {
    guard let deadline = storeQueue.deadline else {
      storeTimer?.task.cancel()
      storeTimer = nil
      return
    }
    if let storeTimer, storeTimer.at <= deadline { return }
    storeTimer?.task.cancel()
    let task = after(max(.zero, BootClock.now.duration(to: deadline))) { client in
      client.storeTimer = nil
      client.writeIfDue()
    }
    storeTimer = (deadline, task)
  }
}
