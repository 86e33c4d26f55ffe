import MQTT
import NIOCore
import Testing

@testable import Agent
@testable import Instants
@testable import MQTTCore
@testable import Platform
@testable import Presence

struct FarewellTests {
  private static let start = BootClock.now
  private static let end = start + Farewell.limit

  private func saying() -> Farewell {
    var farewell = Farewell()
    _ = farewell.begin(at: Self.start, isConnected: true)
    return farewell
  }

  @Test("connected: it is said, and the acknowledgement is followed by a DISCONNECT")
  func acknowledged() {
    var farewell = Farewell()
    #expect(!farewell.isUnderWay)
    #expect(farewell.begin(at: Self.start, isConnected: true) == [.say])
    #expect(farewell.isUnderWay && !farewell.isLeaving)
    #expect(farewell.deadline == Self.end)
    #expect(farewell.acknowledged() == [.leave(isAborted: false)])
    #expect(farewell.isLeaving && farewell.deadline == nil)
    #expect(farewell.lost() == [])
    farewell.end()
    #expect(!farewell.isUnderWay)
  }

  @Test("refused, or not acknowledged in time: the connection is aborted, so that the will speaks")
  func notAcknowledged() {
    var farewell = saying()
    #expect(farewell.refused() == [.leave(isAborted: true)])
    farewell = saying()
    #expect(farewell.elapsed(at: Self.end - .milliseconds(1)) == [])
    #expect(farewell.elapsed(at: Self.end) == [.leave(isAborted: true)])
    #expect(farewell.acknowledged() == [], "what comes too late changes nothing")
    #expect(farewell.elapsed(at: Self.end + .seconds(9)) == [])
  }

  @Test("a connection that is lost meanwhile, and none at all: the next attempt follows at once")
  func noConnection() {
    var farewell = saying()
    #expect(farewell.lost() == [.leave(isAborted: false)])
    farewell = Farewell()
    #expect(farewell.begin(at: Self.start, isConnected: false) == [.leave(isAborted: false)])
    #expect(farewell.isLeaving)
  }

  @Test("another reload meanwhile: what is being said goes on in its time, what ends is left to end")
  func again() {
    var farewell = saying()
    #expect(farewell.begin(at: Self.start + .seconds(1), isConnected: true) == [])
    #expect(farewell.deadline == Self.end)
    _ = farewell.acknowledged()
    #expect(farewell.begin(at: Self.start + .seconds(1), isConnected: true) == [.adopt])
    // An attempt by the configuration in between.
    #expect(farewell.begin(at: Self.start + .seconds(1), isConnected: false) == [.leave(isAborted: false)])
  }

  @Test("nothing happens where there is no farewell")
  func idle() {
    var farewell = Farewell()
    #expect(farewell.acknowledged() == [] && farewell.refused() == [] && farewell.lost() == [])
    #expect(farewell.elapsed(at: Self.end) == [])
  }
}

struct OwedFarewellsTests {
  private static let a = ServerAddress(transport: .tcp, host: "a", port: 1883)
  private static let b = ServerAddress(transport: .tcp, host: "b", port: 1883)
  private static let now = "now"

  private func messages(_ topic: String, delay: Duration = .seconds(60)) throws -> PresenceMessages {
    PresenceMessages(
      status: try TopicName(topic), presence: try TopicName("p"), online: "online", offline: "offline",
      qos: .atLeastOnce, willDelay: delay,
      lease: .zero, instance: "i", version: "1")
  }

  @Test("a topic of before is owed an offline on the server that has it, and there only")
  func owed() throws {
    var owed = OwedFarewells()
    owed.add(try messages("old"), on: Self.a)
    #expect(try owed.next(on: Self.b, status: TopicName(Self.now)) == nil)
    #expect(try owed.next(on: Self.a, status: TopicName(Self.now))?.status.description == "old")
    #expect(try owed.next(on: Self.a, status: TopicName(Self.now)) == nil, "one at a time")
    owed.settled()
    #expect(owed.count == 0)
  }

  @Test("nothing is owed to the topic that says online again, nor where the will goes out at once")
  func notOwed() throws {
    var owed = OwedFarewells()
    owed.add(try messages("old", delay: .zero), on: Self.a)
    owed.add(try messages(Self.now), on: Self.a)
    #expect(try owed.next(on: Self.a, status: TopicName(Self.now)) == nil)
    #expect(owed.count == 0)
  }

  @Test("what is not acknowledged is said again on the next connection, and not for ever; there are few")
  func bounded() throws {
    var owed = OwedFarewells()
    owed.add(try messages("old"), on: Self.a)
    for _ in 0..<OwedFarewells.attempts {
      #expect(try owed.next(on: Self.a, status: TopicName(Self.now)) != nil)
      owed.lost()
    }
    #expect(owed.count == 0)
    for _ in 0..<3 { owed.add(try messages("old"), on: Self.a) }
    #expect(owed.count == 1)
    for number in 0..<20 { owed.add(try messages(["x", "y"][number % 2]), on: Self.address(number)) }
    #expect(owed.count == OwedFarewells.limit)
  }

  private static func address(_ number: Int) -> ServerAddress {
    ServerAddress(transport: .tcp, host: "\(number)", port: 1883)
  }
}
