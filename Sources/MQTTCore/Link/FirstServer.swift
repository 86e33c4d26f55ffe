import LimpetInstants

/// When a connection to another server than the first is left for the first one (`Link.Settings.prefersFirst`): once
/// probes have reached it for so long, without one that has not.
///
/// At least four probes in a row have to reach it: a server that comes and goes is not believed, and the time alone says
/// little, since it goes on while the machine is suspended. A probe may take as long as an attempt to connect, and the next
/// one waits for it. The switch waits for a moment in which nothing is under way, but not for longer than as much again. A
/// server that takes probes and no connection that lasts is tried again after twice the time, and so on: each switch costs
/// a connection that was there.
struct FirstServer: Sendable {
  typealias Instant = BootClock.Instant

  private static let shortestInterval = Duration.seconds(1)
  /// How many probes in a row have to have reached the server.
  private static let answersNeeded = 4
  /// How often the time is doubled.
  static let doublings = 6

  let patience: Duration
  private let interval: Duration
  private let answerLimit: Duration
  /// Since when every probe has reached the server, and how many; nil: the last one has not.
  private var reachable: (since: Instant, answers: Int)?
  private var isProbing = false
  /// When the next probe is due, or the one that is out counts as one without an answer.
  private(set) var deadline: Instant

  /// - Parameter answerLimit: A probe that has no answer for so long has not reached the server.
  init(patience: Duration, answerLimit: Duration, now: Instant) {
    self.patience = patience
    self.answerLimit = answerLimit
    interval = max(patience / 4, Self.shortestInterval)
    deadline = now + interval
  }

  /// - Returns: a probe is to be sent.
  mutating func tick(at now: Instant) -> Bool {
    guard now >= deadline else { return false }
    // No answer is one too.
    if isProbing { reachable = nil }
    isProbing = true
    // Not more often than others, where an attempt may take less than that.
    deadline = now + max(answerLimit, interval)
    return true
  }

  /// - Parameter isQuiet: nothing is under way.
  /// - Returns: the first server is to be used.
  mutating func probed(isReachable: Bool, isQuiet: Bool, at now: Instant) -> Bool {
    guard isProbing else { return false }
    isProbing = false
    deadline = now + interval
    guard isReachable else {
      reachable = nil
      return false
    }
    let (since, answers) = (reachable?.since ?? now, (reachable?.answers ?? 0) + 1)
    reachable = (since, answers)
    let needed = isQuiet ? patience : patience * 2
    return answers >= Self.answersNeeded && now >= since + needed
  }
}

extension Link {
  /// For how long the first server has to be reachable before it is returned to; nil: there is no way back to it from this
  /// connection.
  package var returnsAfter: Duration? { firstServer?.patience }

  /// The server has been named by another one.
  package var isReferred: Bool { referredServer != nil }

  /// A connection to another server than the first is there. One that the first has sent it to is where it wants it to be.
  mutating func watchFirstServer(at now: Instant) {
    firstServer = nil
    guard let patience = settings.prefersFirst, attempt.server != settings.servers[0], referredServer == nil else {
      return
    }
    var needed = patience * (1 << min(vainReturns, FirstServer.doublings))
    if settings.mutation == .firstServerNeedsNoPatience { needed = .zero }
    firstServer = FirstServer(patience: needed, answerLimit: settings.connectTimeout, now: now)
  }

  /// A connection has ended that lasted.
  mutating func returnIsOver() { if attempt.server == settings.servers[0] { vainReturns = 0 } }

  mutating func probeIfDue(at now: Instant, into effects: inout Effects) {
    guard session.isConnected, firstServer?.tick(at: now) == true else { return }
    effects.orders.append(.probe(attempt.number, settings.servers[0]))
  }

  mutating func probed(_ number: AttemptNumber, isReachable: Bool, at now: Instant, into effects: inout Effects) {
    guard attempt.number == number, session.isConnected, !isStopping else { return }
    let isQuiet = session.oldestUnderWay == nil
    guard firstServer?.probed(isReachable: isReachable, isQuiet: isQuiet, at: now) == true else { return }
    firstServer = nil
    vainReturns += 1
    guard !settings.leavesByHand else {
      return effects.orders.append(.report(.firstServerIsBack(settings.servers[0])))
    }
    returnToFirst(isAborted: false, at: now, into: &effects)
  }
}
