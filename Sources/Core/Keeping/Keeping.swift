import LimpetInstants
import MQTTCore
import Outbox
import Presence
import Readings
import Records

/// The store, as far as it is asked: one request is under way at a time, with all that is due in one transaction.
///
/// `closed` –its time has come→ `opening` –there is a state→ `adopting` –there is an outbox→ `open` –damaged, or its file
/// is gone→ `closed`. A request that has not been answered for 2 s is late: nobody waits for it, and none follows before
/// its answer, which may say that it has happened all the same.
struct Keeping: Sendable {
  enum Phase: Sendable {
    /// Nothing is stored.
    case none
    case open
    case closed(until: BootClock.Instant)
    case opening
    case adopting
    /// It belongs to another device.
    case leftAlone
  }

  /// What a request that is under way is about; the larger ones lie elsewhere, since mostly there is none.
  enum Subject: Sendable {
    indirect case write(Parts)
    case naming([StreamID], names: [String])
    case reading(Outbox.Read)
    case opening
    indirect case adopting(StoredState)
    case lettingGo
  }

  /// What of a write is whose.
  struct Parts: Sendable {
    var epoch: UInt64?
    var session: Link.WriteNumber?
    var hasBatch = false
    var reserved: [String: UInt64] = [:]
    var counts: [String: StoredCount]?
    var outputs: (kept: [String: Bool], forgotten: [String]) = ([:], [])
    var clearings = Clearings.Changes()
    var announcements: [StoredAnnouncement] = []
    var acknowledged: [StoredAnnouncement] = []
    var forgotten: [StoredAnnouncement] = []
    var farewells = OwedFarewells.Changes()
    var setAside: [Message] = []
    var isAboutThisRun = false
    var isLast = false
  }

  struct UnderWay: Sendable {
    let ticket: StoreTicket
    let subject: Subject
    let since: BootClock.Instant
    var isLate = false
  }

  static let patience = Duration.seconds(2)
  private static let shortestRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)

  var phase: Phase
  /// Why nothing can be stored at the moment.
  private(set) var error: String?
  /// What was wrong with the file, which is to be kept aside first.
  var damage: StorageError? {
    get { boxedDamage?.value }
    set { boxedDamage = newValue.map(Boxed.init) }
  }
  private var boxedDamage: Boxed<StorageError>?
  var reopening = ReopenSchedule()
  /// The store has been read once; else it could not be opened yet.
  var hasOpened: Bool
  private(set) var underWay: UnderWay?
  private var tickets: UInt64 = 0
  /// The name of this run, its identity and the last epoch are not in the store.
  var runIsUnstored = true
  /// Counters are to be stored.
  var countsAreDue = false
  /// The last request read something: what is to be written goes first then.
  private var hasJustRead = false
  private var retryDelay = shortestRetry
  private(set) var retryAt: BootClock.Instant?

  init(_ beginning: Beginning, at now: BootClock.Instant) {
    let failure = beginning.storeError ?? beginning.outboxError
    error = failure?.description
    boxedDamage = beginning.outboxError.flatMap { $0.isDamage ? Boxed($0) : nil }
    hasOpened = beginning.storeError == nil
    if !beginning.isStored {
      phase = .none
    } else if failure == nil {
      phase = .open
    } else {
      phase = .closed(until: now + reopening.wait(hadFile: false, at: now))
    }
  }

  var isOpen: Bool { if case .open = phase { true } else { false } }
  var isFree: Bool { underWay == nil }
  var isLate: Bool { underWay?.isLate ?? false }
  /// What waits for the store goes on without it.
  var isOfNoUse: Bool { !isOpen || isLate }
  var readsNext: Bool { !hasJustRead }

  /// A write that failed is not tried again before its time, unless something else has to be written.
  func mayRetry(at now: BootClock.Instant) -> Bool { retryAt.map { $0 <= now } ?? true }

  /// A write has failed, and since then none has shown that the next would not.
  var isUnproven: Bool { error != nil && retryAt != nil }

  mutating func begin(_ subject: Subject, at now: BootClock.Instant) -> StoreTicket {
    tickets += 1
    if case .reading = subject { hasJustRead = true } else { hasJustRead = false }
    let ticket = StoreTicket(tickets)
    underWay = UnderWay(ticket: ticket, subject: subject, since: now)
    return ticket
  }

  /// - Returns: what the answer is about; nil: nothing waits for it.
  mutating func answered(_ ticket: StoreTicket) -> Subject? {
    guard let request = underWay, request.ticket == ticket else { return nil }
    underWay = nil
    return request.subject
  }

  var lateAt: BootClock.Instant? { underWay.flatMap { $0.isLate ? nil : $0.since + Self.patience } }

  mutating func isLateNow() { underWay?.isLate = true }

  /// - Returns: true: that is news.
  mutating func fails(_ text: String, at now: BootClock.Instant) -> Bool {
    retryAt = now + retryDelay
    retryDelay = min(retryDelay * 2, Self.longestRetry)
    return say(text)
  }

  /// - Returns: true: that is news.
  mutating func say(_ text: String) -> Bool {
    guard error == nil else { return false }
    error = text
    return true
  }

  mutating func leaveAlone(_ text: String) {
    phase = .leftAlone
    error = text
  }

  /// - Returns: true: that is news.
  mutating func works() -> Bool {
    retryAt = nil
    retryDelay = Self.shortestRetry
    // A file that is given up, or not open yet, says nothing about the next.
    guard error != nil, isOpen else { return false }
    error = nil
    // At the start it could not be, perhaps: the next run would take what this one said for a rival's.
    runIsUnstored = true
    return true
  }
}
