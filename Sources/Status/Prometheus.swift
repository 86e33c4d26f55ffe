import LimpetText
import Measuring
import NIOCore
import Readings

/// The agent's numbers for Prometheus: those about itself, and the last value of every reading.
package enum Prometheus {
  /// What a scraper can read.
  ///
  /// - Parameter accept: the value of HTTP's Accept.
  package static func page(_ report: StatusReport, accept: String) -> (type: String, text: ByteBuffer) {
    let format = MetricText.Format(accept: accept)
    return (format.mediaType, text(report, format))
  }

  /// As node_exporter's textfile collector reads it.
  package static func text(_ report: StatusReport) -> ByteBuffer { text(report, .prometheus) }

  private static func text(_ report: StatusReport, _ format: MetricText.Format) -> ByteBuffer {
    var text = MetricText(format, common: [("device", report.device)])
    add(report.figures, to: &text)
    addReadings(of: report, to: &text)
    return text.finish()
  }

  static func add(_ figures: [Figure], to text: inout MetricText) {
    text.family("limpet_build", .info, "The version of limpet that runs here", [([("version", limpetVersion)], "1")])
    for figure in figures { add(figure, to: &text) }
  }

  private static func add(_ figure: Figure, to text: inout MetricText) {
    let samples: [(labels: MetricText.Labels, value: String)] =
      switch figure.value {
      case .count(let count): [([], String(count))]
      case .amount(let amount): [([], amount.shortestDecimal)]
      case .counts(let label, let counts):
        counts.sorted { $0.key < $1.key }.map { ([(label.description, $0.key)], String($0.value)) }
      }
    text.family("limpet_\(figure.name)", figure.kind == .counter ? .counter : .gauge, "\(figure.help)", samples)
  }

  // MARK: Readings

  private struct Families {
    var values: [(labels: MetricText.Labels, value: String)] = []
    var totals: [(labels: MetricText.Labels, value: String)] = []
    var outputs: [(labels: MetricText.Labels, value: String)] = []
    var good: [(labels: MetricText.Labels, value: String)] = []
    var times: [(labels: MetricText.Labels, value: String)] = []
  }

  private static func addReadings(of report: StatusReport, to text: inout MetricText) {
    var families = Families()
    for row in report.rows {
      guard let reading = row.reading else { continue }
      let name: MetricText.Labels = [("name", row.name)]
      families.good.append((name, reading.content.quality == "good" ? "1" : "0"))
      let microseconds = report.clock.time(of: reading.time).microseconds
      families.times.append((name, (Double(microseconds) / 1_000_000).shortestDecimal))
      add(reading, of: row, name, to: &families)
    }
    text.family(
      "limpet_reading_value", .gauge, "The last value of a reading; absent while the reading is bad", families.values)
    text.family("limpet_counter", .counter, "Total of a counter, in its unit", families.totals)
    text.family(
      "limpet_output_value", .gauge,
      "Value of an output: 1 for on, or %; absent while it cannot be read or is not as requested",
      families.outputs)
    text.family(
      "limpet_output_changes", .counter, "How often an output changed, by cause",
      report.outputs.flatMap { output in
        output.changes.map { ([("name", output.name), ("cause", $0.cause)], String($0.count)) }
      })
    text.family(
      "limpet_commands", .counter, "Commands for an output, by answer",
      report.outputs.flatMap { output in
        output.commands.map { ([("name", output.name), ("result", $0.result)], String($0.count)) }
      })
    text.family(
      "limpet_sensor_skipped_rounds", .counter,
      "Times that this sensor was due while its last read was still under way",
      report.rows.compactMap { row in row.skippedRounds.map { ([("name", row.name)], String($0)) } })
    text.family("limpet_reading_good", .gauge, "Whether the last reading is good", families.good)
    text.family("limpet_reading_timestamp_seconds", .gauge, "When the last reading was measured", families.times)
  }

  private static func add(
    _ reading: Reading, of row: StatusReport.Row, _ name: MetricText.Labels, to families: inout Families
  ) {
    let unit = labels("unit", reading.unit)
    switch reading.content {
    case .good(let value), .doubtful(let value, _):
      if case .channels(let channels) = value {
        for channel in channels {
          guard let number = channel.value.flatMap(number) else { continue }
          families.values.append((name + [("channel", channel.name)] + labels("unit", channel.unit), number))
        }
      } else if let number = number(value) {
        families.values.append((name + unit, number))
      }
    case .edge(let edge): families.values.append((name, edge.isRising ? "1" : "0"))
    // What falls would look like a counter that began anew.
    case .total(let total) where row.mayFall: families.values.append((name + unit, total.value.shortestDecimal))
    case .total(let total): families.totals.append((name + unit, total.value.shortestDecimal))
    case .output(let output):
      guard output.doubt?.grade != .bad, let number = number(output.value) else { break }
      families.outputs.append((name, number))
    case .gap, .bad: break
    }
  }

  private static func labels(_ name: String, _ value: String?) -> MetricText.Labels { value.map { [(name, $0)] } ?? [] }

  /// nil: texts are no numbers.
  private static func number(_ value: Value) -> String? {
    switch value {
    case .number(let number): number.shortestDecimal
    case .integer(let integer): String(integer)
    case .flag(let flag): flag ? "1" : "0"
    case .text, .channels: nil
    }
  }
}
