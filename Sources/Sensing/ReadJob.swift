import Measuring

/// One sensor to be read once.
public struct ReadJob: Sendable {
  /// What the sensor is called; one read of an id is under way at a time.
  public var id: String
  public let source: any SensorSource
  /// A read that takes longer is reported as ``SensorError/timedOut(after:)`` and counts as hanging. Healthy ones are far
  /// below: a 1-Wire thermometer, the slowest, takes 750 ms.
  public var timeout: Duration
  /// The source's when the job was submitted, and the same until it has been read.
  public internal(set) var bus: Bus

  public init(id: String, source: any SensorSource, timeout: Duration = .seconds(5)) {
    self.id = id
    self.source = source
    self.timeout = timeout
    bus = source.bus
  }
}

/// The result of a job.
///
/// An accepted job gives one result, or two when it was `timedOut` and the kernel returned after all: the second has its
/// value then, with the time it was measured.
public struct ReadResult: Sendable, Equatable {
  public var id: String
  public var outcome: Result<Measurement, SensorError>

  public init(id: String, outcome: Result<Measurement, SensorError>) {
    self.id = id
    self.outcome = outcome
  }
}

/// Reports that a bus is no longer read, or again.
public enum BusChange: Sendable, Hashable {
  /// Its reads hang and the last thread hangs too: its jobs fail at once from now on.
  case suspended(Bus)
  /// The last hanging read of the bus returned.
  case resumed(Bus)
}
