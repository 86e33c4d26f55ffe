import Testing

@testable import Core
@testable import LimpetInstants

@Suite("What WATCHDOG=1 stands for")
struct LivenessTests {
  private let start = Duration.seconds(500)

  /// What is found at each of these seconds.
  private func stalls(
    _ seconds: [Int], _ look: (Int) -> Liveness.Look
  ) -> [Liveness.Stall?] {
    var liveness = Liveness()
    return seconds.map { liveness.look(look($0), at: start + .seconds($0)) }
  }

  @Test("an agent without sensors, lines and a connection moves")
  func idle() { #expect(stalls([0, 1000]) { _ in Liveness.Look() } == [nil, nil]) }

  @Test("a GPIO thread that makes no turn for more than 30 s has stopped; one more turn and it moves again")
  func gpio() {
    let found = stalls([0, 15, 30, 45, 60, 75]) { second in Liveness.Look(gpioTurns: second >= 60 ? 2 : 1) }
    #expect(found == [nil, nil, nil, .gpio, nil, nil])
  }

  @Test("a GPIO thread that was let go of is forgotten, and one that stops hides nothing else")
  func gpioLast() {
    #expect(stalls([0, 20, 40, 60]) { Liveness.Look(gpioTurns: $0 == 20 ? nil : 1) } == [nil, nil, nil, nil])
    #expect(stalls([0, 50]) { _ in Liveness.Look(gpioTurns: 1, oldestRead: start) } == [nil, .sensors])
  }

  @Test("a read is overdue when all timeouts together and 30 s have passed without an answer")
  func reads() {
    #expect(
      stalls([0, 39, 41]) { _ in Liveness.Look(oldestRead: start, readLimit: .seconds(10)) } == [nil, nil, .sensors])
    #expect(stalls([0, 39, 41]) { Liveness.Look(oldestRead: start + .seconds($0 - 5)) } == [nil, nil, nil])
  }

  @Test("what waits while the session has room must be taken; a session without room is no stall")
  func sending() {
    #expect(stalls([0, 15, 31]) { _ in Liveness.Look(sent: 7) } == [nil, nil, .sending])
    #expect(stalls([0, 15, 31]) { Liveness.Look(sent: UInt64($0)) } == [nil, nil, nil])
    #expect(stalls([0, 15, 31]) { Liveness.Look(sent: $0 == 15 ? nil : 7) } == [nil, nil, nil])
  }

  @Test("an attempt at a connection that neither ends nor begins is overdue after 30 s")
  func connecting() {
    #expect(
      stalls([0, 39, 41]) { _ in Liveness.Look(connectionDue: start + .seconds(10)) } == [nil, nil, .connecting])
  }
}
