import Foundation
import TestScene

/// What this run of the tests is for, as `Tests/Presence/run` says.
enum Run {
  private static let environment = ProcessInfo.processInfo.environment

  /// In a network namespace that others can be joined to, and where brokers may listen at every address.
  static let hasNetworks = environment["LIMPET_PRESENCE"] == "networks"
  /// In the guest of Tests/Hardware/vm, whose clock may be set.
  static let isGuest = environment["LIMPET_PRESENCE"] == "guest"

  /// The agent that is played with: the one in LIMPET_BINARY, or the one that was built with these tests.
  static let program = environment["LIMPET_BINARY"] ?? Scene.program

  /// Only cells with this in their name.
  static let text = environment["LIMPET_PRESENCE_CELLS"] ?? ""

  /// Where the times go that the table is made of.
  static let results = environment["LIMPET_PRESENCE_RESULTS"]

  /// A line of the table: what happened in one cell. Appended at once, so that lines of several cells do not mix.
  static func report(_ cell: Cell, _ text: String) throws {
    guard let results else { return }
    let fields = [
      cell.broker.rawValue, cell.fault.rawValue, cell.versionText, cell.transport.scheme, text,
      "\(Fault.allCases.firstIndex(of: cell.fault) ?? 0)",
    ]
    let line = Array((fields.joined(separator: "\t") + "\n").utf8)
    let descriptor = open(results, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    defer { close(descriptor) }
    guard write(descriptor, line, line.count) == line.count else { throw POSIXError(.EIO) }
  }
}
