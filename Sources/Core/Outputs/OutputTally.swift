import Readings
import Status

/// What has happened to an output since it is there.
struct OutputTally: Sendable {
  private var changes: [OutputCause: UInt64] = [:]
  var commands: [CommandAnswer.Result: UInt64] = [:]

  /// Its state was published: a change if the value is another one, or the first.
  mutating func published(_ state: Reading.Output, after last: Reading.Content?) {
    if case .output(let before)? = last, before.value == state.value { return }
    changes[state.cause, default: 0] += 1
  }

  /// Every cause and every result, those that never were as zero.
  func counts(of name: String) -> StatusReport.OutputCounts {
    StatusReport.OutputCounts(
      name: name, changes: OutputCause.allCases.map { ($0.rawValue, changes[$0] ?? 0) },
      commands: CommandAnswer.Result.allCases.map { ($0.rawValue, commands[$0] ?? 0) })
  }
}

extension Outputs {
  package var counts: [StatusReport.OutputCounts] {
    entries.compactMap { entry in entry.map { $0.tally.counts(of: $0.output.plan.name) } }
  }
}
