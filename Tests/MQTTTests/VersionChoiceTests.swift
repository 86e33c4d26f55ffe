import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

/// `version: auto`, DESIGN section 1, "Presence, in order", 9.
@Suite struct VersionChoiceTests {
  static let base = BootClock.now
  static let day = Duration.seconds(86_400)
  let server = ServerAddress(transport: .tcp, host: "a", port: 1883)
  let other = ServerAddress(transport: .tls, host: "a", port: 8883)
  var choice = VersionChoice()

  @Test("5 is tried first")
  mutating func first() { #expect(choice.version(for: server, at: Self.base) == .v5) }

  @Test("a refusal for the version means 3.1.1 for this server, for a day [behaviour 25]")
  mutating func refused() {
    choice.refused(by: server, at: Self.base)
    #expect(choice.version(for: server, at: Self.base) == .v311)
    #expect(choice.version(for: other, at: Self.base) == .v5)
    #expect(choice.version(for: server, at: Self.base + Self.day - .nanoseconds(1)) == .v311)
    #expect(choice.version(for: server, at: Self.base + Self.day) == .v5)
  }

  @Test("the day is not prolonged by connections that 3.1.1 makes")
  mutating func dayEnds() {
    choice.refused(by: server, at: Self.base)
    choice.accepted(.v311, by: server)
    #expect(choice.version(for: server, at: Self.base) == .v311)
    #expect(choice.version(for: server, at: Self.base + Self.day) == .v5)
  }

  @Test("one silent close says nothing, two mean 3.1.1")
  mutating func silent() {
    choice.closedSilently(by: server, at: Self.base)
    #expect(choice.version(for: server, at: Self.base) == .v5)
    choice.closedSilently(by: other, at: Self.base)
    #expect(choice.version(for: server, at: Self.base) == .v5)
    choice.closedSilently(by: server, at: Self.base)
    #expect(choice.version(for: server, at: Self.base) == .v311)
  }

  @Test("where 5 has worked, closes without a byte mean something else")
  mutating func silentAfter5() {
    choice.closedSilently(by: server, at: Self.base)
    choice.accepted(.v5, by: server)
    for _ in 0..<10 { choice.closedSilently(by: server, at: Self.base) }
    #expect(choice.version(for: server, at: Self.base) == .v5)
  }

  @Test("where 5 has worked, a refusal still counts")
  mutating func refusedAfter5() {
    choice.accepted(.v5, by: server)
    choice.refused(by: server, at: Self.base)
    #expect(choice.version(for: server, at: Self.base) == .v311)
  }

  @Test("when 5 is tried again after a day, one silent close is enough, and success is kept")
  mutating func nextDay() {
    choice.closedSilently(by: server, at: Self.base)
    choice.closedSilently(by: server, at: Self.base)
    let tomorrow = Self.base + Self.day
    var unlucky = choice
    unlucky.closedSilently(by: server, at: tomorrow)
    #expect(unlucky.version(for: server, at: tomorrow) == .v311)
    #expect(unlucky.version(for: server, at: tomorrow + Self.day) == .v5)
    choice.accepted(.v5, by: server)
    choice.closedSilently(by: server, at: tomorrow)
    #expect(choice.version(for: server, at: tomorrow) == .v5)
  }
}
