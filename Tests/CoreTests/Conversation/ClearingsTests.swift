import MQTTCore
import Testing

@testable import Outbox

struct ClearingsTests {
  private let a: TopicName = "a"
  private let b: TopicName = "b"

  private static func free(_: TopicName) -> Bool { false }

  @Test("each is stored, sent one at a time, and forgotten when the broker has it")
  func cleared() {
    var clearings = Clearings()
    #expect(clearings.add([a, b, a]) == 0)
    #expect(clearings.takeChanges() == Clearings.Changes(added: ["a", "b"]))
    #expect(clearings.takeChanges().isEmpty)
    #expect(clearings.next(Self.free) == a)
    #expect(clearings.next(Self.free) == nil)
    #expect(clearings.count == 2)
    #expect(clearings.settled(.delivered) == .cleared(a))
    #expect(clearings.takeChanges() == Clearings.Changes(removed: ["a"]))
    #expect(clearings.next(Self.free) == b)
    clearings.giveBack()
    #expect(clearings.next(Self.free) == b)
    #expect(clearings.settled(.delivered) == .cleared(b))
    #expect(clearings.count == 0 && clearings.cleared == 2 && clearings.failed == 0)
  }

  @Test("a refusal is the broker's answer: it is told, counted, and not asked for again")
  func refused() {
    var clearings = Clearings()
    _ = clearings.add([a])
    _ = clearings.next(Self.free)
    #expect(clearings.settled(.refused(.notAuthorized)) == .refused(a, .refused(.notAuthorized)))
    #expect(clearings.count == 0 && clearings.cleared == 0 && clearings.failed == 1)
    #expect(clearings.takeChanges() == Clearings.Changes(removed: ["a"]))
  }

  @Test("without an answer it is sent again on the next connection, three times at the most")
  func again() {
    var clearings = Clearings()
    _ = clearings.add([a, b])
    _ = clearings.takeChanges()
    for _ in 1..<Clearings.attempts {
      #expect(clearings.next(Self.free) == a)
      #expect(clearings.settled(.abandoned) == .waits)
      #expect(clearings.takeChanges().isEmpty)
    }
    #expect(clearings.next(Self.free) == a)
    #expect(clearings.settled(.abandoned) == .givenUp(a))
    #expect(clearings.next(Self.free) == b)
    #expect(clearings.settled(.abandoned) == .waits, "it is counted for each")
  }

  @Test("a name that came back says by itself what holds")
  func claimed() {
    var clearings = Clearings()
    _ = clearings.add([a, b])
    _ = clearings.takeChanges()
    #expect(clearings.next { $0 == a } == b)
    #expect(clearings.takeChanges() == Clearings.Changes(removed: ["a"]))
  }

  @Test("there are a thousand at the most, and what is left out is counted")
  func bounded() throws {
    var clearings = Clearings()
    #expect(clearings.add(try (0..<1500).map { try TopicName("t/\($0)") }) == 500)
    #expect(clearings.count == Clearings.limit && clearings.failed == 500)
    clearings.found(["x"])
    #expect(clearings.count == Clearings.limit)
    #expect(clearings.takeChanges().removed == ["x"])
  }

  @Test("what an earlier process left is sent; a store that begins anew gets what waits")
  func restart() {
    var clearings = Clearings()
    clearings.found(["a", "no/+/topic"])
    #expect(clearings.takeChanges() == Clearings.Changes(removed: ["no/+/topic"]))
    #expect(clearings.next(Self.free) == a)
    _ = clearings.add([b])
    _ = clearings.takeChanges()
    clearings.found([])
    #expect(clearings.takeChanges() == Clearings.Changes(added: ["a", "b"]))
  }

  @Test("what could not be stored is written with the next changes, unless it has changed since")
  func storingFails() {
    var clearings = Clearings()
    _ = clearings.add([a, b])
    let changes = clearings.takeChanges()
    _ = clearings.next(Self.free)
    _ = clearings.settled(.delivered)
    clearings.storingFailed(changes)
    #expect(clearings.takeChanges() == Clearings.Changes(added: ["b"], removed: ["a"]))
  }
}
