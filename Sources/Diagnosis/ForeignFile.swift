import Configuration
import LimpetText
import YAML

/// A YAML file of another program: its values as that program reads them, and which of them were looked at.
struct ForeignMapping {
  /// `mqtt.tls`, `digital_inputs[0]`; empty for the file itself.
  let path: String
  private let entries: [Entry]
  private(set) var taken: Set<String> = []

  init(_ node: Node?, path: String = "") {
    self.path = path
    if case .mapping(let entries)? = node?.value { self.entries = entries } else { entries = [] }
  }

  private mutating func entry(_ key: String) -> Entry? {
    taken.insert(key)
    return entries.first { $0.key == key && !$0.value.isNull }
  }

  mutating func text(_ key: String) -> String? {
    guard case .scalar(let scalar)? = entry(key)?.value.value else { return nil }
    return scalar.text.isEmpty ? nil : scalar.text
  }

  /// PyYAML has the words of YAML 1.1.
  mutating func flag(_ key: String) -> Bool? {
    switch text(key)?.lowercased() {
    case "true", "yes", "on", "y": true
    case "false", "no", "off", "n": false
    default: nil
    }
  }

  /// Decimal, or `0x48`.
  mutating func integer(_ key: String) -> Int? {
    guard let text = text(key) else { return nil }
    return text.lowercased().hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
  }

  mutating func number(_ key: String) -> Double? {
    text(key).flatMap { Double.isDecimal($0) ? Double($0) : nil }
  }

  mutating func mapping(_ key: String) -> ForeignMapping? {
    guard let entry = entry(key), case .mapping = entry.value.value else { return nil }
    return ForeignMapping(entry.value, path: path.isEmpty ? key : "\(path).\(key)")
  }

  mutating func list(_ key: String) -> [ForeignMapping] {
    guard let entry = entry(key), case .sequence(let items) = entry.value.value else { return [] }
    return items.enumerated().map { ForeignMapping($1, path: "\(path.isEmpty ? key : "\(path).\(key)")[\($0)]") }
  }

  /// The keys that nobody has asked for, and where they stand.
  var rest: [(path: String, line: Int)] {
    entries.filter { !taken.contains($0.key) }.map {
      (path.isEmpty ? $0.key : "\(path).\($0.key)", $0.keyPosition.line)
    }
  }
}

/// A configuration that is written line by line, with comments between.
struct WrittenConfiguration {
  private(set) var lines: [String] = []
  /// How much of the other file has no counterpart.
  private(set) var remarks = 0

  var text: String { lines.joined(separator: "\n") + "\n" }

  mutating func line(_ text: String) { lines.append(text) }

  mutating func comment(_ text: String, indentation: String = "") {
    remarks += 1
    // What comes from the other file must not end the comment.
    let safe = text.map { $0.isNewline ? " " : String($0) }.joined()
    lines.append("\(indentation)# \(safe)")
  }

  /// One comment for each key that was not looked at.
  mutating func comment(restOf mapping: ForeignMapping, indentation: String = "", reasons: [String: String] = [:]) {
    for (path, line) in mapping.rest {
      let key = path.split(separator: ".").last.map(String.init) ?? path
      comment(
        "\(printable(path)) (line \(line)) \(reasons[key] ?? "has no counterpart")", indentation: indentation)
    }
  }

  private func printable(_ path: String) -> String {
    String(path.unicodeScalars.prefix(100).map { $0.properties.generalCategory == .control ? "?" : Character($0) })
  }
}

extension ConfigurationFiles {
  /// A whole file of at most 1 MiB; one byte more of a larger one, which no reader takes.
  public static func bytes(of path: String) throws(ArgumentError) -> [UInt8] {
    switch real.open(path, Document.Limit.input + 1) {
    case .success(let found): return found.bytes
    case .failure(let failure): throw ArgumentError(description: ReadingContext.cannotRead(path, failure))
    }
  }
}
