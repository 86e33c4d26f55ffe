import Testing

@testable import Configuration
@testable import Measuring

/// A key of the whole tree of declarations, in lists too, with files that have a place for it.
struct KeyPlace: CustomTestStringConvertible, Sendable {
  /// As errors name it: `sensors[0].range.min`.
  let path: String
  /// The choice of the selector that it belongs to; nil for the keys that stand beside every choice.
  let variant: String?
  let declaration: Declaration
  let frames: [Frame]

  /// The mapping around a key: what stands there besides, and the file around it.
  struct Frame: Sendable {
    var head = ""
    var others: [String] = []
    var tail = "\n"

    /// - Parameter pair: nil leaves the key out.
    func file(_ pair: String?, without name: String) -> String {
      "\(head){\((others.filter { !$0.hasPrefix("\(name): ") } + (pair.map { [$0] } ?? [])).joined(separator: ", "))}\(tail)"
    }

    /// The mapping that `name` holds, inside of this one.
    func section(_ name: String, with others: [String] = []) -> Frame {
      let siblings = self.others.filter { !$0.hasPrefix("\(name): ") }.map { "\($0), " }.joined()
      return Frame(head: "\(head){\(siblings)\(name): ", others: others, tail: "}\(tail)")
    }

    /// The one entry of the list that `name` holds.
    func entry(of name: String, with others: [String]) -> Frame {
      let section = section(name)
      return Frame(head: section.head + "[", others: others, tail: "]" + section.tail)
    }
  }

  var testDescription: String { path + (variant.map { " of \($0)" } ?? "") }

  func file(_ value: String?, in frame: Frame) -> String {
    frame.file(value.map { "\(declaration.name): \($0)" }, without: declaration.name)
  }

  /// Values to try, as they would be written, where the file needs no quotes or has them.
  var candidates: [String] {
    let written = declaration.examples + (declaration.standard.map { [$0] } ?? [])
    return written.map(Self.scalar) + (declaration.content.shape.map(Self.values) ?? []).map(Self.scalar)
      + written.compactMap(Self.neighbour).map(Self.scalar)
  }

  private static func scalar(_ text: String) -> String {
    text.first.map("[{'".contains) ?? false ? text : "'\(text)'"
  }

  /// Another text of the same kind: the last letter or digit is another; of a list, its first value alone.
  private static func neighbour(_ text: String) -> String? {
    if text.hasPrefix("[") { return text.dropFirst().split { ",]".contains($0) }.first.map(String.init) }
    guard let last = text.last, last.isLetter || last.isNumber else { return nil }
    return text.dropLast() + (last.isNumber ? "\(((last.wholeNumberValue ?? 0) + 1) % 10)" : last == "a" ? "b" : "a")
  }

  private static func values(_ shape: Declaration.Shape) -> [String] {
    switch shape {
    case .choice(let words): words
    case .boolean: ["true", "false"]
    case .integer(let range): ["\(range.lowerBound)", "\(range.upperBound)"]
    case .number, .percentOrNumber: ["2"]
    case .duration(let range, _, _, let words):
      [WrittenDuration.text(range.lowerBound), "13s", WrittenDuration.text(range.upperBound)] + words
    case .size(let range): [WrittenSize.text(range.lowerBound), WrittenSize.text(range.upperBound)]
    case .topic(let placeholders): ["other/" + placeholders.map { "{\($0)}" }.joined(separator: "/")]
    // They exist among `testFiles`.
    case .path: ["c.pem", "/etc/limpet/k.pem"]
    case .text, .identifier, .url: []
    case .matching(_, let shape): values(shape)
    case .or(let word, let shape): [word] + values(shape)
    }
  }
}

extension KeyPlace {
  static let all: [KeyPlace] = {
    let root = Frame(others: ["broker: {url: mqtts://h}"])
    return Configuration.declarations.flatMap { places(of: $0, "", nil, [root]) }
  }()

  private static func places(
    of declaration: Declaration, _ prefix: String, _ variant: String?, _ frames: [Frame]
  ) -> [KeyPlace] {
    let path = prefix + declaration.name
    let place = KeyPlace(path: path, variant: variant, declaration: declaration, frames: frames)
    switch declaration.content {
    case .scalar, .scalars, .texts: return [place]
    case .section(let keys):
      return [place]
        + keys.flatMap { key in
          let inner = frames.flatMap { frame in
            companions(of: "\(path).\(key.name)").map { frame.section(declaration.name, with: $0) }
          }
          return places(of: key, "\(path).", variant, inner)
        }
    case .entries(let common, _, let variants):
      func entries(_ bases: [[String]]) -> [Frame] {
        bases.flatMap { base in frames.map { $0.entry(of: declaration.name, with: base) } }
      }
      let inner = variants.map { (variant: $0, frames: entries(bases($0.name))) }
      let own = declaration.name == "outputs" ? entries(outputs) + pairs(frames) : entries(inputs)
      let shared = inner.isEmpty ? own : inner.flatMap(\.frames)
      return [place] + common.flatMap { places(of: $0, "\(path)[0].", nil, shared) }
        + inner.flatMap { variant, frames in
          variant.keys.flatMap { places(of: $0, "\(path)[0].", variant.name, frames) }
        }
    }
  }

  /// Keys that must stand beside one of a section, in the ways to try.
  private static func companions(of path: String) -> [[String]] {
    switch path.split(separator: ".").map(String.init) {
    case ["broker", "tls", "certificate"], ["broker", "tls", "key"]: [["certificate: c.pem", "key: k.pem"]]
    case let words where words.count == 3 && words[1] == "lost" && words[2] != "after": [["after: 2m"]]
    case ["broker", "prefers_first"]: [["url: [mqtts://h, mqtts://i]"]]
    case let words where words.count == 2 && words[0] == "broker": [["url: mqtts://h"]]
    default: [[]]
    }
  }

  private static let inputs =
    [["name: a", "line: 4"]] + ["counter", "frequency", "gesture"].map { ["name: a", "line: 4", "mode: \($0)"] }
    + [["name: a", "line: 4", "line_b: 5", "mode: encoder"], ["name: a", "line: 4", "mode: encoder"]]

  /// Entries of `outputs`, in the ways to try.
  private static let outputs = [
    ["line: 4"], ["type: pwm", "device: 1-0040", "channel: 0"], ["type: led", "led: x"],
    ["type: backlight", "backlight: x"], ["type: fan", "chip: c", "channel: pwm1"],
  ].map { ["name: a"] + $0 }

  /// An output with another behind it, which it may exclude.
  private static func pairs(_ frames: [Frame]) -> [Frame] {
    [[], ["interlock: drain"]].flatMap { more in
      frames.map { frame in
        var entry = frame.entry(of: "outputs", with: ["name: a", "line: 4"] + more)
        entry.tail = ", {name: drain, line: 9}" + entry.tail
        return entry
      }
    }
  }

  /// Entries of `sensors`, in the ways to try.
  private static func bases(_ type: String) -> [[String]] {
    let keys: [[String]] =
      switch SensorType(rawValue: type) {
      case .thermal: [["zone: z"]]
      case .hwmon: [["chip: c", "channel: temp1"], ["chip: c"]]
      case .iio: [["device: d", "channel: x"], ["device: d"]]
      case .w1: [["id: 28-0316a2795bff"]]
      case .powerSupply: [["supply: s", "property: p"], ["supply: s"]]
      case .system: ["load1", "disk_free", "wifi_signal", "life_time"].map { ["value: \($0)"] }
      case .file: [["path: /x"]]
      case nil: []
      }
    return keys.flatMap { keys in
      [[], ["average: mean"], ["window: 1m"]].map { ["name: a", "type: \(type)"] + keys + $0 }
    }
  }
}
