/// What a stored number can be. A file that lost bits says anything, and arithmetic on it would end the process at each
/// start: what is outside is taken for a row that says nothing.
enum StoredBounds {
  /// Of readings and messages: rows are counted from 1, and no agent comes near the end.
  static let tokens: ClosedRange<Int64> = 1...1 << 62
  /// Of sequence numbers and epochs: the integers that every JSON reader has exactly.
  static let counts: ClosedRange<Int64> = 1...(1 << 53) - 1
  /// Of streams: each section of the outbox counts by them.
  static let streams: ClosedRange<Int64> = 1...65_535
  /// Of boots.
  static let boots: ClosedRange<Int64> = 1...1 << 31
}
