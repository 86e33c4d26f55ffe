import Configuration
import LimpetText
import Measuring

/// One value of a sensor's readings, as far as it is known before any read: for the descriptions for home automation.
struct DescribedValue: Sendable, Equatable {
  /// The reading's name.
  let name: String
  /// Its channel; nil: there is only one.
  let channel: String?
  let meaning: ValueMeaning
  let shape: ValueShape
  /// Of a number; nil: none is known.
  let unit: String?

  /// For people.
  var title: String { title(nil) }

  /// - Parameter own: the reading's, where it is written.
  func title(_ own: String?) -> String { (own ?? name.title) + (channel.map { " " + Self.words(ofChannel: $0) } ?? "") }

  /// `temperature` of `temp1` and `in_temp`, `voltage 2` of `in2` and `in_voltage2`: the kernel's names are for drivers.
  static func words(ofChannel channel: String) -> String {
    var name = channel.hasPrefix("in_") ? String(channel.dropFirst(3)) : channel
    let digits = String(name.reversed().prefix { $0.isNumber }.reversed())
    name.removeLast(digits.count)
    if name.hasSuffix("_") { name.removeLast() }
    let words = [
      "temp": "temperature", "in": "voltage", "curr": "current", "humidityrelative": "humidity", "pwm": "PWM",
      "freq": "frequency", "temp_ambient": "ambient temperature", "concentration_co2": "CO₂", "anglvel": "rotation",
      "accel": "acceleration", "magn": "magnetic field",
    ]
    let word = words[name] ?? String(name.map { $0 == "_" ? " " : $0 })
    // The first of its kind is usually the only one.
    return word + (digits.isEmpty || digits == "1" && !channel.hasPrefix("in_") ? "" : " \(digits)")
  }
}

extension SensorConfiguration {
  var describedValues: [DescribedValue] {
    guard case .channels(let members) = source else {
      return [
        DescribedValue(
          name: name, channel: nil, meaning: source.meaning, shape: shape, unit: shape.unit(unit ?? source.unit))
      ]
    }
    return members.map {
      let shape = $0.kind.shape
      return DescribedValue(
        name: name, channel: $0.name, meaning: $0.kind.meaning, shape: shape, unit: shape.unit($0.kind.unit))
    }
  }

  private var shape: ValueShape {
    let meanings = Array(map.values)
    guard !meanings.isEmpty else { return source.shape }
    if meanings.allSatisfy({ if case .flag = $0 { true } else { false } }) { return .flag }
    if meanings.allSatisfy({ $0.number != nil }) { return .number }
    let texts = meanings.compactMap { meaning -> String? in if case .text(let text) = meaning { text } else { nil } }
    return texts.count == meanings.count ? .choice(Set(texts).sorted()) : .any
  }
}

extension ValueShape {
  fileprivate func unit(_ unit: String?) -> String? { self == .number && unit != "" ? unit : nil }
}
