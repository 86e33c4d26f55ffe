import NIOCore
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

@Suite("Messages that callers wait for")
struct MQTTClientPendingMessagesTests {
  private let start = BootClock.now
  private var pending = PendingMessages(limit: 2, queuesAtMostOnce: false)

  private func message(_ qos: QoS = .atLeastOnce, expiry: UInt32? = nil) throws -> Message {
    var message = Message(topic: TopicName("t"), payload: ByteBuffer(), qos: qos)
    message.properties.messageExpiryInterval = expiry
    return message
  }

  /// The tokens that can be sent now.
  private mutating func sent(room: Int = .max, isWritable: Bool = true, at now: BootClock.Instant? = nil)
    -> [Session.Token]
  {
    var tokens: [Session.Token] = []
    while tokens.count < room,
      case .send(let token, _) = pending.next(
        room: room - tokens.count, isWritable: isWritable, at: now ?? start)
    {
      tokens.append(token)
    }
    return tokens
  }

  @Test("QoS 1 and 2 wait for a connection in their order, and for room [behaviour 51]")
  mutating func waits() throws {
    for token in 1...3 as ClosedRange<UInt64> {
      check(pending.add(try message(token == 2 ? .exactlyOnce : .atLeastOnce), token: token, at: start) == nil)
    }
    check(sent() == [])
    #expect(pending.queued == 2)
    #expect(pending.heldBack == 1)
    pending.connected()
    check(sent(room: 1) == [1])
    #expect(pending.heldBack == 0)
    check(sent() == [2, 3])
    #expect(pending.underWayCount == 3)
  }

  @Test("QoS 0 fails at once without a connection, and when it is lost")
  mutating func atMostOnce() throws {
    guard case .notConnected? = pending.add(try message(.atMostOnce), token: 1, at: start) else {
      return #expect(Bool(false), "it waits")
    }
    pending.connected()
    check(pending.add(try message(.atMostOnce), token: 2, at: start) == nil)
    check(sent(isWritable: false) == [])
    let completions = pending.lost()
    #expect(completions.map(\.token) == [2])
    #expect(pending.isEmpty)
  }

  @Test("QoS 0 waits where it is asked to [behaviour 51]")
  mutating func queuedAtMostOnce() throws {
    pending = PendingMessages(limit: 2, queuesAtMostOnce: true)
    check(pending.add(try message(.atMostOnce), token: 1, at: start) == nil)
    check(pending.lost().isEmpty)
    pending.connected()
    check(sent(room: 0 + 1) == [1])
    check(pending.settled(1, .delivered).map { try? $0.result.get().isAcknowledged } == false)
  }

  @Test("a stored message that goes at QoS 0, where the server takes no more, waits behind those that wait for room")
  mutating func loweredHasItsTurn() throws {
    pending.restore(StoredMessage(token: 1, state: .queued, message: try message()), at: start)
    let connect = Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 0)
    let connack = ConnAck(
      sessionPresent: false, reasonCode: .success, properties: Properties { $0.maximumQoS = .atMostOnce })
    pending.connected(PublishLimits(ServerLimits(connack, answering: connect, .v5)))
    check(sent(room: 0) == [])
    guard case .nothing = pending.next(room: 0, isWritable: true, at: start) else {
      Issue.record("it overtakes")
      return
    }
    guard case .send(1, let message) = pending.next(room: 1, isWritable: true, at: start) else {
      Issue.record("it does not go")
      return
    }
    #expect(message.qos == .atMostOnce)
  }

  @Test(
    "the expiry interval counts down by whole seconds of waiting",
    arguments: [(0, 10), (999, 10), (2_500, 8), (9_999, 1)])
  mutating func countsDown(milliseconds: Int, left: UInt32) throws {
    check(pending.add(try message(expiry: 10), token: 1, at: start) == nil)
    pending.connected()
    guard
      case .send(1, let message) = pending.next(
        room: 1, isWritable: true, at: start + .milliseconds(milliseconds))
    else { return #expect(Bool(false), "nothing to send") }
    #expect(message.properties.messageExpiryInterval == left)
  }

  @Test("a message whose time has passed is not sent, connected or not; the others are [behaviour 53]")
  mutating func expires() throws {
    check(pending.add(try message(expiry: 10), token: 1, at: start) == nil)
    check(pending.add(try message(expiry: 5), token: 2, at: start) == nil)
    #expect(pending.nextExpiry == start + .seconds(5))
    check(pending.expire(at: start + .seconds(4)).isEmpty)
    check(pending.expire(at: start + .seconds(5)).map(\.token) == [2])
    #expect(pending.nextExpiry == start + .seconds(10))
    guard case .complete(let completion) = pending.next(room: 0, isWritable: false, at: start + .seconds(10)),
      case .failure(.expired) = completion.result
    else { return #expect(Bool(false), "it does not expire") }
    #expect(completion.token == 1)
    #expect(pending.isEmpty)
  }

  @Test("a cancelled message leaves the queue; one that was sent is left to complete")
  mutating func cancels() throws {
    pending.connected()
    for token in 1...3 as ClosedRange<UInt64> {
      check(pending.add(try message(), token: token, at: start) == nil)
    }
    check(sent(room: 1) == [1])
    check(pending.cancel(1))
    check(pending.cancel(2))
    check(!pending.cancel(2))
    check(pending.settled(1, .delivered) == nil)
    check(sent() == [3])
  }

  @Test("an answer is told once, with the server's code")
  mutating func settles() throws {
    pending.connected()
    check(pending.add(try message(), token: 1, at: start) == nil)
    check(sent() == [1])
    guard case .failure(.refused(.quotaExceeded))? = pending.settled(1, .refused(.quotaExceeded))?.result else {
      return #expect(Bool(false), "no refusal")
    }
    check(pending.settled(1, .delivered) == nil)
  }

  @Test("at the end everyone is answered, oldest first, and nothing more is taken [behaviour 14] [behaviour 15]")
  mutating func ends() throws {
    pending.connected()
    for token in 1...4 as ClosedRange<UInt64> {
      check(pending.add(try message(), token: token, at: start) == nil)
    }
    check(sent(room: 2) == [1, 2])
    check(pending.end(.aborted).map(\.token) == [1, 2, 3, 4])
    #expect(pending.isEmpty)
    guard case .closed(.aborted)? = pending.add(try message(), token: 5, at: start) else {
      return #expect(Bool(false), "it is taken")
    }
  }

  @Test("who leaves takes nothing new and sends what waits")
  mutating func leaves() throws {
    pending.connected()
    check(pending.add(try message(), token: 1, at: start) == nil)
    pending.leave()
    check(pending.add(try message(), token: 2, at: start) != nil)
    check(sent() == [1])
  }

  @Test("a thousand cancelled messages leave nothing behind [behaviour 39]")
  mutating func cancelsMany() throws {
    pending.connected()
    for token in 1...1000 as ClosedRange<UInt64> {
      check(pending.add(try message(expiry: 5), token: token, at: start) == nil)
    }
    for token in 1...1000 as ClosedRange<UInt64> where token != 500 { check(pending.cancel(token)) }
    check(sent() == [500])
    #expect(pending.nextExpiry == nil)
  }
}

/// What is checked may change what it asks.
private func check(_ condition: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(condition, sourceLocation: sourceLocation)
}
