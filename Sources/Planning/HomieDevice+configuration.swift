import Configuration
import Discovery
import LimpetText
import Measuring
import Readings

extension HomieDevice {
  package init(_ configuration: Configuration, device: String) {
    self.init(
      base: configuration.homie.base(device: device), name: configuration.device.name ?? device,
      nodes: configuration.sensors.map(\.homieNode) + configuration.inputs.map(\.homieNode)
        + configuration.outputs.map { $0.homieNode(takesCommands: configuration.takesCommands) })
  }
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

  private func homieType(_ shape: ValueShape) -> (HomieDevice.Property.Datatype, format: String?) {
    switch shape {
    case .number: (.float, homieRange)
    case .flag: (.boolean, nil)
    case .choice(let texts) where texts.allSatisfy({ !$0.isEmpty && !$0.contains(",") }):
      (.enum, texts.joined(separator: ","))
    case .choice, .text, .any: (.string, nil)
    }
  }

  /// A rounded value may lie outside the range.
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
      case .gesture:
        [
          HomieDevice.Property(
            id: "value", title: name.title, datatype: .enum,
            format: Gesture.allCases.map(\.rawValue).joined(separator: ","), isRetained: false)
        ]
      case .frequency, .duty, .pulseWidth:
        [HomieDevice.Property(id: "value", title: name.title, datatype: .float, unit: unit == "" ? nil : unit)]
      case .counter, .encoder:
        [
          HomieDevice.Property(id: "value", title: name.title, datatype: .float, unit: unit == "" ? nil : unit),
          HomieDevice.Property(
            id: "rate", title: name.title + " rate", datatype: .float,
            unit: unit.flatMap { $0.isEmpty ? nil : $0 + "/s" }),
        ]
      }
    return HomieDevice.Node(name: name, id: HomieID.of(name), title: name.title, properties: properties)
  }

  /// The names of false and true for people, which are no payloads.
  private var homieLevels: String? {
    let texts = [levels.off, levels.on]
    return levels == LevelTexts() || texts.contains { $0.contains(",") } ? nil : texts.joined(separator: ",")
  }
}

extension OutputConfiguration {
  fileprivate func homieNode(takesCommands: Bool) -> HomieDevice.Node {
    var property: HomieDevice.Property
    if takesCommands, rules.pulse != nil {
      property = HomieDevice.Property(
        id: "value", title: name.title, datatype: .enum, format: "press", isRetained: false)
    } else if case .gpio = request {
      property = HomieDevice.Property(id: "value", title: name.title, datatype: .boolean)
    } else {
      property = HomieDevice.Property(id: "value", title: name.title, datatype: .float, format: "0:100", unit: "%")
    }
    property.isSettable = takesCommands
    property.hasTarget =
      takesCommands && property.isRetained && (rules.minOn > .zero || rules.deadTime > .zero || rules.ramp > .zero)
    return HomieDevice.Node(name: name, id: HomieID.of(name), title: name.title, properties: [property])
  }
}
