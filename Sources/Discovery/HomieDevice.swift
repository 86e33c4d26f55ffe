import JSON
import LimpetText
import Measuring
import NIOCore

/// This device as the Homie convention 5 has it: a node for each reading, with a property for each of its values.
package struct HomieDevice: Sendable {
  package struct Property: Sendable {
    /// "integer", "float" and so on of the convention's list; those that limpet has.
    package enum Datatype: String, Sendable { case float, boolean, string, `enum` }

    package let id: String
    /// Of which channel; nil: there is one.
    package var channel: String?
    package let title: String
    package let datatype: Datatype
    package var format: String?
    package var unit: String?
    /// false: an event, published once to present subscribers.
    package var isRetained = true
    /// It takes commands on `set`.
    package var isSettable = false
    /// It may take time to reach a commanded value: `$target` has that value.
    package var hasTarget = false

    package init(
      id: String, channel: String? = nil, title: String, datatype: Datatype, format: String? = nil, unit: String? = nil,
      isRetained: Bool = true
    ) {
      self.id = id
      self.channel = channel
      self.title = title
      self.datatype = datatype
      self.format = format
      self.unit = unit
      self.isRetained = isRetained
    }
  }

  package struct Node: Sendable {
    /// The reading's, in the configuration.
    package let name: String
    package let id: String
    package let title: String
    package let properties: [Property]

    package init(name: String, id: String, title: String, properties: [Property]) {
      self.name = name
      self.id = id
      self.title = title
      self.properties = properties
    }
  }

  /// What its topics begin with.
  package let base: String
  package let nodes: [Node]
  package let description: ByteBuffer

  package init(base: String, name: String, nodes: [Node]) {
    self.base = base
    self.nodes = nodes
    let nodeFields = nodes.map { (name: $0.id, value: $0.description) }
    func document(version: Int64) -> JSONValue {
      .object([
        ("homie", .text("5.0")), ("version", .integer(version)), ("name", .text(name)), ("nodes", .object(nodeFields)),
      ])
    }
    // The version depends on the document alone. It has 48 bits, which every reader of JSON can represent.
    let digest = SHA256.hash(Array(document(version: 0).compact.utf8)).prefix(6)
    description = ByteBuffer(string: document(version: digest.reduce(0) { $0 << 8 | Int64($1) }).compact)
  }

  package var isSettable: Bool { nodes.contains { $0.properties.contains(where: \.isSettable) } }

  /// The node that shows the readings of a name.
  package var nodesByName: [String: Int] { Dictionary(nodes.enumerated().map { ($1.name, $0) }) { first, _ in first } }

  /// Its retained topics, behind `base`.
  package var announcement: Announcement {
    var entries: Set<Announcement.Entry> = []
    for node in nodes {
      entries.insert(Announcement.Entry(kind: "alert", name: "$alert/\(node.id)"))
      for property in node.properties where property.isRetained {
        entries.insert(Announcement.Entry(kind: "property", name: "\(node.id)/\(property.id)"))
        if property.hasTarget {
          entries.insert(Announcement.Entry(kind: "property", name: "\(node.id)/\(property.id)/$target"))
        }
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
    if isSettable { fields.append(("settable", .flag(true))) }
    return .object(fields)
  }

  /// The payload of a value; nil if it is not of this datatype.
  package func payload(_ value: Value) -> ByteBuffer? {
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

  /// The value that a payload on `set` commands; nil: it is not of this datatype. The one word of an enumeration means
  /// on.
  package func wanted(_ payload: ByteBuffer) -> Value? {
    let text = String(buffer: payload)
    switch datatype {
    case .boolean: return text == "true" ? .flag(true) : text == "false" ? .flag(false) : nil
    case .float: return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
    case .enum: return isChoice(text) ? .flag(true) : nil
    case .string: return nil
    }
  }

  private func isChoice(_ text: String) -> Bool {
    format?.split(separator: ",").contains { $0 == text } ?? false
  }

  /// "The payload may only contain whole numbers, the negation character, the exponent character and the decimal
  /// separator": no sign of plus.
  package static func text(_ number: Double) -> String { number.shortestDecimal.filter { $0 != "+" } }

  /// An empty payload would delete the topic: "an empty string value is represented by [...] a single byte value 0".
  private static func filled(_ text: String) -> ByteBuffer { ByteBuffer(string: text.isEmpty ? "\0" : text) }
}
