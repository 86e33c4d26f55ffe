extension String {
  /// With spaces behind it; a longer one stays as it is.
  package func padded(to width: Int) -> String { self + filling(" ", to: width) }

  /// With this character before it; a longer one stays as it is.
  package func aligned(to width: Int, filling character: Character = " ") -> String {
    filling(character, to: width) + self
  }

  /// What is too long ends with `…`.
  package func cut(to width: Int) -> String { count <= width ? self : prefix(max(0, width - 1)) + "…" }

  private func filling(_ character: Character, to width: Int) -> String {
    String(repeating: character, count: max(0, width - count))
  }
}
