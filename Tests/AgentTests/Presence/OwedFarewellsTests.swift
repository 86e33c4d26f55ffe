import LimpetInstants
import MQTTCore
import Testing

@testable import Presence

struct OwedFarewellsTests {
  private typealias Debt = OwedFarewells.Debt
  private static let a = ServerAddress(transport: .tcp, host: "a", port: 1883)
  private static let b = ServerAddress(transport: .tcp, host: "b", port: 1883)
  private static let start = BootClock.Instant(nanoseconds: 0)

  private func debt(_ topic: String, on server: ServerAddress = a, offline: String = "offline") throws -> Debt {
    let messages = PresenceMessages(
      status: try TopicName(topic), presence: TopicName("p"), online: "online", offline: offline,
      qos: .atLeastOnce, willDelay: .zero, lease: .zero, instance: "i", version: "1")
    return Debt(messages, on: server, client: "c")
  }

  private func connect(_ owed: inout OwedFarewells, _ topic: String, on server: ServerAddress = a) throws {
    owed.prepare(try debt(topic, on: server))
    owed.connected()
  }

  private func next(_ owed: inout OwedFarewells, on server: ServerAddress = a, isProven: Bool = false) -> String? {
    owed.next(on: server, isProven: isProven, at: Self.start)?.topic.description
  }

  @Test("a topic of before is owed an offline on the server that has it, and there only")
  func owed() throws {
    var owed = OwedFarewells()
    try connect(&owed, "old")
    #expect(owed.count == 0, "the connection stands for it")
    try connect(&owed, "now", on: Self.b)
    #expect(owed.count == 1)
    #expect(next(&owed, on: Self.b) == nil)
    try connect(&owed, "now")
    #expect(next(&owed) == "old")
    #expect(next(&owed) == nil, "one at a time")
    owed.settled()
    #expect(next(&owed) == nil)
    #expect(owed.count == 1, "that at the other server")
  }

  @Test("nothing is owed to the topic that says online again, nor after an acknowledged offline, nor without CONNACK")
  func notOwed() throws {
    var owed = OwedFarewells()
    try connect(&owed, "old")
    owed.prepare(try debt("wrong"))
    owed.prepare(try debt("old"))
    owed.connected()
    #expect(next(&owed) == nil)
    owed.saidOffline()
    try connect(&owed, "now")
    #expect(next(&owed) == nil)
    #expect(owed.count == 0)
    // The store knows of what was only made ready, until the end.
    _ = owed.takeChanges()
    owed.end()
    #expect(owed.takeChanges().removed.map(\.topic.description) == ["wrong"])
  }

  @Test("connections that end without an answer: then it is said on a proven one only; ends that, the topic rests")
  func cautious() throws {
    var owed = OwedFarewells()
    try connect(&owed, "old")
    try connect(&owed, "now")
    for _ in 0..<OwedFarewells.attempts {
      #expect(next(&owed) == "old")
      owed.lost(at: Self.start)
    }
    #expect(next(&owed) == nil && owed.count == 1)
    #expect(next(&owed, isProven: true) == "old")
    owed.lost(at: Self.start)
    #expect(next(&owed, isProven: true) == nil)
    #expect(owed.deadline(on: Self.a, after: Self.start) == Self.start + OwedFarewells.rest)
    #expect(owed.next(on: Self.a, isProven: false, at: Self.start + OwedFarewells.rest) == nil)
    #expect(owed.next(on: Self.a, isProven: true, at: Self.start + OwedFarewells.rest) != nil)
    owed.settled()
    #expect(owed.count == 0)
  }

  @Test("what the broker refuses is owed still: it rests, and is said again on that connection or a later one")
  func refused() throws {
    var owed = OwedFarewells()
    try connect(&owed, "old")
    try connect(&owed, "now")
    _ = owed.takeChanges()
    #expect(next(&owed) == "old")
    owed.refused(at: Self.start)
    #expect(owed.count == 1 && !owed.hasChanges, "the store has it still")
    #expect(owed.next(on: Self.a, isProven: true, isLast: true, at: Self.start) == nil)
    let later = Self.start + OwedFarewells.rest
    #expect(owed.deadline(on: Self.a, after: Self.start) == later)
    #expect(owed.next(on: Self.a, isProven: false, at: later)?.topic.description == "old", "it did not close on it")
    owed.settled()
    #expect(owed.count == 0)
  }

  @Test("before a DISCONNECT there is no other time: what waits for a proven connection is said, what rests is not")
  func last() throws {
    var owed = OwedFarewells()
    try connect(&owed, "old")
    try connect(&owed, "now")
    for _ in 0..<OwedFarewells.attempts {
      _ = next(&owed)
      owed.lost(at: Self.start)
    }
    #expect(owed.next(on: Self.a, isProven: false, isLast: true, at: Self.start) != nil)
    owed.lost(at: Self.start)
    _ = next(&owed, isProven: true)
    owed.lost(at: Self.start)
    #expect(owed.next(on: Self.a, isProven: true, isLast: true, at: Self.start) == nil)
  }

  @Test("there are few, and the oldest goes first")
  func bounded() throws {
    var owed = OwedFarewells()
    for number in 0..<20 {
      try connect(&owed, "t\(number)")
    }
    #expect(owed.count == OwedFarewells.limit - 1)
    #expect(next(&owed) == "t12")
    #expect(owed.takeChanges().removed.count <= 2 * OwedFarewells.limit)
  }

  @Test("what is owed is in the store before anything is said, and goes when it is settled")
  func stored() throws {
    var owed = OwedFarewells()
    owed.prepare(try debt("old"))
    #expect(owed.takeChanges().added.map(\.topic.description) == ["old"])
    owed.prepare(try debt("old"))
    #expect(!owed.hasChanges, "it is there already")
    owed.prepare(try debt("old", offline: "gone"))
    let changes = owed.takeChanges()
    #expect(changes.added.map(\.offline) == ["gone"])
    owed.connected()
    owed.saidOffline()
    owed.storingFailed(changes)
    let last = owed.takeChanges()
    #expect(last.added.isEmpty && last.removed.map(\.offline) == ["gone"])
    #expect(!owed.hasChanges)
  }

  private func said(_ debt: Debt) -> Debt {
    Debt(server: debt.server, client: debt.client, topic: debt.topic, offline: debt.offline, qos: debt.qos)
  }

  @Test("an earlier process's are owed by this one; another client's are not; a store that begins anew gets all")
  func found() throws {
    var owed = OwedFarewells()
    let other = Debt(
      server: "mqtt://a:1883", client: "d", topic: TopicName("theirs"), offline: "offline", qos: .atLeastOnce)
    owed.found([said(try debt("old")), other], client: "c")
    #expect(owed.takeChanges() == .init(removed: [other]))
    try connect(&owed, "now")
    #expect(next(&owed) == "old")
    _ = owed.takeChanges()
    owed.found([], client: "c")
    #expect(owed.takeChanges().added.map(\.topic.description) == ["old", "now"])
  }
}
