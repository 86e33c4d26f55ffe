import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Messages that take longer than a keepalive, and good-byes behind them.
@Suite("A slow link", .timed, .serialized, .timeLimit(.minutes(3 * Patience.factor)))
struct SlowLinkTests {
  @Test("a large message that comes slowly arrives, at a keepalive of a second, without a reconnect")
  func slowlyIn() async throws {
    var abuse = Abuse()
    abuse.keepAlive = 1
    try await abuse.run { visit, occurrence in
      guard case .packet(.connect(let connect)) = occurrence else { return }
      visit.oblige(.connect(connect))
      // No PINGRESP can come in the middle of it.
      let message = Message(topic: "t", payload: ByteBuffer(repeating: 0, count: 40_000))
      let bytes = encode(.publish(Publish(message, packetIdentifier: 1)))
      visit.send(bytes, each: 1000, every: .milliseconds(100))
    } _: { _, _, witness in
      try await until("the message", within: patience) { witness.deliveries.count == 1 }
      #expect(witness.losses.isEmpty, "\(witness.losses)")
    }
  }

  @Test("large messages that leave slowly arrive, at a keepalive of a second, without a reconnect")
  func slowlyOut() async throws {
    var abuse = Abuse()
    abuse.keepAlive = 1
    let next = Mutex(0)
    try await abuse.run { visit, occurrence in
      switch occurrence {
      case .opened: break
      case .bytes(let count):
        let isDue = next.withLock { next in
          guard count >= next else { return false }
          next = count + 1_000_000
          return true
        }
        if isDue { visit.pause(for: .milliseconds(200)) }
      case .packet(let packet): visit.oblige(packet)
      }
    } _: { server, client, witness in
      try await witness.connections(1)
      let payload = ByteBuffer(repeating: 0, count: 1_000_000)
      try await client.publish(1...24, Message(topic: "t", payload: payload, qos: .atMostOnce))
      let visit = try await server.visit(1)
      try await until("all of them", within: patience) { visit.count(.publish) == 24 }
      #expect(witness.losses.isEmpty, "\(witness.losses)")
      #expect(visit.count(.pingreq) >= 1, "it took longer than a keepalive")
    }
  }

  @Test("a server that takes nothing any more is lost all the same, within one and a half keepalives")
  func notAtAll() async throws {
    var abuse = Abuse()
    abuse.keepAlive = 1
    try await abuse.run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      visit.oblige(packet)
      if case .publish = packet { visit.stopReading() }
    } _: { _, client, witness in
      try await witness.connections(1)
      let payload = ByteBuffer(repeating: 0, count: 1_000_000)
      try await client.publish(1...24, Message(topic: "t", payload: payload, qos: .atMostOnce))
      // The kernel has the same time limit (TCP_USER_TIMEOUT), and may be first.
      switch try await witness.loss() {
      case .session(.keepAliveTimeout), .closed(.connected, _, _): break
      default: Issue.record("\(witness.losses)")
      }
    }
  }

  @Test("DISCONNECT gets through behind what takes seconds to leave: no will is published (§3.14.4)")
  func leavesSlowly() async throws {
    try await Abuse().run { visit, occurrence in
      guard case .packet(let packet) = occurrence else { return }
      visit.oblige(packet)
      if case .publish = packet, visit.count(.publish) == 1 { visit.pause(for: .milliseconds(2500)) }
    } _: { server, client, witness in
      try await witness.connections(1)
      let payload = ByteBuffer(repeating: 0, count: 1_000_000)
      try await client.publish(1...24, Message(topic: "t", payload: payload, qos: .atMostOnce))
      await client.disconnect(within: .seconds(30))
      let visit = try await server.visit(1)
      try await until("the good-bye", within: patience) { visit.disconnect != nil }
      #expect(visit.count(.publish) == 24)
    }
  }
}

extension AbusiveServer.Visit {
  /// In pieces, one after the other.
  fileprivate func send(_ bytes: [UInt8], each size: Int, every pause: TimeAmount) {
    send(Array(bytes.prefix(size)))
    let rest = Array(bytes.dropFirst(size))
    guard !rest.isEmpty else { return }
    after(pause) { $0.send(rest, each: size, every: pause) }
  }
}
