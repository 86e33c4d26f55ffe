import Foundation
import MQTT
import MQTTCore

/// The rules of the Homie convention 5.0 (homieiot.github.io/specification/spec-core-v5_0_0) for what one device
/// publishes, in the order that a subscriber hears it.
package struct HomieRules {
  package struct Heard: Sendable {
    package let topic: String
    package let payload: String
    package let qos: QoS

    package init(topic: String, payload: String, qos: QoS) {
      self.topic = topic
      self.payload = payload
      self.qos = qos
    }
  }

  private let base: String
  private var state: String?
  private var described: [String: [String: Any]] = [:]
  private var hasDescription = false
  private var valued: Set<String> = []
  private var problems: [String] = []

  private init(base: String) { self.base = base }

  /// What is wrong with what a device said; empty: nothing.
  package static func problems(base: String, heard: [Heard]) -> [String] {
    var rules = HomieRules(base: base)
    for message in heard where message.topic.hasPrefix(base + "/") { rules.hear(message) }
    if rules.state == nil { rules.problems.append("no $state") }
    return rules.problems
  }

  private mutating func hear(_ message: Heard) {
    let levels = message.topic.dropFirst(base.count + 1).split(separator: "/").map(String.init)
    let isEvent = levels.count == 2 && described[levels.joined(separator: "/")]?["retained"] as? Bool == false
    if message.qos != (isEvent ? .atMostOnce : .exactlyOnce) { problems.append("\(message.topic): QoS \(message.qos)") }
    switch levels.first {
    case "$state": hear(state: message.payload)
    case "$description": hear(description: message.payload)
    case "$alert" where levels.count == 2: checkID(levels[1])
    case _ where levels.count == 2: hear(value: message.payload, of: levels.joined(separator: "/"))
    default: problems.append("\(message.topic) is no topic of the convention")
    }
  }

  private mutating func hear(state next: String) {
    let known = ["", "init", "ready", "disconnected", "sleeping", "lost"]
    if !known.contains(next) { problems.append("$state \(next)") }
    if next == "ready" {
      if state != "init" { problems.append("ready after \(state ?? "nothing")") }
      if !hasDescription { problems.append("ready without a description") }
      let missing = described.filter { $0.value["retained"] as? Bool != false }.keys.filter { !valued.contains($0) }
      if !missing.isEmpty { problems.append("ready without \(missing.sorted())") }
    }
    state = next
  }

  private mutating func hear(description text: String) {
    if !["init", "disconnected", "lost"].contains(state ?? "") {
      problems.append("$description in the state \(state ?? "none")")
    }
    guard let document = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
      return problems.append("$description is no JSON object")
    }
    hasDescription = true
    described = [:]
    if document["homie"] as? String != "5.0" { problems.append("homie \(document["homie"] ?? "none")") }
    if document["version"] as? Int == nil { problems.append("version \(document["version"] ?? "none")") }
    if let name = document["name"], !(name is String) { problems.append("name \(name)") }
    checkFields(document, ["homie", "version", "name", "nodes"], "the device")
    for (node, object) in document["nodes"] as? [String: [String: Any]] ?? [:] {
      checkID(node)
      checkFields(object, ["name", "properties"], node)
      for (id, property) in object["properties"] as? [String: [String: Any]] ?? [:] {
        checkID(id)
        checkFields(property, ["name", "datatype", "format", "unit", "retained", "settable"], "\(node)/\(id)")
        described["\(node)/\(id)"] = property
        check(property, "\(node)/\(id)")
      }
    }
  }

  private mutating func checkFields(_ object: [String: Any], _ known: Set<String>, _ place: String) {
    for name in object.keys where !known.contains(name) { problems.append("\(place): \(name)") }
  }

  private mutating func check(_ property: [String: Any], _ place: String) {
    let format = property["format"] as? String
    switch property["datatype"] as? String {
    case "enum":
      let values = format?.split(separator: ",", omittingEmptySubsequences: false) ?? []
      if values.isEmpty || values.contains("") || Set(values).count < values.count {
        problems.append("\(place): \(format ?? "no format")")
      }
    case "boolean":
      if let format, format.split(separator: ",").count != 2 { problems.append("\(place): \(format)") }
    case "float":
      if let format, !(2...3).contains(format.split(separator: ":", omittingEmptySubsequences: false).count) {
        problems.append("\(place): \(format)")
      }
    case "string": break
    case let other: problems.append("\(place): datatype \(other ?? "none")")
    }
  }

  private mutating func hear(value: String, of place: String) {
    // An empty payload takes away what an earlier description had.
    guard !value.isEmpty else {
      if described[place] != nil && state != "init" { problems.append("\(place) was cleared") }
      return
    }
    valued.insert(place)
    guard let property = described[place] else { return problems.append("\(place) is not described") }
    let format = property["format"] as? String
    let isRight =
      switch property["datatype"] as? String {
      case "boolean": ["true", "false"].contains(value)
      case "enum": format?.split(separator: ",").contains { $0 == value } == true
      case "float":
        value.wholeMatch(of: /-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?/) != nil && Self.isInside(Double(value) ?? 0, format)
      default: true
      }
    if !isRight { problems.append("\(place): \(value)") }
  }

  private static func isInside(_ value: Double, _ format: String?) -> Bool {
    let ends = format?.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) } ?? [nil, nil]
    return value >= ends[0] ?? value && value <= ends[1] ?? value
  }

  private mutating func checkID(_ id: String) {
    if id.wholeMatch(of: /[a-z0-9-]+/) == nil { problems.append("id \(id)") }
  }
}
