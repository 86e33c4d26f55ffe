import DequeModule
import LimpetInstants
import Readings

/// A reading whose number is not reserved yet.
package struct UnnumberedReading: Sendable, Equatable {
  package let stream: StreamID
  package let content: Reading.Content
  package let unit: String?
  package let time: BootClock.Instant

  package init(stream: StreamID, content: Reading.Content, unit: String?, time: BootClock.Instant) {
    self.stream = stream
    self.content = content
    self.unit = unit
    self.time = time
  }

  /// Its bytes, as `Reading.cost` counts them.
  package var cost: Int { MemoryLayout<Reading>.stride + content.cost }
}

/// Readings that wait for the disk to reserve their numbers, in their order. A disk that does not answer must not fill the
/// memory: the oldest are given up then, and a gap reports them before the next one of the same name.
package struct UnnumberedReadings: Sendable {
  package private(set) var readings: Deque<UnnumberedReading> = []
  /// Bytes that wait, their texts included.
  package private(set) var bytes = 0
  /// How many of each stream were given up, and are not reported yet.
  package private(set) var lost: [StreamID: UInt64] = [:]

  package init(readings: Deque<UnnumberedReading> = [], bytes: Int = 0, lost: [StreamID: UInt64] = [:]) {
    self.readings = readings
    self.bytes = bytes
    self.lost = lost
  }

  package var isEmpty: Bool { readings.isEmpty }
  package var count: Int { readings.count }

  package mutating func append(_ reading: UnnumberedReading) {
    bytes += reading.cost
    readings.append(reading)
  }

  /// `first` reports readings that were given up here.
  package var firstIsGap: Bool { readings.first.map { lost[$0.stream] != nil } ?? false }

  /// What gets the next number: the oldest reading, or the gap before it.
  package var first: UnnumberedReading? {
    guard let reading = readings.first, let lost = lost[reading.stream] else { return readings.first }
    return UnnumberedReading(stream: reading.stream, content: .gap(lost: lost), unit: nil, time: reading.time)
  }

  /// `first` has its number.
  package mutating func removeFirst() {
    guard let stream = readings.first?.stream, lost.removeValue(forKey: stream) == nil else { return }
    _ = take()
  }

  /// Gives the oldest up until no more than `limit` bytes wait.
  ///
  /// - Returns: them, to be counted.
  package mutating func giveUp(beyond limit: Int) -> [UnnumberedReading] {
    var given: [UnnumberedReading] = []
    while bytes > limit, let gone = take() {
      // A gap that is lost keeps its length.
      let count: UInt64 = if case .gap(let lost) = gone.content { lost } else { 1 }
      let (sum, overflows) = lost[gone.stream, default: 0].addingReportingOverflow(count)
      lost[gone.stream] = overflows ? .max : sum
      given.append(gone)
    }
    return given
  }

  private mutating func take() -> UnnumberedReading? {
    guard let reading = readings.popFirst() else { return nil }
    bytes -= reading.cost
    return reading
  }
}
