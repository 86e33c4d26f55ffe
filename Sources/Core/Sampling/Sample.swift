import Measuring
import Plan
import Readings

/// What became of one read of a sensor.
package struct Sample: Sendable {
  package let sensor: SensorID
  package let outcome: Result<Measurement, SensorError>

  package init(sensor: SensorID, outcome: Result<Measurement, SensorError>) {
    self.sensor = sensor
    self.outcome = outcome
  }
}

/// What there is to say in the log about what is read.
package enum ReadingNote: Sendable, Equatable {
  /// An input reads this line from now on.
  case reads(name: String, line: String)
  /// Said once for each reason; `changes`: it has come and gone so often since the last line.
  case fails(name: String, reason: String, changes: Int? = nil)
  /// Said once.
  case canBeReadAgain(name: String, changes: Int? = nil)
  /// Readings were given up for want of room, so many since the start. Said at the first, and then at each doubling.
  case bufferIsFull(dropped: UInt64, isMemoryBound: Bool)
}
