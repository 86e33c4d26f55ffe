import NIOCore
import Testing

@testable import MQTTCore

/// What is done about a server that closes the connection on a message.
@Suite struct SessionCautionTests {
  @Test("with caution messages go one at a time, new ones and old ones, and what may not wait still goes")
  func caution() throws {
    var harness = SessionHarness.connected()
    for number in 1...3 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    _ = harness.drop()
    harness.session.isCautious = true
    let again = harness.connect(sessionPresent: true)
    #expect(again.sent == [.numbered(1, .atLeastOnce, 1, duplicate: true)])
    #expect(harness.session.room == 0)
    #expect(try harness.publish(9, .atLeastOnce, transient: true).sent.count == 1)
    #expect(harness.receive(.puback(Acknowledgement(4))).sent == [])
    let next = harness.receive(.puback(Acknowledgement(1)))
    #expect(next.sent == [.numbered(2, .atLeastOnce, 2, duplicate: true)])
    _ = harness.receive(.puback(Acknowledgement(2)))
    _ = harness.receive(.puback(Acknowledgement(3)))
    #expect(harness.session.room == 1)
    _ = try harness.publish(10, .atLeastOnce)
    #expect(harness.session.room == 0)
  }

  @Test("the oldest message can be set aside, and those after it go on", arguments: ProtocolVersion.allCases)
  func setAside(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .atLeastOnce, transient: true)
    for number in 2...3 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    _ = harness.drop()
    #expect(harness.session.oldestUnderWay == 2)
    var message: Message?
    let actions = harness.perform { message = $0.setOldestAside(into: &$1) }
    #expect(message?.number == 2)
    #expect(actions.settled == [2: .rejected(.setAside)])
    #expect(harness.session.oldestUnderWay == 3)
    #expect(harness.connect(sessionPresent: true).sent == [.numbered(3, .atLeastOnce, 3, duplicate: true)])
    let last = harness.perform { _ = $0.setOldestAside(into: &$1) }
    #expect(last.settled == [3: .rejected(.setAside)])
    #expect(harness.session.oldestUnderWay == nil)
    #expect(harness.perform { _ = $0.setOldestAside(into: &$1) }.isEmpty)
  }
}
