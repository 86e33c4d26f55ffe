import MQTT
import NIOCore
import Testing

@testable import Agent
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTTCore
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
