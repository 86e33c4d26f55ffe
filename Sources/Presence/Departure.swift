import LimpetInstants

/// The clean shutdown (DESIGN, "Presence, in order", point 3), as what happened so far and what to do next.
///
/// `staying` –begin→ `flushing` (readings that are waiting still go out, until half of the time is over) –nothing left,
/// or half-time→ `saying` (presence, then status) –status acknowledged→ `disconnecting` → `gone`. Without a connection
/// it makes one attempt, with the same steps; when half-time has passed without a connection, or the connection was
/// lost before the farewell was acknowledged, it is `returning`: the farewell then comes first. Past the deadline:
/// `gone`, by an abort.
package struct Departure {
  package typealias Instant = BootClock.Instant

  package enum State: Equatable {
    case staying
    case flushing(until: Instant)
    case returning
    case saying
    case disconnecting
    case gone
  }

  package enum Action: Equatable {
    case connect
    case sayFarewell
    case disconnect(within: Duration)
    case abort
    case finish
  }

  package private(set) var state = State.staying
  private var deadline: Instant?
  private var attempted = false

  package init() {}

  package var isLeaving: Bool { state != .staying }

  /// After the farewell nothing may follow it.
  package var hasSaidFarewell: Bool {
    switch state {
    case .staying, .flushing, .returning: false
    case .saying, .disconnecting, .gone: true
    }
  }

  /// When `elapsed` has to be called next.
  package var nextDeadline: Instant? { if case .flushing(let until) = state { until } else { deadline } }

  /// - Parameter isSaying: `offline` is on its way already, for another reason: nothing follows it.
  package mutating func begin(
    within limit: Duration, at now: Instant, isConnected: Bool, mayConnect: Bool = true, isSaying: Bool = false,
    isIdle: Bool
  ) -> [Action] {
    guard state == .staying else { return [] }
    deadline = now + limit
    guard !isSaying else {
      state = .saying
      return []
    }
    state = .flushing(until: now + limit / 2)
    guard isConnected else {
      guard mayConnect else { return finish() }
      attempted = true
      return [.connect]
    }
    return isIdle ? sayFarewell() : []
  }

  /// A connection is there, in the attempt that was asked for or just before.
  package mutating func connected(isIdle: Bool) -> [Action] {
    state == .returning ? sayFarewell() : settled(isIdle: isIdle)
  }

  /// Messages were acknowledged; `isIdle`: none is left.
  package mutating func settled(isIdle: Bool) -> [Action] {
    if case .flushing = state, isIdle { sayFarewell() } else { [] }
  }

  /// The server refuses the farewell: it will publish the will instead.
  package mutating func farewellRefused() -> [Action] {
    guard state == .saying else { return [] }
    state = .gone
    return [.abort]
  }

  package mutating func farewellAcknowledged(at now: Instant) -> [Action] {
    guard state == .saying, let deadline else { return [] }
    state = .disconnecting
    return [.disconnect(within: now.duration(to: deadline))]
  }

  /// The connection, or the attempt at one, failed.
  ///
  /// - Parameter isStep: it was one on the way to a connection, and the next one follows at once: a session that is not
  ///   known was thrown away, or the version is another one.
  package mutating func lost(willRetry: Bool, isStep: Bool = false) -> [Action] {
    switch state {
    case .staying, .gone: return []
    case .flushing where willRetry && isStep, .returning where willRetry && isStep: return []
    // The farewell is acknowledged: how the transport ends no longer matters.
    case .disconnecting:
      state = .gone
      return []
    case .flushing, .returning, .saying:
      guard willRetry, !attempted else { return finish() }
      attempted = true
      if state == .saying { state = .returning }
      return [.connect]
    }
  }

  package mutating func elapsed(at now: Instant, isConnected: Bool) -> [Action] {
    guard let deadline, state != .gone else { return [] }
    guard now < deadline else {
      state = .gone
      return [.abort]
    }
    guard case .flushing(let until) = state, now >= until else { return [] }
    if isConnected { return sayFarewell() }
    state = .returning
    return []
  }

  /// Something else ends the agent: no more messages, no more waiting.
  package mutating func abandon() { state = .gone }

  private mutating func sayFarewell() -> [Action] {
    state = .saying
    return [.sayFarewell]
  }

  private mutating func finish() -> [Action] {
    state = .gone
    return [.finish]
  }
}
