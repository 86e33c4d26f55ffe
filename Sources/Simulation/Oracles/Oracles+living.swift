import Core
import LimpetInstants
import MQTTCore
import Records

/// A process of the first board begins and ends.
extension Oracles {
  mutating func begins(_ index: Int, _ board: Board, at now: WorldTime) {
    guard index == 0 else { return }
    self.board.begins(board, at: now)
    outputs.begins(board.device, at: now)
    readings.begins()
  }

  mutating func ends(_ index: Int, _ board: Board, isPower: Bool, at now: WorldTime) {
    guard index == 0 else { return }
    if board.isRunning { readings.lost += board.core.countedLosses + self.board.lostBefore }
    let isUnwritten = board.store.mood != .fine
    // Where nothing is stored a debt ends with the process.
    let isUnkept = device.sync < 0 || !board.core.hasExited && (hadStoreTrouble || readings.mayBeginAnew)
    if isUnwritten || isUnkept {
      forgetOwed(besides: board.device)
    }
    self.board.ends(at: now)
    outputs.ends()
    stopping = nil
    // A packet identifier that was not stored is used again: a server that holds a message of QoS 2 under it passes that on.
    if isUnwritten, device.qos == .exactlyOnce { readings.mayOvertake = true }
    readings.ends(known: hadStoreTrouble ? board.store.contents.file.sequences : nil)
    sessions.ends(at: now)
    lastDisturbance = max(lastDisturbance, now)
  }

  mutating func forgetOwed(besides device: DeviceModel) {
    let own = DeviceModel.statusTopic(device.topic)
    for index in presence.indices { presence[index].forgetsOwed(besides: own) }
  }

  /// - Parameter isSlow: a packet is long on its way.
  mutating func exits(_ index: Int, isClean: Bool, isSlow: Bool, at now: WorldTime) {
    guard index == 0, let stopping, !hadTwin, !stopping.isAborted, stopping.since + .seconds(20) > now, faults == 0,
      lastFault < stopping.since
    else { return }
    guard !isClean || !stopping.saidGoodbye, !stopping.isShutOut else { return }
    // On a slow way with one message at a time the acknowledgement of `offline` may come too late for it.
    let own = DeviceModel.statusTopic(board.device.topic)
    let hasSaidOffline = presence.contains { watch in
      watch.lastHeard > stopping.since && watch.topics.contains { $0.topic == own && !$0.isOnline }
    }
    guard !isSlow || !hasSaidOffline else { return }
    fail("I1e", "asked to stop in a back-off, with the broker there: it ends without a DISCONNECT", at: now)
  }
}
