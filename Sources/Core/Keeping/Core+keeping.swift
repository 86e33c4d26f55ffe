import Discovery
import LimpetInstants
import MQTTCore
import Outbox
import Readings
import Records

/// What the store is asked, and what its answers change.
extension Core {
  /// When something is due for the store, or its answer.
  mutating func storeDeadline(at now: BootClock.Instant) -> BootClock.Instant? {
    guard keeping.isFree else { return keeping.lateAt }
    // What is left is written by `close`, when the Homie device has taken its leave.
    guard !conversation.leaving.hasEnded else { return nil }
    switch keeping.phase {
    case .none, .leftAlone, .opening, .adopting: return nil
    case .closed(let until): return conversation.leaving.isLeaving ? nil : until
    case .open:
      return earliest(
        conversation.sender.outbox.storeDeadline(at: now), numbering.deadline,
        hasPutOff || keeping.isUnproven ? keeping.retryAt : nil)
    }
  }

  /// The time has come for something that `askStore` does not see by itself.
  mutating func storeIsDue(at now: Moment) {
    if let lateAt = keeping.lateAt, lateAt <= now.boot {
      keeping.isLateNow()
      if keeping.say(Note.storeIsLateText) { note(.storeIsLate, at: now) }
    }
  }

  /// A file that was in use is replaced in the turn that gives it up.
  private mutating func reopenIfDue(at now: Moment) {
    guard case .closed(let until) = keeping.phase, keeping.isFree, until <= now.boot,
      !conversation.leaving.isLeaving
    else { return }
    keeping.phase = .opening
    ask(.opening, .reopen(replacing: keeping.damage), at: now)
  }

  /// CONNECT has an epoch that is one more than in every CONNECT before, across restarts as long as it can be stored. A
  /// disk that fails or hangs keeps no device offline: the epoch goes on unsaved then.
  mutating func answerConnect(at now: Moment) {
    goOnWithoutStore()
    guard conversation.wishes.connect != nil, keeping.isOfNoUse else { return }
    if keeping.isOpen, conversation.plan.link.mutation == .lateStoreBlocksConnect { return }
    keeping.runIsUnstored = true
    conversation.connect(epoch: conversation.ownPresence.epoch + 1, at: now)
  }

  /// What is said to home automation waits for no store that takes nothing.
  mutating func goOnWithoutStore() {
    if keeping.isOfNoUse || keeping.error != nil { conversation.announcing.storeIsOfNoUse() }
  }

  /// One request with all that is due; nothing while another is under way.
  mutating func askStore(at now: Moment) {
    guard !conversation.leaving.hasEnded else { return }
    refuseWhatCannotBeStored(at: now)
    reopenIfDue(at: now)
    guard keeping.isOpen, keeping.isFree else { return }
    if keeping.readsNext, askToRead(at: now) { return }
    if let streams = conversation.sender.outbox.nextNaming(at: now.boot) { return askToName(streams, at: now) }
    if let due = gather(at: now) { return ask(.write(due.parts), .write(due.changes), at: now) }
    _ = askToRead(at: now)
  }

  mutating func ask(_ subject: Keeping.Subject, _ request: StoreRequest, at now: Moment) {
    effects.store = (keeping.begin(subject, at: now.boot), request)
  }

  private mutating func askToRead(at now: Moment) -> Bool {
    guard let read = conversation.sender.outbox.nextRead(at: now.boot) else { return false }
    ask(.reading(read), .read(number: read.number, ranges: read.ranges, limit: read.limit), at: now)
    return true
  }

  mutating func askToName(_ streams: [StreamID], at now: Moment) {
    let names = streams.map { conversation.plan.streams[$0].name }
    ask(.naming(streams, names: names), .number(names), at: now)
  }

  // MARK: What is to be written

  /// Something waits until a write that failed may be tried again.
  private var hasPutOff: Bool {
    mutating get {
      keeping.countsAreDue || conversation.acting.outputs.hasUnstored || conversation.sender.clearings.hasChanges
        || conversation.announcing.hasUnstored
        || homie.hasUnstored || conversation.ownPresence.owed.hasChanges || !conversation.wishes.setAside.isEmpty
    }
  }

  /// - Returns: nil: nothing is due.
  private mutating func gather(at now: Moment) -> (changes: StoreChanges, parts: Keeping.Parts)? {
    let reserved = numbering.request(at: now.boot)
    let streams = conversation.plan.streams
    let batch = conversation.sender.outbox.takeBatch({ streams[$0].name }, now.wall, at: now.boot)
    let isDue =
      conversation.wishes.connect != nil || conversation.wishes.write != nil || !reserved.isEmpty || batch != nil
    guard isDue || (hasPutOff || keeping.isUnproven) && keeping.mayRetry(at: now.boot) else { return nil }
    var changes = StoreChanges()
    var parts = Keeping.Parts()
    if let asked = conversation.wishes.connect {
      conversation.owesFarewell(at: asked.server)
      parts.epoch = conversation.ownPresence.epoch + 1
      changes.epoch = parts.epoch
    }
    if let write = conversation.wishes.write {
      conversation.wishes.write = nil
      parts.session = write.number
      changes.session = write.changes
    }
    parts.reserved = reserved
    changes.reserved = reserved
    parts.hasBatch = batch != nil
    changes.readings = batch
    gatherTheRest(into: &changes, &parts)
    // Where nothing is left of what failed, something shows whether the store works again.
    if changes.isEmpty && keeping.isUnproven { changes.epoch = conversation.ownPresence.epoch }
    return changes.isEmpty ? nil : (changes, parts)
  }

  /// What goes along with something else, or when there has been no failure.
  mutating func gatherTheRest(into changes: inout StoreChanges, _ parts: inout Keeping.Parts) {
    if keeping.countsAreDue {
      keeping.countsAreDue = false
      parts.counts = lines.takeMovedCounts()
      changes.counts = parts.counts ?? [:]
    }
    parts.outputs = (conversation.acting.outputs.unstored, conversation.acting.outputs.forgotten)
    changes.outputs = parts.outputs.kept
    changes.outputsForgotten = parts.outputs.forgotten
    parts.clearings = conversation.sender.clearings.takeChanges()
    changes.clearingsAdded = parts.clearings.added
    changes.clearingsRemoved = parts.clearings.removed
    parts.announcements = conversation.announcing.takeUnstored()
    parts.acknowledged = conversation.announcing.takeAcknowledged() + homie.takeUnstored()
    changes.announcements = parts.announcements + parts.acknowledged
    parts.forgotten = conversation.announcing.forgotten
    conversation.announcing.forgotten = []
    changes.forgotten = parts.forgotten
    parts.farewells = conversation.ownPresence.owed.takeChanges()
    changes.farewellsAdded = parts.farewells.added.map(\.stored)
    changes.farewellsRemoved = parts.farewells.removed.map(\.stored)
    parts.setAside = conversation.wishes.setAside
    conversation.wishes.setAside = []
    let owner = conversation.plan.connect.clientIdentifier
    changes.setAside = parts.setAside.map { SetAsideMessage(message: $0, owner: owner) }
    guard keeping.runIsUnstored else { return }
    parts.isAboutThisRun = true
    keeping.runIsUnstored = false
    changes.instance = conversation.plan.presence.instance
    changes.identity = conversation.plan.identity
    changes.epoch = changes.epoch ?? conversation.ownPresence.epoch
  }

  /// Where there is no store that takes anything, nobody waits for one.
  private mutating func refuseWhatCannotBeStored(at now: Moment) {
    guard !keeping.isOpen else { return }
    if let write = conversation.wishes.write {
      conversation.wishes.write = nil
      conversation.handle(.stored(write.number, isDone: false), at: now)
    }
    if case .none = keeping.phase { return }
    if !numbering.request(at: now.boot).isEmpty { numbering.reservationFailed(at: now.boot) }
  }

  // MARK: What it answers

  mutating func stored(_ ticket: StoreTicket, _ result: Result<StoreAnswer, StorageError>, at now: Moment) {
    guard let subject = keeping.answered(ticket) else { return }
    switch (subject, result) {
    case (.write(let parts), .success): wrote(parts, at: now)
    case (.write(let parts), .failure(let error)): writingFailed(parts, error, at: now)
    case (.naming(let streams, let names), .success(.numbered(let numbers))):
      conversation.sender.outbox.named(
        Dictionary(zip(streams, names).compactMap { stream, name in numbers[name].map { (stream, $0) } }) { $1 })
      storeWorks(at: now)
    case (.naming, .failure(let error)):
      conversation.sender.outbox.namingFailed(at: now.boot)
      closing.requestFailed()
      storeFails(error, at: now)
    case (.reading(let read), .success(.rows(let rows))):
      conversation.sender.outbox.loaded(rows, read, now.wall, at: now.boot)
      if keeping.error == Note.storeIsLateText { storeWorks(at: now) }
    case (.reading(let read), .failure(let error)):
      conversation.sender.outbox.loadingFailed(read, at: now.boot)
      storeFails(error, at: now)
    case (.opening, .success(.state(let state))): opened(state, at: now)
    case (.adopting(let state), .success(.outbox(let outbox))): adopt(outbox, state, at: now)
    case (.opening, .failure(let error)), (.adopting, .failure(let error)):
      effects.notes.append(.storeStaysClosed(error))
      // Opened, and found damaged behind that: that file is kept aside first, too.
      if error.isDamage { keeping.damage = error }
      closeStore(at: now)
    default: break
    }
  }

  private mutating func wrote(_ parts: Keeping.Parts, at now: Moment) {
    storeWorks(at: now)
    if parts.hasBatch { conversation.sender.outbox.wrote() }
    if !parts.reserved.isEmpty { numbering.reserved(parts.reserved) }
    if let counts = parts.counts { lines.storedCounts(counts) }
    conversation.acting.outputs.stored(parts.outputs.kept, without: parts.outputs.forgotten)
    conversation.announcing.isStoring = false
    if let session = parts.session { conversation.handle(.stored(session, isDone: true), at: now) }
    if let stored = parts.epoch {
      let epoch = max(stored, conversation.ownPresence.epoch + 1)
      if epoch > stored { keeping.runIsUnstored = true }
      conversation.connect(epoch: epoch, at: now)
    }
    if parts.isLast { closing.hasSaidLast = true }
  }

  private mutating func writingFailed(_ parts: Keeping.Parts, _ error: StorageError, at now: Moment) {
    if parts.hasBatch { conversation.sender.outbox.writingFailed(at: now.boot) }
    if !parts.reserved.isEmpty {
      numbering.reservationFailed(at: now.boot, isPatient: conversation.plan.link.mutation != .storeIsAskedAtOnce)
    }
    if parts.counts != nil {
      lines.storingFailed()
      keeping.countsAreDue = true
    }
    conversation.sender.clearings.storingFailed(parts.clearings)
    conversation.ownPresence.owed.storingFailed(parts.farewells)
    // A description is published all the same: the store would only have known how to take it back.
    conversation.announcing.isStoring = false
    conversation.announcing.acknowledged =
      parts.announcements + parts.acknowledged + conversation.announcing.acknowledged
    conversation.announcing.forgotten = parts.forgotten + conversation.announcing.forgotten
    conversation.wishes.setAside = parts.setAside + conversation.wishes.setAside
    if parts.isAboutThisRun || parts.epoch != nil { keeping.runIsUnstored = true }
    closing.requestFailed()
    if parts.isLast { closing.hasSaidLast = true }
    storeFails(error, at: now)
    if let session = parts.session { conversation.handle(.stored(session, isDone: false), at: now) }
    if parts.epoch != nil { conversation.connect(epoch: conversation.ownPresence.epoch + 1, at: now) }
  }

  // MARK: How it stands

  private mutating func note(_ note: Note, at now: Moment) {
    effects.notes.append(note)
    conversation.wishes.storageError = keeping.error
    conversation.publishBirth(at: now)
  }

  private mutating func storeWorks(at now: Moment) {
    guard keeping.works() else { return }
    note(.storeWorks, at: now)
  }

  private mutating func storeFails(_ error: StorageError, at now: Moment) {
    if keeping.fails("\(error)", at: now.boot) { note(.storeFails(error), at: now) }
    guard keeping.isOpen else { return }
    if error.isDamage { keeping.damage = error }
    if error.isDamage || error.kind == .fileIsGone { closeStore(at: now) }
  }

  /// It is tried until it is open.
  private mutating func closeStore(at now: Moment) {
    let wait = keeping.reopening.wait(hadFile: conversation.sender.outbox.disk.isOpen, at: now.boot)
    conversation.sender.outbox.lostDisk(at: now.boot)
    keeping.phase = .closed(until: now.boot + wait)
  }

  private mutating func opened(_ state: StoredState, at now: Moment) {
    if let aside = state.keptAside, keeping.damage != nil { effects.notes.append(.storeBeginsAnew(aside)) }
    keeping.damage = nil
    let plan = conversation.plan
    if let identity = plan.identity, let stored = state.identity, !identity.isOfSameBoard(as: stored) {
      // It began as another, since the board has no name of its own. What waits there is the other's, and is sent by it.
      let text = Note.storeIsAnothersText(device: plan.device, stored: stored.id)
      keeping.leaveAlone(text)
      note(.storeIsAnothers(text), at: now)
      return ask(.lettingGo, .letGo, at: now)
    }
    keeping.phase = .adopting
    ask(
      .adopting(state),
      .openOutbox(device: plan.device, boot: beginning.boot, names: plan.streams.map(\.name)), at: now)
  }

  private mutating func adopt(_ stored: StoredOutbox, _ state: StoredState, at now: Moment) {
    keeping.phase = .open
    keeping.reopening.opened(at: now.boot)
    numbering.adopt(state.sequences, lastToken: stored.sections.last?.last)
    if stored.unreadable > 0 { effects.notes.append(.unreadableReadings(stored.unreadable)) }
    let names = conversation.plan.streams.map(\.name)
    conversation.sender.outbox.open(stored, names: names, booted: beginning.booted, at: now.boot)
    if !keeping.hasOpened {
      // The session of an earlier process, which this one began without: what it had under way is sent as new.
      conversation.sender.leftOver.append(contentsOf: state.session.messages)
      conversation.sender.late.formUnion(state.session.messages.map(\.token))
      keeping.hasOpened = true
    }
    conversation.ownPresence.epoch = max(conversation.ownPresence.epoch, state.epoch)
    conversation.sender.clearings.found(stored.clearings)
    conversation.ownPresence.owed.found(state.farewells, client: conversation.plan.connect.clientIdentifier)
    conversation.found(instances: state.instances, at: now)
    lines.storeBeginsAnew()
    conversation.acting.outputs.found(state.outputs)
    keeping.countsAreDue = true
    storeAnnouncements(besides: state.announcements)
    storeWorks(at: now)
    keeping.runIsUnstored = true
    conversation.handle(.storeBeginsAnew, at: now)
  }

  /// What brokers may keep of descriptions, before anything of it is published.
  ///
  /// - Parameter found: what a store has that was opened late.
  mutating func storeAnnouncements(
    next: HomeAssistantDevice? = nil, homie nextHomie: Announcement? = nil, besides found: [StoredAnnouncement] = []
  ) {
    if case .none = keeping.phase { return }
    var known = conversation.announcing.announcer.everything(next: next)
    if let now = homie.announcement {
      let after = nextHomie.flatMap { $0.topic == now.topic ? $0 : nil }
      known.append((after?.joined(with: now) ?? now).stored(.homie))
    }
    conversation.announcing.mustStore(
      known.map { announcement in
        let earlier = found.first { $0.kind == announcement.kind && $0.topic == announcement.topic }
        return earlier.map { Announcement(announcement).joined(with: Announcement($0)).stored(announcement.kind) }
          ?? announcement
      })
  }
}
