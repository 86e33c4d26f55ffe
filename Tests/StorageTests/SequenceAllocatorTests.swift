import LimpetInstants
import Readings
import Testing

@Suite("SequenceAllocator")
struct SequenceAllocatorTests {
  private let start = BootClock.Instant(nanoseconds: 0)

  /// What an owner with a working store does after each number.
  private func store(_ allocator: inout SequenceAllocator) {
    let requests = allocator.requests(at: start)
    if !requests.isEmpty { allocator.reserved(requests) }
  }

  @Test("a name that was never seen before starts at 1, without a mark")
  func newName() {
    var allocator = SequenceAllocator(stored: [:])
    allocator.register(["door"])
    store(&allocator)
    #expect(allocator.next("door") == .init(sequence: 1, restarted: false))
    #expect(allocator.next("door") == .init(sequence: 2, restarted: false))
  }

  @Test("no number is given before the end of its block is stored")
  func nothingUnstored() {
    var allocator = SequenceAllocator(stored: [:])
    #expect(allocator.next("door") == nil)
    #expect(allocator.requests(at: start) == ["door": 1001])
    #expect(allocator.next("door") == nil)
    allocator.reserved(["door": 1001])
    #expect(allocator.next("door")?.sequence == 1)
  }

  @Test("after a clean stop a name goes on at exactly the stored number, once a block is stored")
  func cleanStop() {
    var allocator = SequenceAllocator(stored: ["door": .init(next: 43, exact: true)])
    #expect(allocator.next("door") == nil)
    #expect(allocator.requests(at: start) == ["door": 1043])
    allocator.reserved(["door": 1043])
    #expect(allocator.next("door") == .init(sequence: 43, restarted: false))
  }

  @Test("after an unclean stop a name goes on at the block's end, and only that number is marked restarted")
  func uncleanStop() {
    var allocator = SequenceAllocator(stored: ["door": .init(next: 1001, exact: false)])
    allocator.register(["door", "window"])
    store(&allocator)
    #expect(allocator.next("door") == .init(sequence: 1001, restarted: true))
    #expect(allocator.next("door") == .init(sequence: 1002, restarted: false))
    #expect(allocator.next("window") == .init(sequence: 1, restarted: false))
  }

  @Test("where the history is lost the first number of every name is marked restarted")
  func historyLost() {
    var allocator = SequenceAllocator(stored: [:], historyIsLost: true)
    allocator.storageIsUnavailable()
    #expect(allocator.next("door") == .init(sequence: 1, restarted: true))
    #expect(allocator.next("door") == .init(sequence: 2, restarted: false))
  }

  @Test("a new block is asked for when half of one is used, and once", arguments: [2, 10, 1000] as [UInt64])
  func prefetch(blockSize: UInt64) {
    var allocator = SequenceAllocator(stored: [:], blockSize: blockSize)
    allocator.register(["door"])
    store(&allocator)
    for _ in 1..<blockSize / 2 {
      _ = allocator.next("door")
      #expect(allocator.requests(at: start).isEmpty)
    }
    _ = allocator.next("door")
    #expect(allocator.requests(at: start) == ["door": 1 + 2 * blockSize])
    #expect(allocator.requests(at: start).isEmpty)
  }

  @Test("the half that is left is used while the next block is being stored; then numbers wait")
  func slowStorage() {
    var allocator = SequenceAllocator(stored: [:], blockSize: 10)
    allocator.register(["door"])
    store(&allocator)
    for expected in 1...10 as ClosedRange<UInt64> {
      #expect(allocator.next("door")?.sequence == expected)
      _ = allocator.requests(at: start)
    }
    #expect(allocator.next("door") == nil)
    allocator.reserved(["door": 21])
    #expect(allocator.next("door")?.sequence == 11)
  }

  @Test("names are counted apart from each other")
  func names() {
    var allocator = SequenceAllocator(stored: ["a": .init(next: 7, exact: true)])
    allocator.register(["a", "b"])
    #expect(allocator.requests(at: start) == ["a": 1007, "b": 1001])
    allocator.reserved(["b": 1001])
    #expect(allocator.next("a") == nil)
    #expect(allocator.next("b")?.sequence == 1)
  }

  @Test("without storage numbers go on in memory, past the block's end")
  func inMemory() {
    var allocator = SequenceAllocator(stored: [:], blockSize: 4)
    allocator.register(["door"])
    store(&allocator)
    allocator.storageIsUnavailable()
    #expect(allocator.runsInMemory)
    let numbers = (1...9).map { _ in allocator.next("door")?.sequence }
    #expect(numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9])
  }

  @Test("when storage returns, the block stored lies past every number used meanwhile")
  func storageReturns() {
    var allocator = SequenceAllocator(stored: [:], blockSize: 4)
    allocator.storageIsUnavailable()
    for _ in 1...9 { _ = allocator.next("door") }
    #expect(allocator.requests(at: start) == ["door": 14])
    allocator.reserved(["door": 14])
    #expect(!allocator.runsInMemory)
    #expect(allocator.next("door")?.sequence == 10)
  }

  @Test("a request that failed is made again after 1 s, then after twice as long each time, up to a minute")
  func backOff() {
    var allocator = SequenceAllocator(stored: [:])
    allocator.register(["door"])
    var now = start
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
      #expect(allocator.requests(at: now) == ["door": 1001])
      allocator.reservationFailed(at: now)
      let deadline = now + .seconds(wait)
      #expect(allocator.retryDeadline == deadline)
      #expect(allocator.requests(at: now).isEmpty)
      #expect(allocator.requests(at: deadline - .nanoseconds(1)).isEmpty)
      now = deadline
    }
    #expect(!allocator.requests(at: now).isEmpty)
    allocator.reserved(["door": 1001])
    #expect(allocator.retryDeadline == nil)
    for _ in 1...500 { _ = allocator.next("door") }
    #expect(allocator.requests(at: now) == ["door": 2001])
    allocator.reservationFailed(at: now)
    #expect(allocator.retryDeadline == now + .seconds(1), "a success begins the row anew")
  }

  @Test("numbers that are used while a request waits do not make it earlier")
  func usedMeanwhile() {
    var allocator = SequenceAllocator(stored: [:], blockSize: 4)
    allocator.register(["door"])
    _ = allocator.requests(at: start)
    allocator.reservationFailed(at: start)
    for number in 1...20 {
      #expect(allocator.next("door")?.sequence == UInt64(number))
      allocator.register(["window\(number)"])
      #expect(allocator.requests(at: start).isEmpty)
    }
    #expect(allocator.requests(at: start + .seconds(1))["door"] == 25)
  }

  @Test("one reservation is under way at a time: the next asks for all that came up meanwhile")
  func oneAtATime() {
    var allocator = SequenceAllocator(stored: [:])
    allocator.register(["door"])
    let first = allocator.requests(at: start)
    #expect(first == ["door": 1001])
    allocator.register(["window"])
    #expect(allocator.requests(at: start + .seconds(100)).isEmpty)
    allocator.reserved(first)
    #expect(allocator.requests(at: start) == ["window": 1001])
  }

  @Test("another store is asked at once")
  func anotherStore() {
    var allocator = SequenceAllocator(stored: [:])
    allocator.register(["door"])
    _ = allocator.requests(at: start)
    allocator.reservationFailed(at: start)
    allocator.adopt([:])
    allocator.storageIsUnavailable()
    #expect(allocator.requests(at: start) == ["door": 1001])
  }

  @Test("a confirmation that numbers given meanwhile have overtaken does not let them be given twice")
  func overtaken() {
    var allocator = SequenceAllocator(stored: [:], blockSize: 2)
    allocator.register(["door"])
    let requests = allocator.requests(at: start)
    allocator.storageIsUnavailable()
    for _ in 1...5 { _ = allocator.next("door") }
    allocator.reserved(requests)
    #expect(allocator.next("door") == nil)
    store(&allocator)
    #expect(allocator.next("door")?.sequence == 6)
  }

  @Test("an older confirmation does not shrink a block, and one for an unknown name is ignored")
  func oldConfirmation() {
    var allocator = SequenceAllocator(stored: [:], blockSize: 2)
    allocator.register(["door"])
    allocator.reserved(["door": 9, "window": 9])
    allocator.reserved(["door": 3])
    let numbers = (1...9).map { _ in allocator.next("door")?.sequence }
    #expect(numbers == [1, 2, 3, 4, 5, 6, 7, 8, nil])
    #expect(allocator.exact == ["door": 9])
  }

  @Test("a clean stop stores the number after the last one used, of every name of this run")
  func exact() {
    var allocator = SequenceAllocator(stored: ["gone": .init(next: 5, exact: true)])
    allocator.register(["door", "window"])
    store(&allocator)
    for _ in 1...41 { _ = allocator.next("door") }
    #expect(allocator.exact == ["door": 42, "window": 1])
  }

  @Test("a clean stop before the first number after an unclean one still owes the mark")
  func markIsOwed() {
    var allocator = SequenceAllocator(stored: ["door": .init(next: 1001, exact: false)])
    allocator.register(["door"])
    store(&allocator)
    #expect(allocator.exact.isEmpty)
    _ = allocator.next("door")
    #expect(allocator.exact == ["door": 1002])
  }

  @Test("a name this run does not use is not asked for")
  func unusedName() {
    var allocator = SequenceAllocator(stored: ["gone": .init(next: 5, exact: false)])
    #expect(allocator.requests(at: start).isEmpty)
    #expect(allocator.exact.isEmpty)
  }
}
