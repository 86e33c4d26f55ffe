/// Holds the readings that a subscriber gets against their numbers: which is missing, which came twice.
struct ReadingWatch: Sendable {
  /// By slot, a reading's name of a device: the number that comes next.
  private var next: [UInt64]
  /// By slot, what was passed over and has not come since; mostly there is nothing.
  private var missing: [Int: Set<UInt64>] = [:]
  /// Slots that may have had readings that nobody kept for the subscriber.
  private var mayJump: [Bool]
  private(set) var received: UInt64 = 0
  private(set) var repeated: UInt64 = 0
  /// Missing, since the broker did not keep the subscriber's session.
  private(set) var excused: UInt64 = 0

  init(slots: Int) {
    next = Array(repeating: 1, count: slots)
    mayJump = Array(repeating: false, count: slots)
  }

  mutating func heard(_ slot: Int, _ number: UInt64) {
    guard next.indices.contains(slot) else { return }
    guard number >= next[slot] else {
      if missing[slot]?.remove(number) != nil { received += 1 } else { repeated += 1 }
      if missing[slot]?.isEmpty ?? false { missing[slot] = nil }
      return
    }
    if number > next[slot] {
      if mayJump[slot] {
        excused += number - next[slot]
      } else {
        // What is missing without end is counted at its end, and not kept one by one.
        missing[slot, default: []].formUnion(max(next[slot], number > 10_000 ? number - 10_000 : 1)..<number)
      }
    }
    mayJump[slot] = false
    received += 1
    next[slot] = number + 1
  }

  /// The broker has forgotten the subscriber's session: what came meanwhile, it never gets.
  mutating func sessionWasLost() { for slot in mayJump.indices { mayJump[slot] = true } }

  /// Readings that the broker has acknowledged, and that have not come.
  ///
  /// - Parameter ends: by slot, the number after the last that the broker has.
  func lost(before ends: [UInt64]) -> UInt64 {
    var lost = missing.values.reduce(UInt64(0)) { $0 + UInt64($1.count) }
    for (slot, end) in ends.enumerated() where end > next[slot] && !mayJump[slot] { lost += end - next[slot] }
    return lost
  }
}
