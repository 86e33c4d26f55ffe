import Configuration
import Measuring
import Text

/// One value of a sensor's readings, as far as it is known before anything is read: what home automation is told of it.
struct DescribedValue: Sendable, Equatable {
  /// The reading's name.
  let name: String
  /// Which of several; nil: there is one.
  let channel: String?
  let meaning: ValueMeaning
  let shape: ValueShape
  /// Of a number; nil: none is known.
  let unit: String?

  /// For people.
  var title: String { name.title + (channel.map { " " + $0 } ?? "") }
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
