import MQTTCore

/// The bounds of stored numbers. A file that lost bits may have any number, and arithmetic on it would end the process
/// at each start: a row with a number outside counts as unreadable.
package enum StoredBounds {
  /// Of readings and messages: rows are counted from 1, and no agent comes near the end.
  package static let tokens = StoredMessages.tokens
  /// Of sequence numbers and epochs: the integers that every JSON reader has exactly.
  package static let counts: ClosedRange<Int64> = 1...(1 << 53) - 1
  /// Of streams: each section of the outbox counts by them.
  package static let streams: ClosedRange<Int64> = 1...65_535
  /// Of boots: what an `Int` of 32 bits holds, with the number that the next one gets.
  package static let boots: ClosedRange<Int64> = 1...Int64(Int32.max) - 1

  /// How many of the newest are kept: names of runs,
  package static let instances = 64
  /// and boots. Readings of one before those keep the time that they were given then.
  package static let keptBoots = 1000
}
