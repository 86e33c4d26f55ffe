import LimpetText
import Measuring
import Readings

/// The plain kinds of values. They read numbers without the C library, whose locale would decide on the decimal point.

extension ValueKind where Value == String {
  /// Any text without NUL. Messages never repeat it: passwords are text.
  package static func text(bytes: ClosedRange<Int>) -> Self {
    ValueKind(.text(bytes: bytes)) { text throws(Mismatch) in
      guard bytes.contains(text.utf8.count) else {
        if text.isEmpty { throw Mismatch(message: "empty; write at least one character") }
        throw Mismatch(message: "\(text.utf8.count) bytes long; write at most \(bytes.upperBound)")
      }
      guard !text.utf8.contains(0) else { throw Mismatch(message: "contains a NUL character; remove it") }
      return text
    }
  }

  /// The ids of devices and the names of readings: they are levels of topics.
  package static let name = ValueKind(.identifier(characters: "A-Za-z0-9._-", count: 1...64)) { text throws(Mismatch) in
    guard !text.isEmpty else { throw Mismatch(message: "empty; write 1 to 64 of A-Z a-z 0-9 . _ -") }
    guard text.unicodeScalars.allSatisfy({ $0.isNameCharacter }) else {
      let near = text.map { letter in
        let isFit = letter.isASCII && (letter.isLetter || letter.isNumber || "._-".contains(letter))
        return isFit ? String(letter) : plainLetters[letter] ?? "_"
      }.joined()
      let example = near.allSatisfy { $0 == "_" } || near.utf8.count > 64 ? "" : ", such as \(near)"
      throw Mismatch(message: "\(quoted(text)) is not a name; write 1 to 64 of A-Z a-z 0-9 . _ -\(example)")
    }
    guard text.utf8.count <= 64 else { throw Mismatch(message: "\(text.utf8.count) characters long; write at most 64") }
    return text
  }

  /// How people write letters of neighbours where those cannot be.
  private static let plainLetters: [Character: String] = [
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "à": "a", "á": "a", "â": "a",
    "å": "a", "æ": "ae", "ç": "c", "è": "e", "é": "e", "ê": "e", "ë": "e", "í": "i", "î": "i", "ï": "i", "ñ": "n",
    "ó": "o", "ô": "o", "ø": "o", "ú": "u", "û": "u", "č": "c", "ě": "e", "ł": "l", "ř": "r", "š": "s", "ž": "z",
  ]

  /// The name of a folder or file in sysfs: it must not lead out of its folder.
  package static let component = text(bytes: 1...255).map { text throws(Mismatch) in
    guard !text.contains("/"), text != ".", text != ".." else {
      throw Mismatch(message: "\(quoted(text)) is a path; write the name alone")
    }
    return text
  }.matching("(?!\\.{1,2}$)[^/]+")

  package static let path = ValueKind(.path) { text throws(Mismatch) in
    // Not repeated: it may be a private key.
    guard !text.contains("-----BEGIN ") else {
      throw Mismatch(message: "is the content of a file; write that into a file of its own, and its path here")
    }
    guard !text.isEmpty else { throw Mismatch(message: "empty; write a path") }
    guard !text.utf8.contains(0) else { throw Mismatch(message: "contains a NUL character; remove it") }
    guard text.utf8.count <= 4095 else {
      throw Mismatch(message: "longer than a path can be; write at most 4095 bytes")
    }
    return text
  }

  static let absolutePath = path.map { text throws(Mismatch) in
    guard text.hasPrefix("/") else {
      throw Mismatch(message: "\(quoted(text)) is not absolute; write the whole path, from \"/\" on")
    }
    return text
  }.matching("/[\\s\\S]*")

  /// sockaddr_un(7): 108 bytes with the NUL.
  static let socketPath = path.map { text throws(Mismatch) in
    guard text.utf8.count <= 107 else {
      throw Mismatch(message: "\(text.utf8.count) bytes long; a socket's path has at most 107")
    }
    return text
  }.matching("[\\s\\S]{1,107}")
}

extension ValueKind where Value == ListenAddress {
  static let listenAddress = ValueKind<String>.text(bytes: 1...64).map { text throws(Mismatch) in
    guard let address = ListenAddress(text) else {
      throw Mismatch(
        message: "\(quoted(text)) is not ADDRESS:PORT with an address in numbers or localhost; write one such as "
          + "127.0.0.1:9480 or [::1]:9480")
    }
    return address
  }.matching("(\\[[0-9A-Fa-f:.]+\\]|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]):[0-9]{1,5}")
}

extension ValueKind where Value == Bool {
  package static let boolean = ValueKind(.boolean) { text throws(Mismatch) in
    switch text.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default: throw Mismatch(message: "\(quoted(text)) is neither true nor false; write true or false")
    }
  }
}

extension ValueKind where Value == Int {
  package static func integer(_ range: ClosedRange<Int>) -> Self {
    ValueKind(.integer(range)) { text throws(Mismatch) in
      let advice = "write a whole number from \(range.lowerBound) to \(range.upperBound)"
      guard let number = Int(strict: text) else {
        throw Mismatch(message: "\(quoted(text)) is not a whole number; \(advice)")
      }
      guard range.contains(number) else { throw Mismatch(message: "\(text) is out of range; \(advice)") }
      return number
    }
  }
}

extension ValueKind where Value == Double {
  package static let number = ValueKind(.number(isZeroAllowed: true)) { text throws(Mismatch) in
    guard Double.isDecimal(text) else {
      let bare = text.hasSuffix("%") ? String(text.dropLast()).trimmingSpaces : text.replacingComma
      let advice =
        bare != text && Double.isDecimal(bare) ? "write \(bare)" : "write one such as 0.5, -3 or 1e-3"
      throw Mismatch(message: "\(quoted(text)) is not a number; \(advice)")
    }
    guard let number = Double(text), number.isFinite else {
      throw Mismatch(message: "\(quoted(text)) is too large; write a number below 1e308")
    }
    return number
  }

  /// A factor: zero would make every reading the same.
  package static let scale = ValueKind(.number(isZeroAllowed: false)) { text throws(Mismatch) in
    let number = try number.parse(text)
    guard number != 0 else { throw Mismatch(message: "0 would make every reading 0; write another factor") }
    return number
  }
}

extension ValueKind where Value == ChangeThreshold {
  package static let change = ValueKind(.percentOrNumber) { text throws(Mismatch) in
    let isPercent = text.hasSuffix("%")
    let digits = isPercent ? String(text.dropLast()) : text
    guard Double.isDecimal(digits), let number = Double(digits), number.isFinite else {
      throw Mismatch(message: "\(quoted(text)) is not a change; write a number such as 0.5, or a percentage such as 5%")
    }
    guard number > 0 else {
      throw Mismatch(message: "\(quoted(text)) is not above zero; leave the key out to publish every sample")
    }
    return isPercent ? .percent(number) : .absolute(number)
  }
}

extension ValueKind where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
  /// One word of an enum.
  package static var choice: Self {
    let words = Value.allCases.map(\.rawValue)
    return ValueKind(.choice(words)) { text throws(Mismatch) in
      guard let value = Value(rawValue: text) else { throw .unknown(text, words) }
      return value
    }
  }
}

extension ValueKind where Value == String {
  /// One of some words.
  static func word(of words: [String]) -> Self {
    ValueKind(.choice(words)) { text throws(Mismatch) in
      guard words.contains(text) else { throw .unknown(text, words) }
      return text
    }
  }
}

extension Mismatch {
  fileprivate static func unknown(_ word: String, _ words: [String]) -> Mismatch {
    Mismatch(message: "\(quoted(word)) is not known\(Suggestion(candidates: words).advice(for: word))")
  }
}

extension String {
  /// `0,5` as it is written here.
  fileprivate var replacingComma: String {
    filter { $0 == "," }.count == 1 ? String(map { $0 == "," ? "." : $0 }) : self
  }
}
