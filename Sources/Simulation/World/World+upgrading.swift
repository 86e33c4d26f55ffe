import Core
import LimpetInstants
import Records

/// Another version is installed: the one that ran has ended, the new one starts, and may take itself back.
extension World {
  /// - Parameter action: with a value other than 0 the new version does not prove itself.
  mutating func install(_ action: Action) {
    boards[0].device.release += 1
    start(0)
    guard action.value != 0 else { return }
    queue.push(.rollBack(life: boards[0].life), at: now + chance(upTo: .seconds(60)))
  }

  /// The version before is installed again, and says so with its first birth.
  mutating func rollBack(_ life: UInt64) {
    guard boards[0].life == life, boards[0].phase != .off else { return }
    boards[0].device.release -= 1
    boards[0].isRollback = true
    boards[0].startsAgain = true
    terminate(0)
  }
}
