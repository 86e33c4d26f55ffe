import NIOCore
import Text

/// The numbers as Prometheus's text format has them (version 0.0.4), for node_exporter's textfile collector.
package enum Prometheus {
  /// - Parameter labels: of every number, such as the device.
  package static func text(_ figures: [Figure], labels: [(name: String, value: String)]) -> ByteBuffer {
    var buffer = ByteBuffer()
    for figure in figures {
      let name = "limpet_\(figure.name)" + (figure.kind == .counter ? "_total" : "")
      buffer.writeString("# HELP \(name) \(figure.help).\n# TYPE \(name) \(figure.kind.rawValue)\n")
      switch figure.value {
      case .count(let count): write(name, labels, String(count), &buffer)
      case .amount(let amount): write(name, labels, amount.shortestDecimal, &buffer)
      case .counts(let label, let counts):
        for (word, count) in counts.sorted(by: { $0.key < $1.key }) {
          write(name, labels + [(label.description, word)], String(count), &buffer)
        }
      }
    }
    return buffer
  }

  private static func write(
    _ name: String, _ labels: [(name: String, value: String)], _ value: String, _ buffer: inout ByteBuffer
  ) {
    buffer.writeString(name)
    if !labels.isEmpty {
      buffer.writeString("{")
      for (index, label) in labels.enumerated() {
        buffer.writeString("\(index > 0 ? "," : "")\(label.name)=\"\(escaped(label.value))\"")
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
