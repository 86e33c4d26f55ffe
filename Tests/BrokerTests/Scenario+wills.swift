import MQTT
import TestScene
import Testing

extension Scenario {
  /// The keepalive of a minute has no part in it.
  func leavesWill() async throws {
    let topic = topic("will")
    let listener = try await listener(topic)
    let peer = try await peer("a") { try $0.leaves("gone", to: topic) }
    let closing = ContinuousClock.now
    await peer.abort()
    let arrival = try await listener.arrival(of: "gone", to: topic)
    #expect(closing.duration(to: arrival.time) < .milliseconds(500) * Patience.factor)
  }

  func takesWillAway() async throws {
    let topic = topic("will")
    let listener = try await listener(topic)
    let peer = try await peer("a") { try $0.leaves("gone", to: topic) }
    // The broker has closed when this returns.
    await peer.client.disconnect()
    let loss = try await peer.loss()
    guard case .session(.requested) = loss else {
      Issue.record("\(loss)")
      return
    }
    let comesAllTheSame = traits.willAfterDisconnect.contains(lane.transport)
    if comesAllTheSame { try await listener.arrival(of: "gone", to: topic) }
    let other = try await self.peer("b")
    try await other.publish("marker", to: topic)
    try await listener.arrival(of: "marker", to: topic)
    #expect(listener.payloads(of: topic).contains("gone") == comesAllTheSame)
  }

  func disconnectsWithWill() async throws {
    let topic = topic("will")
    let listener = try await listener(topic)
    let peer = try await peer("a") { try $0.leaves("gone", to: topic) }
    await peer.client.disconnect(reasonCode: .disconnectWithWill)
    try await listener.arrival(of: "gone", to: topic)
  }

  func delaysWill() async throws {
    let topic = topic("will")
    let listener = try await listener(topic)
    let peer = try await peer("a") { try $0.leaves("gone", to: topic, delay: 2) }
    let closing = ContinuousClock.now
    await peer.abort()
    let delay = closing.duration(to: try await listener.arrival(of: "gone", to: topic).time)
    // Brokers look at whole seconds, and some of them once in a few.
    #expect(delay > .seconds(1) && delay < .seconds(8) * Patience.factor)
  }

  /// Who comes back in time was not gone.
  func recallsWill() async throws {
    let topic = topic("will")
    let listener = try await listener(topic)
    let address = try broker.address(lane.transport)
    let first = try await peer("a") { try $0.leaves("gone", to: topic, delay: 1) }
    await first.abort()
    let second = try await peer("a") { $0.knowsItsSession(on: address) }
    #expect(second.connections.last?.sessionPresent == true)
    // A will that is due later than the one that was recalled.
    let third = try await peer("b") { try $0.leaves("marker", to: topic, delay: 2) }
    await third.abort()
    try await listener.arrival(of: "marker", to: topic)
    #expect(listener.payloads(of: topic) == ["marker"])
  }
}
