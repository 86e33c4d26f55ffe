import Readings

/// Streams whose readings the broker refuses for now: their readings delay no other stream.
extension Outbox {
  /// The stream of a reading that was sent and is not settled.
  package func stream(of token: Token) -> StreamID? { taken[token]?.reading.stream }

  /// Readings that wait in streams that rest.
  package var restingCount: Int { resting.keys.reduce(0) { $0 + queues[$1].count } }

  /// The stream is passed over from now on; no other stream waits for it.
  package mutating func rest(_ stream: StreamID) { resting[stream] = .complete }

  /// One reading of a stream that rests may go; `wake` or `rest` follows.
  package mutating func tryOut(_ stream: StreamID) {
    guard resting[stream] != nil else { return }
    resting[stream] = .onTrial
    list(stream)
  }

  /// The stream no longer rests.
  package mutating func wake(_ stream: StreamID) {
    guard resting.removeValue(forKey: stream) != nil else { return }
    list(stream)
  }

  /// A stream that rests leaves its list.
  mutating func passOver(_ stream: StreamID) -> Bool {
    guard resting[stream] == .complete else { return false }
    queues[stream].isListed = false
    return true
  }
}
