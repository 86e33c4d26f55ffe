import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Presence

/// All shutdowns here have 10 s, so that readings are flushed for 5.
struct DepartureTests {
  private static let start = BootClock.now
  private static let limit = Duration.seconds(10)
  private static let half = start + .seconds(5)
  private static let deadline = start + .seconds(10)

  private func departure(connected: Bool, idle: Bool = false) -> Departure {
    var departure = Departure()
    _ = departure.begin(within: Self.limit, at: Self.start, isConnected: connected, isIdle: idle)
    return departure
  }

  @Test("before it begins nothing happens, whatever else does")
  func staying() {
    var departure = Departure()
    #expect(!departure.isLeaving && !departure.hasSaidFarewell)
    #expect(departure.nextDeadline == nil)
    #expect(departure.connected(isIdle: true) == [])
    #expect(departure.settled(isIdle: true) == [])
    #expect(departure.lost(willRetry: true) == [])
    #expect(departure.lost(willRetry: false) == [])
    #expect(departure.farewellAcknowledged(at: Self.start) == [])
    #expect(departure.elapsed(at: Self.deadline, isConnected: true) == [])
    #expect(departure.state == .staying)
  }

  // MARK: Connected

  @Test("connected, with nothing to send: the farewell at once, then DISCONNECT in what is left of the time")
  func idle() {
    var departure = Departure()
    #expect(
      departure.begin(within: Self.limit, at: Self.start, isConnected: true, isIdle: true) == [.sayFarewell])
    #expect(departure.isLeaving && departure.hasSaidFarewell)
    #expect(departure.nextDeadline == Self.deadline)
    #expect(departure.farewellAcknowledged(at: Self.start + .seconds(1)) == [.disconnect(within: .seconds(9))])
    #expect(departure.state == .disconnecting)
  }

  @Test("readings under way are waited for, until the last one is acknowledged")
  func flushed() {
    var departure = Departure()
    #expect(departure.begin(within: Self.limit, at: Self.start, isConnected: true, isIdle: false) == [])
    #expect(departure.isLeaving && !departure.hasSaidFarewell)
    #expect(departure.nextDeadline == Self.half)
    #expect(departure.settled(isIdle: false) == [])
    #expect(departure.elapsed(at: Self.half - .milliseconds(1), isConnected: true) == [])
    #expect(departure.settled(isIdle: true) == [.sayFarewell])
    #expect(departure.hasSaidFarewell)
  }

  @Test("at half of the time the farewell does not wait for readings any more")
  func halfTime() {
    var departure = departure(connected: true)
    #expect(departure.elapsed(at: Self.half, isConnected: true) == [.sayFarewell])
    #expect(departure.state == .saying)
    #expect(departure.nextDeadline == Self.deadline)
  }

  // MARK: Nothing twice

  @Test("a second stop changes nothing")
  func beginsOnce() {
    var departure = departure(connected: true)
    let later = Self.start + .seconds(3)
    #expect(departure.begin(within: Self.limit, at: later, isConnected: true, isIdle: true) == [])
    #expect(departure.begin(within: Self.limit, at: later, isConnected: false, isIdle: true) == [])
    #expect(departure.nextDeadline == Self.half)
  }

  @Test("the farewell is said once, however often there is a reason for it")
  func farewellOnce() {
    var departure = departure(connected: true, idle: true)
    #expect(departure.settled(isIdle: true) == [])
    #expect(departure.connected(isIdle: true) == [])
    #expect(departure.elapsed(at: Self.half, isConnected: true) == [])
  }

  @Test("DISCONNECT is asked for once")
  func disconnectOnce() {
    var departure = departure(connected: true, idle: true)
    #expect(departure.farewellAcknowledged(at: Self.start).count == 1)
    #expect(departure.farewellAcknowledged(at: Self.start) == [])
    #expect(departure.settled(isIdle: true) == [])
  }

  @Test("a status that nobody said good-bye with is not taken for the farewell")
  func acknowledgedTooEarly() {
    var departure = departure(connected: true)
    #expect(departure.farewellAcknowledged(at: Self.start) == [])
    #expect(departure.nextDeadline == Self.half)
  }

  // MARK: Not connected

  @Test("without a connection there is one attempt, in which the same happens")
  func attempt() {
    var departure = Departure()
    #expect(departure.begin(within: Self.limit, at: Self.start, isConnected: false, isIdle: false) == [.connect])
    #expect(departure.settled(isIdle: false) == [])
    #expect(departure.connected(isIdle: false) == [])
    #expect(departure.settled(isIdle: true) == [.sayFarewell])
    #expect(departure.farewellAcknowledged(at: Self.half) == [.disconnect(within: .seconds(5))])
  }

  @Test("an attempt that succeeds with nothing left to send: the farewell at once")
  func attemptWhenIdle() {
    var departure = Departure()
    #expect(departure.begin(within: Self.limit, at: Self.start, isConnected: false, isIdle: true) == [.connect])
    #expect(departure.connected(isIdle: true) == [.sayFarewell])
  }

  @Test("an attempt that fails is the end", arguments: [true, false])
  func attemptFails(willRetry: Bool) {
    var departure = departure(connected: false)
    #expect(departure.lost(willRetry: willRetry) == [.finish])
    #expect(departure.state == .gone)
    #expect(departure.lost(willRetry: willRetry) == [])
    #expect(departure.elapsed(at: Self.deadline, isConnected: false) == [])
  }

  @Test("half-time without a connection goes by; the farewell comes with the connection, whatever else waits")
  func connectedAfterHalfTime() {
    var departure = departure(connected: false)
    #expect(departure.elapsed(at: Self.half, isConnected: false) == [])
    #expect(departure.nextDeadline == Self.deadline)
    #expect(departure.connected(isIdle: false) == [.sayFarewell])
    #expect(departure.farewellAcknowledged(at: Self.start + .seconds(8)) == [.disconnect(within: .seconds(2))])
  }

  // MARK: Lost

  @Test("a connection that is lost among the last readings gets one attempt, then they go on")
  func lostWhileFlushing() {
    var departure = departure(connected: true)
    #expect(departure.lost(willRetry: true) == [.connect])
    #expect(departure.nextDeadline == Self.half)
    #expect(departure.connected(isIdle: false) == [])
    #expect(departure.settled(isIdle: true) == [.sayFarewell])
  }

  @Test("there is one attempt, not one for each loss")
  func lostTwice() {
    var flushing = departure(connected: true)
    #expect(flushing.lost(willRetry: true) == [.connect])
    #expect(flushing.lost(willRetry: true) == [.finish])

    var connectedForIt = departure(connected: false)
    _ = connectedForIt.connected(isIdle: true)
    #expect(connectedForIt.lost(willRetry: true) == [.finish])
  }

  @Test("a session thrown away, or another version, is a step of that attempt")
  func stepsOfTheAttempt() {
    for isThere in [true, false] {
      var departure = departure(connected: false)
      for _ in 0..<2 { #expect(departure.lost(willRetry: true, isStep: true) == []) }
      if isThere {
        #expect(departure.connected(isIdle: true) == [.sayFarewell])
      } else {
        #expect(departure.lost(willRetry: true) == [.finish])
      }
    }
  }

  @Test("a client that does not try again is the end")
  func lostForGood() {
    var departure = departure(connected: true)
    #expect(departure.lost(willRetry: false) == [.finish])
    #expect(departure.state == .gone)
  }

  @Test("a farewell that was lost on its way is said again at once on the next connection", arguments: [true, false])
  func lostWhileSaying(isIdle: Bool) {
    var departure = departure(connected: true, idle: true)
    #expect(departure.lost(willRetry: true) == [.connect])
    #expect(departure.farewellAcknowledged(at: Self.start) == [], "the acknowledgement would be of the lost one")
    #expect(departure.connected(isIdle: isIdle) == [.sayFarewell])
    #expect(departure.farewellAcknowledged(at: Self.half) == [.disconnect(within: .seconds(5))])
  }

  @Test("after the acknowledgement it does not matter how the connection ends", arguments: [true, false])
  func lostAfterAcknowledgement(willRetry: Bool) {
    var departure = departure(connected: true, idle: true)
    _ = departure.farewellAcknowledged(at: Self.start + .seconds(1))
    #expect(departure.lost(willRetry: willRetry) == [])
    #expect(departure.elapsed(at: Self.deadline, isConnected: false) == [])
  }

  // MARK: The deadline

  /// A way to a state in which the deadline can come.
  struct Way: CustomTestStringConvertible {
    let testDescription: String
    let isConnected: Bool
    let go: @Sendable (inout Departure) -> Void
  }

  private static let ways = [
    Way(testDescription: "flushing", isConnected: true) { _ in },
    Way(testDescription: "the farewell has been said", isConnected: true) { _ = $0.settled(isIdle: true) },
    Way(testDescription: "the farewell has been acknowledged", isConnected: true) {
      _ = $0.settled(isIdle: true)
      _ = $0.farewellAcknowledged(at: half)
    },
    Way(testDescription: "lost, the attempt under way", isConnected: false) { _ = $0.lost(willRetry: true) },
    Way(testDescription: "lost, half-time over", isConnected: false) {
      _ = $0.lost(willRetry: true)
      _ = $0.elapsed(at: half, isConnected: false)
    },
    Way(testDescription: "the farewell lost, the attempt under way", isConnected: false) {
      _ = $0.settled(isIdle: true)
      _ = $0.lost(willRetry: true)
    },
  ]

  @Test("at the deadline the connection is cut, once, and that is the end", arguments: ways)
  func deadline(_ way: Way) {
    var departure = departure(connected: true)
    way.go(&departure)
    #expect(departure.elapsed(at: Self.deadline, isConnected: way.isConnected) == [.abort])
    #expect(departure.state == .gone)
    #expect(departure.hasSaidFarewell, "nothing may follow")
    #expect(departure.elapsed(at: Self.deadline + .seconds(1), isConnected: way.isConnected) == [])
    #expect(departure.lost(willRetry: false) == [])
    #expect(departure.farewellAcknowledged(at: Self.deadline) == [])
    #expect(departure.settled(isIdle: true) == [])
    #expect(departure.connected(isIdle: true) == [])
  }

  @Test("whatever wakes it up too early, the deadline is waited for", arguments: ways)
  func wokenEarly(_ way: Way) {
    var departure = departure(connected: true)
    way.go(&departure)
    #expect(departure.elapsed(at: Self.start + .seconds(1), isConnected: way.isConnected) == [])
    #expect(departure.state != .gone)
    #expect(departure.nextDeadline != nil)
  }
}
