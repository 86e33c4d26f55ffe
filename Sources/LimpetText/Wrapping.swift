/// Breaks text between words where a terminal would break it within one.
public enum Wrapping {
  /// A line of a terminal, as it is where it fits.
  ///
  /// - Parameters:
  ///   - width: columns, at least 20.
  ///   - Returns: the lines. What follows the first stands below its text: behind a label such as `broker    `, else
  ///     four columns in.
  public static func lines(_ line: String, width: Int) -> [String] {
    guard line.count > width, width >= 20 else { return [line] }
    let indentation = String(repeating: " ", count: min(labelWidth(line) ?? 4, width / 2))
    let text = line.drop { $0 == " " }
    return fill(
      text.split(separator: " ", omittingEmptySubsequences: false), width: width,
      first: String(line.prefix(line.count - text.count)), next: indentation)
  }

  /// Text whose words stand one space apart, from the first column on; at least one line.
  ///
  /// - Parameter breaksWords: a word that is longer than a line goes on in the next one, or else stays whole.
  package static func lines(filledWith text: String, width: Int, breaksWords: Bool = false) -> [String] {
    fill(text.split(separator: " "), width: max(width, 1), breaksWords: breaksWords)
  }

  private static func fill(
    _ words: [Substring], width: Int, first: String = "", next: String = "", breaksWords: Bool = false
  ) -> [String] {
    var lines: [String] = []
    var current = first
    var isBegun = false
    for word in words {
      if isBegun, current.count + 1 + word.count > width {
        lines.append(current)
        current = next
        isBegun = false
      }
      current += (isBegun ? " " : "") + word
      isBegun = true
      while breaksWords, current.count > width {
        lines.append(String(current.prefix(width)))
        current.removeFirst(width)
      }
    }
    return lines + [current]
  }

  /// Where the text begins behind one word and two spaces or more, within the first 20 columns.
  private static func labelWidth(_ line: String) -> Int? {
    let word = line.prefix { $0 != " " }
    let gap = line[word.endIndex...].prefix { $0 == " " }
    guard !word.isEmpty, gap.count >= 2, word.count + gap.count <= 20 else { return nil }
    return word.count + gap.count
  }
}
