extension String {
  /// With spaces behind it; a longer one stays as it is.
  package func padded(to width: Int) -> String { self + filling(" ", to: width) }

  /// With this character before it; a longer one stays as it is.
  package func aligned(to width: Int, filling character: Character = " ") -> String {
    filling(character, to: width) + self
  }

  /// What is too long ends with `…`.
  package func cut(to width: Int) -> String {
    columns <= width ? self : width > 0 ? prefix(columns: width - 1) + "…" : ""
  }

  /// As much of it as fits into these columns.
  package func prefix(columns width: Int) -> String {
    var rest = width
    return String(
      prefix { character in
        rest -= character.columns
        return rest >= 0
      })
  }

  /// Of a terminal.
  package var columns: Int { utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + $1.columns } }

  private func filling(_ character: Character, to width: Int) -> String {
    String(repeating: character, count: max(0, width - columns))
  }
}

extension Character {
  /// Wide ones, as of Chinese and emoji, have two (Unicode Standard Annex #11, in blocks).
  fileprivate var columns: Int {
    guard let scalar = unicodeScalars.first, scalar.value >= 0x1100 else { return 1 }
    let isWide = Self.wideBlocks.contains { $0.contains(scalar.value) } || scalar.properties.isEmojiPresentation
    return isWide ? 2 : 1
  }

  private static let wideBlocks: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97C,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD,
  ]
}
