import Planning
import Platform
import Records
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
    if error.isDamage { damage = error }
    if error.isDamage || error.kind == .fileIsGone { reopenStore() }
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
    storeClearings()
    tellBirth()
    logger.notice("the storage can be written again")
    storeInstance()
  }

  /// At the start it could not be, perhaps: the next run would take what this one said for a rival's.
  private func storeInstance() {
    guard let store else { return }
    let instance = plan.presence.instance
    Task {
      do throws(StorageError) { try await store.addInstance(instance) } catch { storageFails(error) }
    }
  }

  /// Tries until it is open.
  func reopenStore() {
    guard let store, !departure.isLeaving else { return }
    isReopening = true
    let wait = reopening.wait(hadFile: outbox.disk.isOpen, at: .now)
    outbox.lostDisk(at: .now)
    _ = after(wait) { daemon in Task { await daemon.reopen(store) } }
  }

  private func reopen(_ store: StateStore) async {
    do throws(StorageError) {
      let state = try await store.reopen(replacing: damage)
      if let aside = state.keptAside, damage != nil {
        logger.error("the storage was damaged and begins anew; the damaged file is kept as \(aside.path)")
      }
      damage = nil
      if let identity = plan.identity, let stored = state.identity, !DeviceIdentity.holds(identity, beside: stored) {
        return await leaveAlone(store, of: stored)
      }
      try await store.raiseEpoch(to: epoch)
      try await store.addInstance(plan.presence.instance)
      if let identity = plan.identity, state.identity != identity { try await store.setIdentity(identity) }
      let stored = try await store.openOutbox(
        device: plan.device, boot: BootIdentity.read(in: plan.root), names: plan.streams.map(\.name))
      adopt(stored, state)
    } catch {
      logger.debug("\(error)")
      // Opened, and found damaged behind that: that file is kept aside first, too.
      if error.isDamage { damage = error }
      reopenStore()
    }
  }

  /// The storage belongs to a device that this one is, and could not know: it began as another, since the board has no
  /// name of its own. What waits there is the other's, and is sent by it.
  private func leaveAlone(_ store: StateStore, of identity: StoredIdentity) async {
    await store.letGo()
    let reason =
      "the storage can be opened now, and says that this device is \(identity.id); it began as \(plan.device) and goes "
      + "on so, in memory: restart limpet, and it is \(identity.id) again"
    storageError = reason
    logger.error("\(reason)")
  }

  private func adopt(_ stored: StoredOutbox, _ state: StoredState) {
    numbering.adopt(state.sequences, lastToken: stored.sections.last?.last)
    if stored.unreadable > 0 {
      logger.error("\(stored.unreadable) stored readings said nothing; they are removed, and counted as dropped")
    }
    outbox.open(stored, names: plan.streams.map(\.name), booted: BootIdentity.booted, at: .now)
    if !hasOpenedStore {
      // The session of an earlier process, which this one began without: what it had under way is sent as new.
      leftOver.append(contentsOf: state.session.messages)
      lateMessages.formUnion(state.session.messages.map(\.token))
      hasOpenedStore = true
    }
    clearings.found(stored.clearings)
    client?.assumeIsolated { $0.storeBeginsAnew() }
    isReopening = false
    reopening.opened(at: .now)
    lines.storeBeginsAnew()
    storageWorks()
    storeClearings()
    storeCounts()
    let found = state.announcements
    Task { await storeAnnouncements(besides: found) }
    numberReadings()
    pump()
  }
}
