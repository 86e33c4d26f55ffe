/// Rows of cells in columns for a terminal: left-aligned, two spaces apart, the last column as long as it is.
package struct TextTable {
  private static let gap = 2
  package var rows: [[String]]

  package init(_ rows: [[String]]) {
    self.rows = rows
  }

  /// Of each column, the longest cell; of no rows, nothing.
  package var widths: [Int] {
    rows.reduce(into: []) { widths, row in
      for (column, cell) in row.enumerated() {
        let width = cell.columns
        if column < widths.count { widths[column] = max(widths[column], width) } else { widths.append(width) }
      }
    }
  }

  /// Columns of these widths in one line, with what is between them.
  package static func width(of columns: some Collection<Int>) -> Int {
    columns.reduce(0, +) + gap * max(0, columns.count - 1)
  }

  /// A line for each row; empty cells at its end leave no spaces.
  ///
  /// - Parameters:
  ///   - widths: one for each column; default: ``widths``.
  ///   - cutting: a cell that is longer than its column is cut, or else pushes the rest of its row away.
  package func lines(_ widths: [Int]? = nil, cutting: Bool = true) -> [String] {
    let widths = widths ?? self.widths
    let space = String(repeating: " ", count: Self.gap)
    return rows.map { row in
      let length = (row.lastIndex { !$0.isEmpty } ?? -1) + 1
      var line = ""
      for (column, cell) in row.prefix(length).enumerated() {
        let text = cutting ? cell.cut(to: widths[column]) : cell
        line += column == length - 1 ? text : text.padded(to: widths[column]) + space
      }
      return line
    }
  }
}
