import Core
import LimpetInstants
import MQTTCore

extension Oracles {
  /// It is the device's connection, which it has not closed.
  func isSpeaking(on id: ConnectionID) -> Bool {
    board.connectedSince != nil && board.birth?.connection == id && board.birth?.isClosing == false
  }
}

extension World {
  /// After every step.
  mutating func check() {
    guard oracles.failure == nil else { return }
    checkWills()
    oracles.outputs.check(at: now)
    // What is about seconds is looked at often enough.
    guard checkedAt + .milliseconds(250) <= now else { return }
    checkedAt = now
    checkOnline()
    checkGone()
    checkConnecting()
    checkLease()
    checkEnding()
    checkHealed()
  }

  /// I2b: what the process has not settled is in the store, unless it is younger than it may be in memory.
  mutating func checkCrash() {
    guard boards[0].isRunning, !boards[0].isAsleep, oracles.device.sync >= 0, boards[0].core.isStoreOpen,
      !boards[0].core.storeIsBad, boards[0].store.mood == .fine
    else { return }
    // After an outage of a minute a batch is what comes in in `sync_outage`.
    let limit = Duration.seconds(max(10, oracles.device.sync) + 3)
    guard oracles.lastStoreTrouble.map({ $0 + .seconds(120) + limit < now }) ?? true, oracles.lastSleep + limit < now
    else { return }
    let boot = boards[0].moment(at: now).boot
    let file = boards[0].store.contents.file
    for reading in boards[0].core.unsettled where reading.arrived.duration(to: boot) > limit {
      guard !file.outbox.rows.contains(reading.token), !file.session.rows.contains(reading.token) else { continue }
      let age = reading.arrived.duration(to: boot)
      return oracles.fail("I2b", "a crash loses reading \(reading.token), numbered \(age) ago", at: now)
    }
  }

  /// I3d: the broker can be reached, so CONNECT comes in its time, whatever the store does.
  private mutating func checkConnecting() {
    if oracles.board.isRetryLate(at: now), !boards[0].isAsleep {
      oracles.fail("I3d", "the clock is right, and TLS that failed for it is not tried again", at: now)
    }
    guard !oracles.hadTwin, let since = oracles.board.connectOwedSince, oracles.board.askedToEnd == nil,
      boards[0].isRunning
    else { return }
    let limit = oracles.board.longestWait + .seconds(12)
    guard since + limit < now, oracles.isCalm(for: limit, at: now) else { return }
    // Several servers are tried one after the other.
    guard !boards[0].core.isLeaving else { return }
    oracles.fail("I3d", "no CONNECT for \(since.duration(to: now)), and the broker is there", at: now)
  }

  /// I5: while it is connected, the lease's expiry is ahead by the broker's clock.
  private mutating func checkLease() {
    guard oracles.board.isSettled, !oracles.hadTwin, oracles.isCalm(for: oracles.noticing, at: now),
      let since = oracles.board.connectedSince,
      max(since, oracles.lastStep) + .seconds(15) < now, boards[0].core.birthAnswer == .acknowledged,
      let server = boards[0].core.server, !boards[0].core.isSayingFarewell
    else { return }
    let index = oracles.device.index(of: server)
    guard !oracles.presence[index].isIncomplete, brokers[index].isRunning, !oracles.presence[index].hasAmnesia,
      brokers[index].connection(of: DeviceModel.client) == oracles.board.birth?.connection,
      let left = brokers[index].retainedLifetime(boards[0].core.spokenStatus, at: now)
    else { return }
    guard left <= .zero else { return }
    oracles.fail("I5", "the lease has expired \(Duration.zero - left) ago, and the device is online", at: now)
  }

  /// I3c: the end has a deadline, too: that of leaving, that of the store, and of who is asked why.
  private mutating func checkEnding() {
    guard let asked = oracles.board.askedToEnd, boards[0].isRunning, !boards[0].isAsleep else { return }
    let limit = Duration.seconds(5 + 10 + 2)
    guard max(asked, oracles.lastSleep) + limit < now else { return }
    oracles.fail("I3c", "the process was asked to end \(asked.duration(to: now)) ago, and runs", at: now)
  }

  /// I8: nothing goes wrong any more, so all is well in its time.
  private mutating func checkHealed() {
    guard script.lasting != .refusesCredentials, let healedAt = oracles.healedAt, healedAt + .seconds(180) < now else {
      return
    }
    guard mustBeConnected(since: healedAt) else { return }
    guard !boards[0].isRunning || !boards[0].core.isConnected, !isBrieflyAway else { return }
    let state = boards[0].isRunning ? "not connected" : "not running"
    oracles.fail("I8", "\(healedAt.duration(to: now)) after the last fault the device is \(state)", at: now)
  }

  /// Its waits are over, all that it may take.
  private func mustBeConnected(since healedAt: WorldTime) -> Bool {
    let wait = oracles.board.longestWait
    // Who closes without a word has its version tried twice, then the other one, then a smaller will; and a connection that
    // is half open by then is lost first.
    guard !script.lasting.isLimit else { return healedAt + .seconds(200) + wait * 5 + .seconds(25) < now }
    // A connection that was half open by then is lost later, and waited for from there.
    let since = min(max(healedAt, oracles.board.connectOwedSince ?? healedAt), healedAt + .seconds(600))
    return since + wait + .seconds(25) < now
  }

  /// The run is over, and an hour and a half of peace: everything has come where it belongs.
  mutating func finish() {
    guard let healedAt = oracles.healedAt, oracles.failure == nil else { return }
    let now = now
    let quiet = healing.duration(to: now)
    checkIdentity()
    if script.lasting == .refusesCredentials { return checkRefused() }
    if boards[0].isRunning, !boards[0].core.isConnected, isBrieflyAway || !mustBeConnected(since: healedAt) { return }
    guard boards[0].isRunning, boards[0].core.isConnected else {
      return oracles.fail("I8", "the device is not connected", at: now)
    }
    let rests =
      script.lasting.isLimit ? [] : boards[0].core.restingTopics.subtracting(script.lasting.restingTopics)
    let isDenied = script.lasting.restingTopics.contains(boards[0].core.spokenStatus)
    // It may rest at a broker with a limit, too.
    let isBirthResting =
      quiet <= .seconds(3700)
      && !boards[0].core.restingTopics.isDisjoint(with: [boards[0].core.spokenStatus, DeviceModel.presenceTopic])
    if boards[0].core.birthAnswer != .acknowledged, !isDenied, !isBirthResting {
      return oracles.fail("I8", "the birth is not acknowledged", at: now)
    }
    if quiet > .seconds(3700), !rests.isEmpty {
      return oracles.fail("I8", "topics still rest: \(rests.map(\.description).sorted())", at: now)
    }
    if oracles.board.device.sync >= 0 && (!boards[0].core.isStoreOpen || boards[0].core.storeIsBad) {
      return oracles.fail("I8", "the store is not open", at: now)
    }
    checkOutputsAtRest()
    let unsent = boards[0].core.unsent
    let granted = boards[0].core.receiveMaximum
    let connecting = max(.seconds(200), oracles.board.longestWait + .seconds(30))
    let draining = max(0, (quiet - connecting).components.seconds)
    let left = oracles.backlogAtHealing - oracles.drainRate(script, granted) * Int(draining)
    // What waits for topics that rest may wait an hour.
    if !oracles.isOverloaded(script, granted), !boards[0].core.hasRestingTopics,
      unsent > 10 * (oracles.device.sensors + oracles.device.lines + oracles.device.outputs.count + 1) + max(0, left)
    {
      return oracles.fail("I8", "\(unsent) readings still wait", at: now)
    }
    if left <= 0, !oracles.isOverloaded(script, granted) { checkFlow() }
    checkRetained()
    guard quiet > .seconds(3700), !oracles.hadTwin, !oracles.hasHidden, !oracles.hasLostSessions,
      !oracles.hasSentUnheard
    else { return }
    let lost = oracles.readings.lost + boards[0].core.countedLosses
    if let problem = oracles.readings.unexplained(lost) { oracles.fail("I2d", problem, at: now) }
  }
}
