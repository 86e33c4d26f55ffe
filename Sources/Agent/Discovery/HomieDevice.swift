import MQTT
import NIOCore
import Sensing

/// This device as the Homie convention 5 has it: a node for each reading, with a property for each of its values.
struct HomieDevice: Sendable {
  struct Property: Sendable {
    /// "integer", "float" and so on of the convention's list; those that limpet has.
    enum Datatype: String, Sendable { case float, boolean, string, `enum` }

    let id: String
    /// Of which channel; nil: there is one.
    var channel: String?
    let title: String
    let datatype: Datatype
    var format: String?
    var unit: String?
    /// false: something that happens, and is told once to those who listen.
    var isRetained = true
  }

  struct Node: Sendable {
    /// The reading's, in the configuration.
    let name: String
    let id: String
    let title: String
    let properties: [Property]
  }

  /// What its topics begin with.
  let base: String
  let nodes: [Node]
  let description: ByteBuffer

  init(_ configuration: Configuration, device: String) {
    base = configuration.homie.base(device: device)
    nodes = configuration.sensors.map(\.homieNode) + configuration.inputs.map(\.homieNode)
    let nodeFields = nodes.map { (name: $0.id, value: $0.description) }
    let name = configuration.device.name ?? device
    func document(version: Int) -> JSONValue {
      .object([
        ("homie", .text("5.0")), ("version", .integer(version)), ("name", .text(name)), ("nodes", .object(nodeFields)),
      ])
    }
    // The same document has the same version, another one another: 48 bits, which every reader of JSON has.
    let digest = SHA256.hash(Array(document(version: 0).compact.utf8)).prefix(6)
    description = ByteBuffer(string: document(version: digest.reduce(0) { $0 << 8 | Int($1) }).compact)
  }

  /// Where the readings of a name go.
  var nodesByName: [String: Int] { Dictionary(nodes.enumerated().map { ($1.name, $0) }) { first, _ in first } }

  /// What a broker keeps of it, behind `base`.
  var announcement: Announcement {
    var entries: Set<Announcement.Entry> = []
    for node in nodes {
      entries.insert(Announcement.Entry(kind: "alert", name: "$alert/\(node.id)"))
      for property in node.properties where property.isRetained {
        entries.insert(Announcement.Entry(kind: "property", name: "\(node.id)/\(property.id)"))
      }
    }
    return Announcement(topic: base, digest: "", entries: entries)
  }
}

extension HomieDevice.Node {
  fileprivate var description: JSONValue {
    .object([("name", .text(title)), ("properties", .object(properties.map { ($0.id, $0.description) }))])
  }
}

extension HomieDevice.Property {
  fileprivate var description: JSONValue {
    var fields: [(name: String, value: JSONValue)] = [("name", .text(title)), ("datatype", .text(datatype.rawValue))]
    if let format { fields.append(("format", .text(format))) }
    if let unit { fields.append(("unit", .text(unit))) }
    if !isRetained { fields.append(("retained", .flag(false))) }
    return .object(fields)
  }

  /// The payload of a value; nil where it is none of this datatype.
  func payload(_ value: Value) -> ByteBuffer? {
    switch (value, datatype) {
    case (.flag(let flag), .boolean): ByteBuffer(string: flag ? "true" : "false")
    case (.number(let number), .float): ByteBuffer(string: Self.text(number))
    case (.integer(let integer), .float): ByteBuffer(string: String(integer))
    case (.text(let text), .enum): isChoice(text) ? ByteBuffer(string: text) : nil
    case (.text(let text), .string): Self.filled(text)
    case (.number(let number), .string): ByteBuffer(string: Self.text(number))
    case (.integer, .string), (.flag, .string): ByteBuffer(string: value.description)
    default: nil
    }
  }

  private func isChoice(_ text: String) -> Bool {
    format?.split(separator: ",").contains { $0 == text } ?? false
  }

  /// "The payload may only contain whole numbers, the negation character, the exponent character and the decimal
  /// separator": no sign of plus.
  static func text(_ number: Double) -> String { number.shortestDecimal.filter { $0 != "+" } }

  /// An empty payload would delete the topic: "an empty string value is represented by [...] a single byte value 0".
  private static func filled(_ text: String) -> ByteBuffer { ByteBuffer(string: text.isEmpty ? "\0" : text) }
}

extension SensorConfiguration {
  fileprivate var homieNode: HomieDevice.Node {
    let values = describedValues
    return HomieDevice.Node(
      name: name, id: HomieID.of(name), title: name.title,
      properties: values.map { value in
        let id = value.channel.map(HomieID.of) ?? "value"
        let (datatype, format) = homieType(value.shape)
        return HomieDevice.Property(
          id: id, channel: value.channel, title: value.title, datatype: datatype, format: format,
          unit: value.unit == "%RH" ? "%" : value.unit)
      })
  }

  private func homieType(_ shape: DescribedValue.Shape) -> (HomieDevice.Property.Datatype, format: String?) {
    switch shape {
    case .number: (.float, homieRange)
    case .flag: (.boolean, nil)
    case .choice(let texts) where texts.allSatisfy({ !$0.isEmpty && !$0.contains(",") }):
      (.enum, texts.joined(separator: ","))
    case .choice, .text, .any: (.string, nil)
    }
  }

  /// What is rounded may come to lie outside.
  private var homieRange: String? {
    guard let range, decimals == nil else { return nil }
    return [range.min, range.max].map { $0.map(HomieDevice.Property.text) ?? "" }.joined(separator: ":")
  }
}

extension InputConfiguration {
  fileprivate var homieNode: HomieDevice.Node {
    let properties: [HomieDevice.Property] =
      switch gpio.mode {
      case .state:
        [HomieDevice.Property(id: "value", title: name.title, datatype: .boolean, format: homieLevels)]
      case .event:
        [
          HomieDevice.Property(
            id: "edge", title: name.title, datatype: .enum, format: "rising,falling", isRetained: false)
        ]
      case .counter:
        [
          HomieDevice.Property(id: "value", title: name.title, datatype: .float, unit: unit == "" ? nil : unit),
          HomieDevice.Property(
            id: "rate", title: name.title + " rate", datatype: .float,
            unit: unit.flatMap { $0.isEmpty ? nil : $0 + "/s" }),
        ]
      }
    return HomieDevice.Node(name: name, id: HomieID.of(name), title: name.title, properties: properties)
  }

  /// What false and true are called: no payloads.
  private var homieLevels: String? {
    let texts = [levels.off, levels.on]
    return levels == LevelTexts() || texts.contains { $0.contains(",") } ? nil : texts.joined(separator: ",")
  }
}
