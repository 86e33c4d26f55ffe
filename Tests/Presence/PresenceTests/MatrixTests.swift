import Foundation
import TestScene
import Testing

/// After each fault the status is right within its bound, and stays right.
///
/// `Tests/Presence/run` runs it, in a network namespace; elsewhere it is skipped.
@Suite("The matrix of faults", .enabled(if: Run.hasNetworks), .showsLogs)
struct MatrixTests {
  @Test("on mosquitto", arguments: Cell.played(.mosquitto))
  func mosquitto(_ cell: Cell) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let savesAtOnce = !cell.fault.needsOldState && cell.fault != .terminatedInBackOff
      let mosquitto = try await scene.mosquitto(address: "0.0.0.0", savesAtOnce: savesAtOnce, tls: certificates)
      try await play(cell, scene, [MosquittoBroker(mosquitto)], certificates)
    }
  }

  /// These take long to start: one of a kind is for all cells.
  @Test("on other brokers", .enabled(if: Selection.isWhole), arguments: [BrokerKind.rabbitMQ, .ejabberd])
  func others(_ kind: BrokerKind) async throws {
    let cells = Cell.played(kind)
    guard !cells.isEmpty else { return }
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let broker = try await scene.broker(kind, certificates, address: "0.0.0.0")
      try await withThrowingTaskGroup { group in
        for cell in cells where !cell.fault.stopsBroker {
          group.addTask { try await withScene { try await play(cell, $0, [broker], certificates) } }
        }
        try await group.waitForAll()
      }
      for cell in cells where cell.fault.stopsBroker {
        try await withScene { try await play(cell, $0, [broker], certificates) }
      }
    }
  }

  @Test("on a cluster of RabbitMQ, one of whose two nodes is killed", .enabled(if: Selection.isWhole))
  func cluster() async throws {
    let cell = Cell(fault: .nodeKilled, broker: .rabbitMQ, version: .v311, transport: .tcp)
    guard cell.isChosen else { return }
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let nodes = try await scene.rabbitMQCluster(certificates, address: "0.0.0.0")
      try await play(cell, scene, nodes, certificates)
    }
  }

  @Test("cells that are not played are named, with why")
  func notPlayed() throws {
    for cell in (Selection.isWhole ? [BrokerKind.mosquitto, .rabbitMQ, .ejabberd] : [.mosquitto]).flatMap(Cell.chosen) {
      if let hindrance = cell.hindrance {
        try Run.report(cell, "- \(hindrance)")
      } else if let right = cell.missingRight {
        try Run.report(cell, "skipped \(right)")
      }
    }
  }
}

/// The clock of a machine jumps, in a machine where nobody else needs it.
@Suite("A clock that jumps", .enabled(if: Run.isGuest), .showsLogs)
struct ClockTests {
  @Test("on mosquitto", arguments: Cell.played(.mosquitto, inGuest: true))
  func mosquitto(_ cell: Cell) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let mosquitto = try await scene.mosquitto(tls: certificates)
      try await play(cell, scene, [MosquittoBroker(mosquitto)], certificates)
    }
  }
}

/// Plays a cell, and puts its times into the table.
private func play(
  _ cell: Cell, _ scene: Scene, _ brokers: [any Broker], _ certificates: Certificates
) async throws {
  do {
    let trial = try await Trial(cell, scene, brokers: brokers, certificates)
    try await trial.play()
    try Run.report(cell, trial.times.map { String(format: "%.1f", $0 / .seconds(1)) }.joined(separator: ", "))
  } catch {
    try Run.report(cell, "FAIL")
    throw error
  }
}
