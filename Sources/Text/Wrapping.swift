/// Breaks a line between words where a terminal would break it within one.
public enum Wrapping {
  /// - Parameters:
  ///   - width: columns, at least 20.
  ///   - Returns: the lines. What follows the first stands below its text: behind a label such as `broker    `, else
  ///     four columns in.
  public static func lines(_ line: String, width: Int) -> [String] {
    guard line.count > width, width >= 20 else { return [line] }
    let indentation = String(repeating: " ", count: min(labelWidth(line) ?? 4, width / 2))
    var lines: [String] = []
    var current = String(line.prefix { $0 == " " })
    var isBegun = false
    for word in line.drop(while: { $0 == " " }).split(separator: " ", omittingEmptySubsequences: false) {
      if isBegun, current.count + 1 + word.count > width {
        lines.append(current)
        current = indentation
        isBegun = false
      }
      current += (isBegun ? " " : "") + word
      isBegun = true
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
