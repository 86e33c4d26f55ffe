import LimpetText
import NIOCore

/// Numbers as text, one family after the other: Prometheus's format (version 0.0.4) or OpenMetrics 1.0.
package struct MetricText {
  package enum Format {
    case prometheus, openMetrics

    /// - Parameter accept: the value of HTTP's Accept. OpenMetrics is what it names, with no less weight than text.
    package init(accept: String) {
      let ranges = accept.split(separator: ",").map(MediaRange.init)
      func weight(_ names: String...) -> Double? {
        for name in names { if let weight = ranges.filter({ $0.name == name }).map(\.weight).max() { return weight } }
        return nil
      }
      let open = weight("application/openmetrics-text") ?? 0
      self = open > 0 && open >= weight("text/plain", "text/*", "*/*") ?? 0 ? .openMetrics : .prometheus
    }

    /// The value of HTTP's Content-Type.
    package var mediaType: String {
      switch self {
      case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
      case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
      }
    }
  }

  package enum Kind: String { case counter, gauge, info }

  package typealias Labels = [(name: String, value: String)]

  private let format: Format
  /// Of every number.
  private let common: Labels
  private(set) var buffer = ByteBuffer()

  package init(_ format: Format, common: Labels) {
    self.format = format
    self.common = common
  }

  /// A family and its numbers.
  ///
  /// - Parameters:
  ///   - name: with the unit at its end, and without `_total` or `_info`.
  ///   - help: a sentence without its point.
  package mutating func family(
    _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: Labels, value: String)]
  ) {
    let suffix =
      switch kind {
      case .counter: "_total"
      case .info: "_info"
      case .gauge: ""
      }
    // The older format names a family after its numbers, and has no `info`.
    let family = format == .openMetrics ? name : name + suffix
    let word = kind == .info && format == .prometheus ? Kind.gauge : kind
    buffer.writeString("# HELP \(family) \(help).\n# TYPE \(family) \(word.rawValue)\n")
    for sample in samples { write(name + suffix, common + sample.labels, sample.value) }
  }

  /// OpenMetrics ends with a line that says so.
  package mutating func finish() -> ByteBuffer {
    if format == .openMetrics { buffer.writeString("# EOF\n") }
    return buffer
  }

  private mutating func write(_ name: String, _ labels: Labels, _ value: String) {
    buffer.writeString(name)
    if !labels.isEmpty {
      buffer.writeString("{")
      for (index, label) in labels.enumerated() {
        buffer.writeString("\(index > 0 ? "," : "")\(label.name)=\"\(Self.escaped(label.value))\"")
      }
      buffer.writeString("}")
    }
    buffer.writeString(" \(value)\n")
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.append(character)
      }
    }
    return result
  }
}

/// One media range of HTTP's Accept and its weight (RFC 9110, section 12.5.1).
private struct MediaRange {
  let name: String
  let weight: Double

  init(_ text: Substring) {
    let parts = text.split(separator: ";", omittingEmptySubsequences: false).map {
      $0.filter { $0 != " " && $0 != "\t" }.lowercased()
    }
    name = parts.first ?? ""
    let written = parts.dropFirst().first { $0.hasPrefix("q=") }.map { String($0.dropFirst(2)) }
    // One that is no number says nothing.
    weight = written.flatMap { Double.isDecimal($0) ? Double($0) : nil } ?? 1
  }
}
