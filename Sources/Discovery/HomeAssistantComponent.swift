import JSON

/// One entity in Home Assistant's discovery message (home-assistant.io, "MQTT", "Device discovery payload"), with the
/// abbreviated keys of that page.
package struct HomeAssistantComponent: Sendable {
  /// Names it within the device: a reading, `name/channel` of several.
  package let id: String
  /// The platform: `sensor`, `binary_sensor` or `event`.
  let platform: String
  /// Beside `p`.
  package let fields: HomeAssistantFields

  /// The same with one more field.
  package func adding(_ name: String, _ number: Int) -> HomeAssistantComponent {
    var fields = fields
    fields.add(name, number)
    return HomeAssistantComponent(id, platform, fields)
  }

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

  package mutating func add(_ name: String, texts: [String]) { list.append((name, .texts(texts))) }
}
