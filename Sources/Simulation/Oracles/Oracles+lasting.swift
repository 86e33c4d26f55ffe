import LimpetInstants
import MQTTCore
import Records

/// What a device owes though a broker has something against it for ever, and what it is for as long as its board is.
extension World {
  /// A topic is tried again, or a subscription, on which the broker closes: the next connection follows.
  var isBrieflyAway: Bool {
    guard script.lasting.closes, oracles.board.hasConnected, let since = oracles.board.connectOwedSince
    else { return false }
    return since + oracles.board.longestWait + .seconds(15) > now
  }

  /// Its credentials are refused: it asks again, and goes on asking.
  mutating func checkRefused() {
    guard boards[0].isRunning else { return oracles.fail("I8", "the device is not running", at: now) }
    guard let last = oracles.board.lastOpening, last + oracles.board.longestWait + .seconds(15) > now else {
      return oracles.fail("I3d", "the broker refuses the device, which has not tried again for long", at: now)
    }
  }

  /// A6: what one topic meets delays no other, so readings of each sensor have come lately.
  mutating func checkFlow() {
    guard let since = oracles.board.connectedSince, !oracles.hadTwin, boards[0].core.birthAnswer == .acknowledged else {
      return
    }
    let plan = boards[0].core.plan
    let resting = boards[0].core.restingTopics.union(script.lasting.restingTopics)
    for sensor in plan.sensors where !resting.contains(plan.streams[sensor.stream].topic) {
      let limit = max(.seconds(60), sensor.interval * 3)
      guard max(since, healing) + .seconds(200) + limit < now else { return }
      let last = oracles.readings.last(on: plan.streams[sensor.stream].topic)
      guard last.map({ $0 + limit < now }) ?? true else { continue }
      return oracles.fail(
        "I8", "the newest reading of \(sensor.name) came \(last?.inSeconds ?? "never")", at: now)
    }
  }

  /// I4: the id is constant while the board is, and the store knows what it was made from.
  mutating func checkIdentity() {
    guard boards[0].isRunning, oracles.device.sync >= 0, boards[0].core.isStoreOpen, !boards[0].core.storeIsBad else {
      return
    }
    let stored = boards[0].store.contents.file.identity
    guard stored?.id != DeviceModel.name || stored?.source != oracles.device.identity else { return }
    oracles.fail("I4", "the store does not know the board: \(stored?.id ?? "nothing")", at: now)
  }
}
