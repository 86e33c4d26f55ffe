import Storage

/// A store that fails: the agent goes on in memory, says so, and returns to the disk when it can.
extension Daemon {
  func storageFails(_ error: StorageError) {
    if storageError == nil {
      storageError = "\(error)"
      logger.error("\(error); the agent goes on in memory: a restart may repeat or skip sequence numbers")
      tellBirth()
    }
    guard outbox.disk.isOpen, !isReopening else { return }
    switch error.kind {
    case .corrupt, .notADatabase:
      damage = error
      reopenStore()
    case .fileIsGone: reopenStore()
    default: break
    }
  }

  /// It has not answered: nobody waits for it, and it may have written all the same.
  func storageIsLate(_ error: any Error) {
    guard storageError == nil else { return }
    storageError = "\(error)"
    logger.error("\(error): a restart before that may repeat or skip sequence numbers")
    tellBirth()
  }

  func storageWorks() {
    // A file that is given up, or not open yet, says nothing about the next.
    guard storageError != nil, !isReopening else { return }
    storageError = nil
    tellBirth()
    logger.notice("the storage can be written again")
  }

  /// Tries until it is open: at once where a file was given up, else after a while.
  func reopenStore() {
    guard let store, !departure.isLeaving else { return }
    isReopening = true
    let wait = outbox.disk.isOpen ? .zero : reopenDelay
    outbox.lostDisk(at: .now)
    reopenDelay = min(reopenDelay * 2, .seconds(60))
    _ = after(wait) { daemon in Task { await daemon.reopen(store) } }
  }

  private func reopen(_ store: StateStore) async {
    do throws(StorageError) {
      let state = try await store.reopen(replacing: damage)
      if let aside = state.keptAside, damage != nil {
        logger.error("the storage was damaged and begins anew; the damaged file is kept as \(aside.path)")
      }
      damage = nil
      try await store.raiseEpoch(to: epoch)
      if let identity = plan.identity, state.identity == nil { try await store.setIdentity(identity) }
      let stored = try await store.openOutbox(
        device: plan.device, boot: BootIdentity.read(in: plan.root), names: plan.streams.map(\.name))
      adopt(stored, state)
    } catch {
      logger.debug("\(error)")
      reopenStore()
    }
  }

  private func adopt(_ stored: StoredOutbox, _ state: StoredState) {
    numbers.adopt(state.sequences)
    // Asks for all blocks anew.
    numbers.storageIsUnavailable()
    nextToken = max(nextToken, (stored.sections.last?.last ?? 0) + 1)
    outbox.open(stored, names: plan.streams.map(\.name), booted: BootIdentity.booted, at: .now)
    if !hasOpenedStore {
      // The session of an earlier process, which this one began without: what it had under way is sent as new.
      leftOver.append(contentsOf: state.session.messages)
      hasOpenedStore = true
    }
    client?.assumeIsolated { $0.storeBeginsAnew() }
    isReopening = false
    reopenDelay = Self.shortestReopening
    inputs.storedCounts = [:]
    storageWorks()
    storeCounts()
    let found = state.announcements
    Task { await storeAnnouncements(besides: found) }
    numberReadings()
    pump()
  }
}
