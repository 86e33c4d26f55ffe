import JSON
import LimpetPlatform
import LimpetText
import Measuring
import NIOCore
import Readings
import Sensing
import YAML

/// The sensors of a board with their values now, as `limpet scan` shows them.
public struct SensorScan {
  fileprivate struct Row {
    let sensor: FoundSensor
    let outcome: Result<Measurement, SensorError>
  }

  fileprivate let rows: [Row]

  /// Lists what there is and reads each sensor once; blocks for as long as that takes.
  public init(root: FileRoot) {
    let sensors = FoundSensor.all(in: root)
    rows = zip(sensors, FoundSensor.read(sensors, in: root)).map { Row(sensor: $0, outcome: $1) }
  }

  /// A sensor a line; several channels of one chip below a line of the chip.
  public var text: String {
    guard !rows.isEmpty else { return "no sensors" }
    var heads: [Int: String] = [:]
    var cells: [[String]] = []
    for chip in chips {
      if let title = chip.title { heads[cells.count] = title }
      for row in chip.rows {
        let source = chip.title == nil ? "\(row.sensor.kind)" : row.sensor.kind.part?.channel ?? "\(row.sensor.kind)"
        cells.append([(chip.title == nil ? "" : "  ") + row.sensor.name, row.shown, source])
      }
    }
    let table = TextTable(cells)
    var widths = table.widths
    // Why one cannot be read is long, and stands for itself.
    widths[1] = rows.map(\.shown.count).filter { $0 <= 24 }.max() ?? 0
    let lines = table.lines(widths, cutting: false).enumerated().flatMap { index, line in
      (heads[index].map { ["  " + $0] } ?? []) + ["  " + line]
    }
    return (["sensors"] + lines).joined(separator: "\n")
  }

  /// Rows by chip, in the order of their first ones; one row alone has no title.
  private var chips: [(title: String?, rows: [Row])] {
    var chips: [(title: String?, rows: [Row])] = []
    for row in rows {
      let title = row.sensor.kind.part?.chip
      if let title, let index = chips.firstIndex(where: { $0.title == title }) {
        chips[index].rows.append(row)
      } else {
        chips.append((title, [row]))
      }
    }
    return chips.map { $0.rows.count > 1 ? $0 : (nil, $0.rows) }
  }

  /// The value of `sensors` in the JSON of `limpet scan --json`.
  package var json: [ByteBuffer] { rows.map(\.json) }

  /// What can be read, as entries for a configuration that is there.
  package var proposals: [ScanMerge.Proposal] {
    // What a scan leaves alone itself is added by who wants it.
    rows.filter { $0.measurement != nil }.map { row in
      ScanMerge.Proposal(
        name: row.sensor.name, keys: row.sensor.keys, source: row.sensor.kind.written.map { ($0.key, $0.value) },
        shown: row.shown)
    }
  }

  /// `sensors:` for a configuration. What cannot be read now is a comment: as an entry it would only be bad readings.
  public var yaml: String {
    guard rows.contains(where: { $0.measurement != nil }) else { return "# sensors: none that can be read was found" }
    let entries = rows.map { row in
      let keys = [("name", row.sensor.name)] + row.sensor.keys
      let entry = "- {" + keys.map { "\($0): \(yamlScalar($1))" }.joined(separator: ", ") + "}"
      return "  \(row.isProposed ? "" : "# ")\(entry)  # \(row.shown)"
    }
    return (["sensors:"] + entries).joined(separator: "\n")
  }
}

extension SensorScan.Row {
  fileprivate var measurement: Measurement? { try? outcome.get() }

  /// It can be read, or is left to who runs the configuration.
  fileprivate var isProposed: Bool {
    switch outcome {
    case .success, .failure(.leftAlone): true
    case .failure: false
    }
  }

  /// The reading that this entry gives: as the daemon conditions it.
  private var content: Reading.Content {
    switch outcome {
    case .success(let measurement): Conditioning(scale: sensor.scale).content(of: measurement)
    case .failure(let error): .bad("\(error)")
    }
  }

  private var unit: String? { sensor.unit ?? measurement?.unit }

  /// On one line, whatever a driver says.
  fileprivate var shown: String {
    let text =
      switch content {
      case .good(let value): value.text(unit)
      case .doubtful(let value, let doubt): "\(value.text(unit)) (\(doubt.grade.rawValue): \(doubt.reason))"
      case .bad(let reason): reason
      case .edge, .total, .output, .gap: ""
      }
    return String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
  }

  fileprivate var json: ByteBuffer {
    var object = JSONObject()
    object.add("name", sensor.name)
    if let part = sensor.kind.part { object.add("chip", part.chip) }
    switch content {
    case .good(let value), .doubtful(let value, _): object.add("value", value)
    case .bad, .edge, .total, .output, .gap: object.addNull("value")
    }
    if let unit { object.add("unit", unit) }
    object.addQuality(of: content)
    object.add("configuration", sensor.keys.map { ($0.0, .text($0.1)) })
    return object.finish()
  }
}

extension Value {
  /// For people: `48.312 °C`, `65.4 GB`.
  fileprivate func text(_ unit: String?) -> String {
    if unit == "B", let number { return number.bytesInWords }
    return (number.map(\.shortestDecimal) ?? description) + (unit.map { " \($0)" } ?? "")
  }
}

extension FoundSensor {
  /// What stands in the configuration beside the name.
  fileprivate var keys: [(String, String)] {
    kind.written.map { ($0.key, $0.value) } + (scale == 1 ? [] : [("scale", scale.shortestDecimal)])
      + (unit.map { [("unit", $0)] } ?? [])
  }
}
