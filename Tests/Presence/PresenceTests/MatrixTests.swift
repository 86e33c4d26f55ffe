import Foundation
import TestScene
import Testing

/// After each fault the status is right within its bound, and stays right.
///
/// `Tests/Presence/run` runs it, in a network namespace; elsewhere it is skipped.
@Suite("The matrix of faults", .enabled(if: Run.isMatrix), .showsLogs)
struct MatrixTests {
  @Test("on mosquitto", arguments: Cell.played(.mosquitto))
  func mosquitto(_ cell: Cell) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let savesAtOnce = !cell.fault.needsOldState && cell.fault != .terminatedInBackOff
      let broker = MosquittoBroker(
        try await scene.mosquitto(address: "0.0.0.0", savesAtOnce: savesAtOnce, tls: certificates))
      try await play(cell, scene, broker, certificates)
    }
  }

  @Test("cells that are not played are named, with why")
  func notPlayed() throws {
    for cell in Cell.chosen(.mosquitto) {
      if let hindrance = cell.hindrance { try Run.report(cell, "- \(hindrance)") }
      if let right = cell.missingRight { try Run.report(cell, "skipped \(right)") }
    }
  }
}

/// Plays a cell, and puts its times into the table.
func play(_ cell: Cell, _ scene: Scene, _ broker: any Broker, _ certificates: Certificates) async throws {
  do {
    let trial = try await Trial(cell, scene, broker: broker, certificates)
    try await trial.play()
    try Run.report(
      cell,
      trial.times.map { String(format: "%.1f", $0 / .seconds(1)) }.joined(
        separator: ", "))
  } catch {
    try Run.report(cell, "FAIL")
    throw error
  }
}

/// The clock of a machine jumps, in a machine where nobody else needs it.
@Suite("A clock that jumps", .enabled(if: Run.isGuest), .showsLogs)
struct ClockTests {
  @Test("on mosquitto", arguments: Cell.played(.mosquitto, inGuest: true))
  func mosquitto(_ cell: Cell) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let broker = MosquittoBroker(try await scene.mosquitto(tls: certificates))
      try await play(cell, scene, broker, certificates)
    }
  }
}
