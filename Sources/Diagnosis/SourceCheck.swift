import Configuration
import LimpetPlatform
import LimpetText
import Measuring
import Readings
import Sensing

/// Each sensor of a configuration read once, as `limpet run` would read it: the value that it would publish, or the error.
struct SourceCheck {
  enum Outcome: Sendable {
    /// For people, with the unit.
    case value(String, Value?, unit: String?)
    /// The daemon would publish it as bad.
    case failure(String)
    /// Reading it has a side effect: a Raspberry Pi's kernel writes a warning.
    case leftAlone
  }

  private let outcomes: [String: Outcome]

  /// Blocks for as long as reading takes: at most the longest `timeout`, or 5 s.
  init(_ configuration: Configuration, root: FileRoot) {
    let sensors = configuration.sensors.filter { $0.source.mayBeRead(in: root) }
    let conversions = W1Conversions()
    let jobs = sensors.map { sensor in
      ReadJob(
        id: sensor.name, source: sensor.source.source(in: root, thermometers: conversions),
        timeout: min(sensor.timeout, .seconds(5)))
    }
    let results = BlockingReader.readOnce(jobs)
    var outcomes: [String: Outcome] = [:]
    for sensor in configuration.sensors {
      guard sensor.source.mayBeRead(in: root) else {
        outcomes[sensor.name] = .leftAlone
        continue
      }
      outcomes[sensor.name] = Self.outcome(of: results[sensor.name] ?? .failure(.stopped), sensor)
    }
    self.outcomes = outcomes
  }

  subscript(name: String) -> Outcome? { outcomes[name] }

  /// Names of those that cannot be read now.
  var failures: [String] {
    outcomes.compactMap { if case .failure = $0.value { $0.key } else { nil } }.sorted()
  }

  private static func outcome(
    of result: Result<Measurement, SensorError>, _ sensor: SensorConfiguration
  ) -> Outcome {
    let measurement: Measurement
    switch result {
    case .failure(let error): return .failure("\(error)")
    case .success(let success): measurement = success
    }
    let conditioning = Conditioning(
      map: sensor.map, scale: sensor.scale, offset: sensor.offset, range: sensor.range)
    let content = conditioning.content(of: measurement)
    let unit = (sensor.unit ?? measurement.unit).flatMap { $0.isEmpty ? nil : $0 }
    func text(_ value: Value) -> String {
      guard let number = value.number else { return printable(value.description) }
      return printable(number.shortestDecimal + (unit.map { " \($0)" } ?? ""))
    }
    switch content {
    case .good(let value): return .value(text(value), value, unit: unit)
    case .doubtful(let value, let doubt):
      return .value("\(text(value)) (\(doubt.grade.rawValue): \(doubt.reason))", value, unit: unit)
    case .bad(let reason): return .failure(reason)
    case .edge, .total, .output, .gap: return .leftAlone
    }
  }
}
