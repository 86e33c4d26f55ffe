import Foundation
import Testing

/// When the kernel took the interrupts of the agent's lines, by its own tracepoint (events/irq of tracefs): in the function
/// that it calls next it takes an edge's time.
final class EdgeTrace: Sendable {
  private let folder: String

  init() throws {
    folder = "/sys/kernel/tracing/instances/limpet-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    // As `pulse` and `wallOffset` have it.
    try SimulatedChip.write("mono", to: folder + "/trace_clock")
    try SimulatedChip.write("name == \"limpet\"", to: folder + "/events/irq/irq_handler_entry/filter")
    try SimulatedChip.write("1", to: folder + "/events/irq/irq_handler_entry/enable")
  }

  deinit { rmdir(folder) }

  /// Of all lines together, CLOCK_MONOTONIC in seconds, to the microsecond.
  var times: [Double] {
    get throws {
      //  <idle>-0       [001] d.h..    12.345678: irq_handler_entry: irq=25 name=limpet
      try LineTrace.text(of: folder + "/trace").split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard let event = words.firstIndex(of: "irq_handler_entry:"), event > 0 else { return nil }
        return Double(words[event - 1].dropLast())
      }
    }
  }
}
