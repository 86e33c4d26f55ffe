import LimpetInstants
import MQTTCore

/// I4: "session present" is believed only where the last CONNECT that was accepted under the name was the device's own,
/// or if nothing had shown it another one.
struct SessionWatch: Sendable {
  /// Whose CONNECT each broker accepted last.
  private var lastBoards: [Int?]
  /// Where the device may be using a session that was a rival's meanwhile.
  private var suspect: ConnectionID?
  /// Since when the device knows of another, and has not begun a session of its own.
  private var rivalSince: WorldTime?
  private let isStored: Bool

  init(_ device: DeviceModel) {
    lastBoards = Array(repeating: nil, count: device.brokerCount)
    isStored = device.sync >= 0
  }

  mutating func seesRival(at now: WorldTime) { rivalSince = rivalSince ?? now }

  /// What it knew goes with the process, unless there was time to write it down.
  mutating func ends(at now: WorldTime) {
    if let since = rivalSince, !isStored || since + .seconds(5) > now { rivalSince = nil }
  }

  mutating func connected(_ board: Int, broker: Int, on id: ConnectionID, sessionPresent: Bool) {
    defer { lastBoards[broker] = board }
    guard board == 0 else { return }
    suspect = nil
    if !sessionPresent {
      rivalSince = nil
    } else if rivalSince != nil, lastBoards[broker] == 1 {
      suspect = id
    }
  }

  /// A device that goes on with this connection believes too much.
  func isSuspect(_ id: ConnectionID) -> Bool { suspect == id }
}
