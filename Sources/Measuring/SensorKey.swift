/// A key of the configuration that a type of sensor brings, as data: `Configuration` makes its reader, its errors and
/// its place in schema and manual of it.
package struct SensorKey: Sendable {
  package let name: String
  package let kind: Kind
  package let need: Need
  /// One sentence.
  package let help: String
  package let example: String?

  package init(_ name: String, _ kind: Kind, _ need: Need = .optional, help: String, example: String? = nil) {
    self.name = name
    self.kind = kind
    self.need = need
    self.help = help
    self.example = example
  }

  /// What its values are.
  package enum Kind: Sendable {
    /// A text of 1 to 255 bytes.
    case text
    /// One of these.
    case word([String])
    /// A flag, false by default; true with `map` besides where `isImpliedByMap`: texts become values then.
    case flag(isImpliedByMap: Bool)
    case pattern
    /// The name of a folder or file in sysfs.
    case component
    /// The name of a sysfs attribute.
    case attribute
    case absolutePath
    /// A path in /sys/devices, or its last components.
    case devicePath
    /// A name, or a device's path.
    case device
    /// A network interface.
    case interface
    case hwmonChannel
    case iioChannel
    case w1Identifier
  }

  package enum Need: Sendable {
    /// It must be written; the text says what to write.
    case required(String)
    case optional
    /// It is required where `key` has one of `words`, and wrong beside any other; `missing` says what to write.
    case with(key: String, words: [String], missing: String)
  }

  /// Keys of which one says which value of a device is read, and one that lists several for one reading.
  package struct Selection: Sendable {
    package let keys: [String]
    /// What to write if all are missing.
    package let missing: String
    /// What is wrong if two are written.
    package let conflict: String
    /// Each of its values is one of the first of `keys`.
    package let several: SensorKey

    package init(_ keys: [String], missing: String, conflict: String = "", several: SensorKey) {
      self.keys = keys
      self.missing = missing
      self.conflict = conflict
      self.several = several
    }
  }
}
