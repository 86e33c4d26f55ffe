/// The types of sensors, in the order in which `limpet scan` lists them: the `type` of a sensor in the configuration.
///
/// To add one:
/// 1. Write its case here, with the word that the configuration has for it.
/// 2. Write its entry in `SensorTable.swift`: keys, examples, title, unit, shape, meaning. Reader, errors, schema,
///    manual, `check`, `scan` and home automation follow from it.
/// 3. Write its source, `Sensing/<Type>Source.swift`, with a `SensorDriver` that makes it and finds what a board has.
///
/// The compiler asks for its line in ``entry`` and in `SensorType.driver` (`Sensing/SensorSource.swift`).
/// `SensorTableTests` holds the rest; keys of a new kind are a case of ``SensorKey/Kind`` and of its parser.
public enum SensorType: String, Sendable, Hashable, CaseIterable {
  /// A thermal zone by its `type` file, for example `cpu-thermal` (Documentation/ABI/testing/sysfs-class-thermal).
  case thermal
  /// A hwmon chip by its `name` file and one of its channels (Documentation/hwmon/sysfs-interface.rst). Where several
  /// share the name, `device` is the path of the device, or the end of it.
  case hwmon
  /// An IIO device by its name, its label or the end of its device's path, and a channel by the name that its
  /// attributes share: `in_voltage0` (Documentation/ABI/testing/sysfs-bus-iio).
  case iio
  /// A 1-Wire thermometer by its id, `28-0316a2795bff` (Documentation/w1/slaves/w1_therm.rst).
  case w1
  /// A property of a power supply (Documentation/ABI/testing/sysfs-class-power).
  case powerSupply = "power_supply"
  /// A value of the system as a whole.
  case system
  /// Any file, and which value of it.
  case file

  /// Its row of the table.
  package var entry: SensorEntry {
    switch self {
    case .thermal: .thermal
    case .hwmon: .hwmon
    case .iio: .iio
    case .w1: .w1
    case .powerSupply: .powerSupply
    case .system: .system
    case .file: .file
    }
  }
}

/// All about a type of sensor except how it is read: a row of the table.
package struct SensorEntry: Sendable {
  /// Its keys besides those of all sensors, in the order in which `limpet scan` writes them.
  package var keys: [SensorKey]
  /// Alternative keys that choose a value of the device, if there are any.
  package var selection: SensorKey.Selection?
  /// A key whose value is certainly wrong, and why; nil: there is none.
  package var flaw: @Sendable (SensorSettings) -> (key: String, message: String)? = { _ in nil }
  /// Entries of a configuration, in flow style, that work on every board.
  package var samples: [String] = []
  /// Further ones.
  package var examples: [String] = []
  /// What is read, in a few words: for `limpet check`, and for people.
  package var title: @Sendable (SensorSettings) -> String
  /// The unit of its readings, where the kernel's ABI fixes one (of an iio channel: where it has a scale).
  package var unit: @Sendable (SensorSettings) -> String? = { _ in nil }
  package var shape: @Sendable (SensorSettings) -> ValueShape = { _ in .number }
  package var meaning: @Sendable (SensorSettings) -> ValueMeaning = { _ in .level }
}
