import LimpetText
import Measuring

extension SensorKey {
  /// The key for the readers: its value is nil if it is not written.
  var key: Key<SensorSettings.Setting?> {
    if case .flag = kind { return Key(name, values.map { $0 }, default: "false", help: help, example: example) }
    return switch need {
    case .required(let advice): Key(required: name, values, missing: advice, help: help, example: example)
    case .optional, .with: Key(optional: name, values, help: help, example: example)
    }
  }

  fileprivate var values: ValueKind<SensorSettings.Setting> {
    switch kind {
    case .flag: ValueKind<Bool>.boolean.map { .flag($0) }
    case .pattern: ValueKind<Pattern>.pattern.map { .pattern($0) }
    case .text: ValueKind.text(bytes: 1...255).setting
    case .word(let words): ValueKind.word(of: words).withAdvice(Synonyms.systemValues).setting
    case .component: ValueKind.component.setting
    case .attribute: ValueKind.attribute.setting
    case .absolutePath: ValueKind.absolutePath.setting
    case .devicePath: ValueKind.devicePath.setting
    case .device: ValueKind.device.setting
    case .interface: ValueKind.interface.setting
    case .hwmonChannel: ValueKind.channel.setting
    case .iioChannel: ValueKind.iioChannel.setting
    case .w1Identifier: ValueKind.w1.setting
    }
  }
}

extension SensorKey.Selection {
  /// The key that lists several.
  var severalKey: Key<SensorSettings.Setting?> {
    Key(optionalList: several.name, several.values, help: several.help, example: several.example)
  }
}

// MARK: What their values are

extension ValueKind where Value == String {
  fileprivate var setting: ValueKind<SensorSettings.Setting> { map { .text($0) } }
}

extension ValueKind where Value == String {
  /// Documentation/hwmon/sysfs-interface.rst: a type and a number.
  static let channel = ValueKind(.identifier(characters: "a-z0-9", count: 2...31)) { text throws(Mismatch) in
    let letters = text.unicodeScalars.prefix { ("a"..."z").contains($0) }
    let digits = text.unicodeScalars.dropFirst(letters.count).prefix(while: \.isDigit)
    let channel = String(letters) + String(digits)
    guard !letters.isEmpty, !digits.isEmpty, channel.utf8.count <= 31 else {
      throw Mismatch(message: "\(quoted(text)) is not a channel; write a kind and a number, such as temp1 or fan2")
    }
    guard channel == text else {
      throw Mismatch(message: "\(quoted(text)) is not a channel; write \(channel)")
    }
    return text
  }.matching("[a-z]+[0-9]+")

  /// The name of a sysfs attribute.
  static let attribute = ValueKind(.identifier(characters: "A-Za-z0-9_-", count: 1...64)) {
    text throws(Mismatch) in
    let isRight = text.unicodeScalars.allSatisfy { $0.isNameCharacter && $0 != "." }
    guard isRight, (1...64).contains(text.utf8.count) else {
      throw Mismatch(message: "\(quoted(text)) is not the name of an attribute; write 1 to 64 of A-Z a-z 0-9 _ -")
    }
    return text
  }

  /// The prefix of the attributes of an iio channel.
  static let iioChannel = attribute.map { text throws(Mismatch) in
    for suffix in ["_raw", "_input"] where text.hasSuffix(suffix) {
      throw Mismatch(message: "\(quoted(text)) is not a channel; write \(text.dropLast(suffix.count))")
    }
    return text
  }

  /// A path in /sys/devices, or its last components.
  static let devicePath = path.map { text throws(Mismatch) in
    guard !text.hasSuffix("/"), !text.split(separator: "/").contains("..") else {
      throw Mismatch(
        message: "\(quoted(text)) is not a device's path; write its last part, such as 1-0048, or all of it")
    }
    return text
  }

  /// A name, or a device's path.
  static let device = text(bytes: 1...4095).map { text throws(Mismatch) in
    try text.contains("/") ? devicePath.parse(text) : component.parse(text)
  }

  /// Documentation/w1: the family, a dash and the serial number.
  static let w1 = ValueKind(.identifier(characters: "0-9a-fA-F-", count: 15...15)) { text throws(Mismatch) in
    let scalars = Array(text.lowercased().unicodeScalars)
    let isRight =
      scalars.count == 15
      && scalars.enumerated().allSatisfy { index, scalar in
        index == 2 ? scalar == "-" : scalar.isDigit || ("a"..."f").contains(scalar)
      }
    guard isRight else {
      let near = scalars.w1ID.map { "write \($0)" }
      throw Mismatch(
        message: "\(quoted(text)) is not a 1-Wire id; "
          + (near ?? "write 2 hex digits, \"-\" and 12 more, such as 28-0316a2795bff"))
    }
    return text.lowercased()
  }.matching("[0-9a-fA-F]{2}-[0-9a-fA-F]{12}")

  /// IFNAMSIZ is 16 with the NUL.
  static let interface = component.map { text throws(Mismatch) in
    guard text.utf8.count <= 15 else {
      throw Mismatch(message: "\(quoted(text)) is not an interface; write one such as wlan0")
    }
    return text
  }
}

extension ValueKind where Value == Pattern {
  static let pattern = ValueKind<String>.text(bytes: 1...4096).map { text throws(Mismatch) in
    // There it is the letter d, and nothing would ever match.
    let parts = text.split(separator: "\\d", omittingEmptySubsequences: false).dropLast()
    if parts.contains(where: { $0.reversed().prefix { $0 == "\\" }.count.isMultiple(of: 2) }) {
      throw Mismatch(message: "contains \\d, which POSIX extended regular expressions do not have; write [0-9]")
    }
    do throws(Pattern.Flaw) {
      return try Pattern(text)
    } catch {
      switch error {
      case .tooLong:
        throw Mismatch(message: "\(text.utf8.count) bytes long; write at most \(Pattern.sizeLimit)")
      case .backReference:
        throw Mismatch(message: "contains a back reference, such as \\1; write what it stands for")
      case .tooManyRepetitions:
        throw Mismatch(
          message: "repeats more than \(Pattern.repetitionLimit) times, counted together; write * or + instead")
      case .syntax(let reason):
        throw Mismatch(message: "\(quoted(text)) is not a POSIX extended regular expression: \(reason); correct it")
      }
    }
  }
}

extension [Unicode.Scalar] {
  /// The id as other programs write it: `28.0316A2795BFF`, `28:03:16:a2:79:5b:ff`, or the serial number of a DS18B20.
  fileprivate var w1ID: String? {
    let digits = filter { $0.isDigit || ("a"..."f").contains($0) }
    guard digits.count + count(where: { ".:-_ ".unicodeScalars.contains($0) }) == count else { return nil }
    let text = String(String.UnicodeScalarView(digits))
    switch digits.count {
    case 12: return "28-\(text), if it is a DS18B20"
    case 14: return "\(text.prefix(2))-\(text.dropFirst(2))"
    default: return nil
    }
  }
}
