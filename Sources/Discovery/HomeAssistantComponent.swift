import JSON

/// One entity in Home Assistant's discovery message (home-assistant.io, "MQTT", "Device discovery payload"), with the
/// abbreviated keys of that page.
package struct HomeAssistantComponent: Sendable {
  /// Its name within the device: that of the reading, or `name/channel` if it has several.
  package let id: String
  /// The platform, such as `sensor`, `switch` or `device_automation`.
  let platform: String
  /// Beside `p`.
  package let fields: HomeAssistantFields

  /// The same with more fields: those that it does not have.
  package func adding(_ more: [(name: String, value: JSONValue)]) -> HomeAssistantComponent {
    var fields = fields
    for (name, value) in more where !fields.has(name) { fields.add(name, value) }
    return HomeAssistantComponent(id, platform, fields)
  }

  /// The platform.
  package var kind: String { platform }

  package var content: JSONValue { .object([(name: "p", value: .text(platform))] + fields.list) }

  package init(_ id: String, _ platform: String, _ fields: HomeAssistantFields) {
    self.id = id
    self.platform = platform
    self.fields = fields
  }
}

/// The fields of an entity, in their order; those without a value are left out.
package struct HomeAssistantFields: Sendable {
  package private(set) var list: [(name: String, value: JSONValue)] = []

  package init(list: [(name: String, value: JSONValue)] = []) {
    self.list = list
  }

  package mutating func add(_ name: String, _ text: String?) {
    if let text { list.append((name, .text(text))) }
  }

  package mutating func add(_ name: String, _ number: Int?) {
    if let number { list.append((name, .integer(number))) }
  }

  package mutating func add(_ name: String, _ flag: Bool) { list.append((name, .flag(flag))) }

  /// Replaces the field; nil: removes it.
  package mutating func set(_ name: String, _ text: String?) { set(name, text.map { .text($0) }) }

  package mutating func set(_ name: String, _ number: Int) { set(name, .integer(number)) }

  private mutating func set(_ name: String, _ value: JSONValue?) {
    let index = list.firstIndex { $0.name == name }
    switch (index, value) {
    case (let index?, let value?): list[index].value = value
    case (let index?, nil): list.remove(at: index)
    case (nil, let value?): list.append((name, value))
    case (nil, nil): break
    }
  }

  package func adding(_ texts: [(String, String)]) -> HomeAssistantFields {
    var fields = self
    for (name, text) in texts { fields.add(name, text) }
    return fields
  }

  package mutating func add(_ name: String, _ value: JSONValue) { list.append((name, value)) }

  package mutating func add(_ other: HomeAssistantFields) { list += other.list }

  func text(_ name: String) -> String? {
    guard case .text(let text)? = list.first(where: { $0.name == name })?.value else { return nil }
    return text
  }

  package func has(_ name: String) -> Bool { list.contains { $0.name == name } }

  package mutating func remove(_ name: String) { list.removeAll { $0.name == name } }

  package mutating func add(_ name: String, texts: [String]) { list.append((name, .texts(texts))) }
}
