import DequeModule

/// Readings that wait to be sent, oldest first, within a bound. When it is full the oldest go, and are counted: that
/// leaves a gap in `seq`, never a wrong order.
struct Outbox {
  private var readings: Deque<Reading> = []
  private let limit: Int
  /// Bytes that the waiting readings take.
  private(set) var bytes = 0
  /// Readings that were given up because there was no room, since the start.
  private(set) var dropped: UInt64 = 0

  /// - Parameter limit: bytes, more than zero.
  init(limit: Int) { self.limit = limit }

  var count: Int { readings.count }
  var isEmpty: Bool { readings.isEmpty }
  var oldest: Reading? { readings.first }

  mutating func append(_ reading: Reading) {
    readings.append(reading)
    bytes += reading.cost
    while bytes > limit, readings.count > 1, let gone = readings.popFirst() {
      bytes -= gone.cost
      dropped += 1
    }
  }

  /// Counts a reading that was given up before it came here.
  mutating func refuse() { dropped += 1 }

  mutating func popFirst() -> Reading? {
    guard let reading = readings.popFirst() else { return nil }
    bytes -= reading.cost
    return reading
  }
}
