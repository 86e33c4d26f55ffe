import LimpetInstants
import Measuring
import Readings

/// Identifies a sensor for as long as it is read in one way: a sensor that is read in another way gets another id, even
/// under the same name.
package struct SensorID: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }
}

/// What becomes of the samples of one sensor.
package struct SensorPlan: Sendable {
  package var id: SensorID
  /// As it is configured.
  package let name: String
  /// What its readings belong to.
  package var stream: StreamID
  package let interval: Duration
  package let change: ChangeThreshold?
  package let maxAge: Duration?
  /// nil: the one that was measured.
  package let unit: String?
  package let conditioning: Conditioning
  package let average: Average?
  package let decimals: Int?
  /// How long one read may take.
  package let timeout: Duration
  /// How often a failed read is repeated before a bad reading.
  package let retries: Int

  package init(
    id: SensorID, name: String, stream: StreamID, interval: Duration, change: ChangeThreshold? = nil,
    maxAge: Duration? = nil, unit: String? = nil, conditioning: Conditioning = Conditioning(), average: Average? = nil,
    decimals: Int? = nil, timeout: Duration = .seconds(10), retries: Int = 0
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
    self.timeout = timeout
    self.retries = retries
  }
}
