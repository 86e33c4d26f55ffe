import Foundation
import TestScene
import Testing

extension Together {
  /// After each ending the line is where the rules say, what the broker keeps agrees with it, and every edge has a
  /// cause that was told. `Tests/Hardware/run` prints it as a table.
  @Suite("Outputs: the matrix of endings") struct OutputMatrixTests {
    @Test("an output that is on", arguments: OutputCell.chosen(alone: false))
    func ends(_ cell: OutputCell) async throws { try await play(cell) }
  }
}

extension Alone {
  /// The endings that others would feel: the clock of the machine, and kernels up to 6.7 warn when a chip goes that is
  /// in use.
  @Suite("Outputs: the matrix of endings, alone") struct LoneOutputMatrixTests {
    @Test("an output that is on", arguments: OutputCell.chosen(alone: true))
    func ends(_ cell: OutputCell) async throws { try await play(cell) }
  }
}

/// Plays a cell, and puts what came of it into the table.
private func play(_ cell: OutputCell) async throws {
  try await withWorkbench { bench in
    do {
      try report(cell, try await OutputTrial(cell, bench).play())
    } catch {
      try report(cell, "FAIL")
      throw error
    }
  }
}

/// A line of the table, appended at once, so that lines of several cells do not mix.
private func report(_ cell: OutputCell, _ text: String) throws {
  guard let results = ProcessInfo.processInfo.environment["LIMPET_OUTPUT_RESULTS"] else { return }
  let place = OutputCell.Ending.allCases.firstIndex(of: cell.ending) ?? 0
  let line = Array("\(place)\t\(cell.ending.rawValue)\t\(cell.way.rawValue)\t\(text)\n".utf8)
  let descriptor = open(results, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
  defer { close(descriptor) }
  guard write(descriptor, line, line.count) == line.count else { throw POSIXError(.EIO) }
}
