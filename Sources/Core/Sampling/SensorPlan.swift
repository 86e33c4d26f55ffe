import Instants
import Measuring
import Readings

/// Names a sensor for as long as it is the same one: a sensor that is read in another way gets another id, also where its
/// name stays.
package struct SensorID: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }
}

/// What becomes of the samples of one sensor.
package struct SensorPlan: Sendable {
  package var id: SensorID
  /// As it is configured.
  package let name: String
  /// Index of the stream that its readings belong to.
  package var stream: Int
  package let interval: Duration
  package let change: ChangeThreshold?
  package let maxAge: Duration?
  /// nil: the one that was measured.
  package let unit: String?
  package let conditioning: Conditioning
  package let average: Average?
  package let decimals: Int?

  package init(
    id: SensorID, name: String, stream: Int, interval: Duration, change: ChangeThreshold? = nil,
    maxAge: Duration? = nil, unit: String? = nil, conditioning: Conditioning = Conditioning(), average: Average? = nil,
    decimals: Int? = nil
  ) {
    self.id = id
    self.name = name
    self.stream = stream
    self.interval = interval
    self.change = change
    self.maxAge = maxAge
    self.unit = unit
    self.conditioning = conditioning
    self.average = average
    self.decimals = decimals
  }
}

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
  /// Said once for each reason.
  case fails(name: String, reason: String)
  /// Said once.
  case canBeReadAgain(name: String)
  /// Readings were given up for want of room, so many since the start. Said at the first, and then at each doubling.
  case bufferIsFull(dropped: UInt64, isMemoryBound: Bool)
}
