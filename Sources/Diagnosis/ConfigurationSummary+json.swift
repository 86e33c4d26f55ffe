import Configuration
import JSON
import Measuring

extension ConfigurationSummary {
  /// `{"valid":true,"diagnostics":[],"device":…,"readings":[…],…}` on one line: all that the text says, for programs.
  public func json(_ result: LoadResult) -> String {
    var members: [(name: String, value: JSONValue)] = [("valid", .flag(true)), ("diagnostics", result.diagnosticsJSON)]
    members.append(("warnings", .texts(warnings)))
    members += rows.map { ($0.0, .text($0.1)) }
    members.append(("readings", .list(readingsJSON)))
    members.append(("outputs", .list(outputs.json)))
    return JSONValue.object(members).compact
  }

  private var readingsJSON: [JSONValue] {
    configuration.sensors.map { sensor in
      var members: [(name: String, value: JSONValue)] = [
        ("name", .text(sensor.name)), ("topic", .text(configuration.topic.expanded(device: device, name: sensor.name))),
        ("source", .text("\(sensor.source)")), ("interval", .number(sensor.interval / .seconds(1))),
        ("text", .text(described(sensor))),
      ]
      if let unit = sensor.unit ?? sensor.source.unit { members.append(("unit", .text(unit))) }
      switch sources?[sensor.name] {
      case .value(_, let value, _): members.append(("value", value.map(JSONValue.init) ?? .null))
      case .failure(let reason): members += [("value", .null), ("error", .text(reason))]
      case .leftAlone, nil: break
      }
      return .object(members)
    }
      + configuration.inputs.map { input in
        .object([
          ("name", .text(input.name)), ("topic", .text(configuration.topic.expanded(device: device, name: input.name))),
          ("text", .text(what(input))),
        ])
      }
  }
}

extension JSONValue {
  fileprivate init(_ value: Measuring.Value) {
    self =
      switch value {
      case .flag(let flag): .flag(flag)
      case .integer(let integer): .integer(integer)
      case .number(let number): .number(number)
      case .text(let text): .text(text)
      case .channels(let channels):
        .object(channels.map { ($0.name, $0.value.map(JSONValue.init) ?? .null) })
      }
  }
}
