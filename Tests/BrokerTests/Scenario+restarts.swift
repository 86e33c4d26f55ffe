import Foundation
import MQTT
import Synchronization
import TestScene
import Testing

extension Scenario {
  /// - Parameters:
  ///   - signal: what the broker ends by.
  ///   - beganClean: the session began with Clean Start 1, though it outlives its connections.
  func survivesRestart(_ signal: Int32, beganClean: Bool = false) async throws {
    let topic = topic("t")
    let peer = try await peer("a") {
      guard beganClean else { return }
      let connect = $0.connect
      let connections = Mutex(0)
      $0.makeConnect = { _, _ in
        var connect = connect
        connect.cleanStart = connections.withLock {
          $0 += 1
          return $0 == 1
        }
        return connect
      }
    }
    try await peer.subscribe(topic, qos: .atLeastOnce)
    // Twice: what the broker writes after the first answer is written before the second.
    for payload in ["before", "just before"] { try await peer.publish(payload, to: topic) }
    try await peer.arrival(of: "just before", to: topic)

    try await broker.stop(signal)
    try await peer.loss()
    let numbers = (0..<5).map { "\($0)" }
    let publishing = Task { for number in numbers { try await peer.publish(number, to: topic) } }
    try await broker.start()
    let connected = try await peer.connection(2, within: .seconds(60))
    let survives = traits.sessionSurvivesRestart && (!beganClean || traits.cleanSessionSurvivesRestart)
    #expect(connected.sessionPresent == survives)
    try await publishing.value
    try await until("all messages", within: .seconds(60)) { Set(peer.payloads(of: topic)).isSuperset(of: numbers) }
    #expect(peer.payloads(of: topic).firstArrivals == ["before", "just before"] + numbers)
  }
}
