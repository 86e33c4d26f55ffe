import LimpetText

/// Bytes that were found to be text YAML allows. libyaml looks at its input in blocks far ahead of where it parses and
/// reports bad bytes by offset, so they are looked for here first, by line and column.
struct SourceText {
  private let bytes: [UInt8]
  private let start: Int

  init(_ bytes: [UInt8]) throws(Problem) {
    let first = Position(line: 1, column: 1)
    guard bytes.count <= Document.Limit.input else {
      throw Problem(position: first, message: "the file is larger than 1 MiB; a configuration is a few kilobytes")
    }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw Problem(position: first, message: "the file is UTF-16; save it as UTF-8")
    }
    self.bytes = bytes
    start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    try check()
  }

  var isEmpty: Bool { bytes.count == start }

  /// Hands out the text behind the byte order mark.
  func withoutMark<R>(_ body: (UnsafeBufferPointer<UInt8>) throws(Problem) -> R) throws(Problem) -> R {
    try bytes.withUnsafeBufferPointer { buffer throws(Problem) -> R in
      try body(UnsafeBufferPointer(rebasing: buffer[start...]))
    }
  }

  /// The character at a position, for messages.
  static func character(at position: Position, in source: UnsafeBufferPointer<UInt8>) -> Unicode.Scalar? {
    var place = Place()
    for scalar in String(decoding: source, as: UTF8.self).unicodeScalars {
      // CR LF is one line's end: the next line begins behind it.
      if place.position == position && !place.isWithinEnd(scalar) { return scalar }
      place.pass(scalar)
      if place.position > position { return nil }
    }
    return nil
  }

  private func check() throws(Problem) {
    var place = Place()
    var iterator = bytes[start...].makeIterator()
    var parser = Unicode.UTF8.ForwardParser()
    while true {
      switch parser.parseScalar(from: &iterator) {
      case .emptyInput:
        return
      case .error:
        throw Problem(position: place.position, message: "this byte is not UTF-8; save the file as UTF-8")
      case .valid(let encoded):
        let scalar = Unicode.UTF8.decode(encoded)
        guard Self.isAllowed(scalar) else {
          let name = String(scalar.value, radix: 16, uppercase: true).aligned(to: 4, filling: "0")
          throw Problem(
            position: place.position,
            message:
              "the control character U+\(name) is not allowed; remove it, or write it as an escape in double quotes")
        }
        place.pass(scalar)
      }
    }
  }

  /// YAML 1.2.2, 5.1: `c-printable`, as libyaml has it.
  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x10000...0x10FFFF: true
    default: false
    }
  }

  /// Counts lines and columns the way libyaml does, so that its marks and ours agree.
  private struct Place {
    private(set) var position = Position(line: 1, column: 1)
    private var isAfterReturn = false

    /// It is the second half of a line's end.
    func isWithinEnd(_ scalar: Unicode.Scalar) -> Bool { isAfterReturn && scalar == "\n" }

    mutating func pass(_ scalar: Unicode.Scalar) {
      defer { isAfterReturn = scalar == "\r" }
      guard !isWithinEnd(scalar) else { return }
      switch scalar.value {
      case 0x0A, 0x0D, 0x85, 0x2028, 0x2029:
        position = Position(line: position.line + 1, column: 1)
      default:
        position.column += 1
      }
    }
  }
}
