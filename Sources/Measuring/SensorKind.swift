import LimpetText

/// What a sensor reads, by names that stay the same when the kernel renumbers its devices.
public indirect enum SensorKind: Sendable, Hashable {
  /// One value: the type, and what its keys say.
  case one(SensorType, SensorSettings)
  /// Several channels of one device, read together.
  case channels([NamedKind])

  /// One of several channels, under its name among the values.
  public struct NamedKind: Sendable, Hashable {
    public var name: String
    public var kind: SensorKind

    public init(_ name: String, _ kind: SensorKind) {
      self.name = name
      self.kind = kind
    }
  }
}

extension SensorKind: CustomStringConvertible {
  /// What is read, in a few words: for `limpet check`, and for people.
  public var description: String {
    switch self {
    case .one(let type, let settings): type.entry.title(settings)
    case .channels(let members):
      members.first.map { "\($0.kind)" + members.dropFirst().map { ", \($0.name)" }.joined() } ?? ""
    }
  }

  /// The unit of its readings, where the kernel's ABI fixes one (of an iio channel: where it has a scale); a file's and
  /// several channels' is not known.
  public var unit: String? {
    if case .one(let type, let settings) = self { type.entry.unit(settings) } else { nil }
  }

  /// What its values can be, as far as that is known before any read.
  package var shape: ValueShape {
    if case .one(let type, let settings) = self { type.entry.shape(settings) } else { .any }
  }

  /// The meaning of its values.
  package var meaning: ValueMeaning {
    if case .one(let type, let settings) = self { type.entry.meaning(settings) } else { .level }
  }

  /// The text of the label that names its channel; nil: no label does.
  package var label: String? { if case .one(_, let settings) = self { settings["label"] } else { nil } }

  /// The same by the channel's own name, which says what its values are.
  package func reading(channel: String) -> SensorKind {
    guard case .one(let type, var settings) = self, settings["label"] != nil else { return self }
    settings.set("label", nil)
    settings.set("channel", .text(channel))
    return .one(type, settings)
  }

  /// The type and the keys that it brings, as the configuration has them.
  package var written: [(key: String, value: String)] {
    switch self {
    case .one(let type, let settings):
      [("type", type.rawValue)]
        + type.entry.keys.compactMap { key in settings.written(key.name).map { (key.name, $0) } }
    // None is found by itself: its channels are.
    case .channels(let members): members.first?.kind.written ?? []
    }
  }
}

/// Which value of a hwmon chip: one channel, by number (`temp1`, `fan2`, `in0`) or by the text of its `_label` file, or
/// another attribute.
public enum HwmonSelector: Sendable, Hashable {
  case channel(String)
  case label(String)
  /// Of the chip, as it is named in sysfs: `fan1_target`.
  case attribute(String)
}

/// Which value of an IIO device: one channel, by name (`in_voltage0`) or by the text of its `_label` file, or another
/// attribute.
public enum IIOSelector: Sendable, Hashable {
  case channel(String)
  case label(String)
  /// Of the device, as it is named in sysfs: `sampling_frequency`.
  case attribute(String)
}

/// Which value of a file: one number or a text, from the whole file or from a match.
public struct FileContent: Sendable, Hashable {
  /// The first group of its first match, or the whole match if there is no group.
  public var match: Pattern?
  /// The text itself is the value; otherwise it must be a number.
  public var isText: Bool

  public init(match: Pattern? = nil, isText: Bool = false) {
    self.match = match
    self.isText = isText
  }
}
