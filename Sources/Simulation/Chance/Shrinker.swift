import LimpetInstants

/// What an oracle found.
package struct Failure: Sendable, Hashable, CustomStringConvertible {
  /// Which one, for instance "I1b".
  package let oracle: String
  package let message: String

  package init(_ oracle: String, _ message: String) {
    self.oracle = oracle
    self.message = message
  }

  package var description: String { "\(oracle): \(message)" }
}

/// Makes a script that fails smaller, as long as the same oracle fails: takes actions away (delta debugging: Zeller and
/// Hildebrandt 2002), then settings, then halves how long actions last and how far apart they are.
package struct Shrinker {
  /// The most runs that it may take.
  package let limit: Int
  /// How many it took.
  package private(set) var runs = 0
  private let run: (Script) -> Failure?

  package init(limit: Int = 2000, run: @escaping (Script) -> Failure?) {
    self.limit = limit
    self.run = run
  }

  package mutating func shrink(_ script: Script, _ failure: Failure) -> Script {
    var best = script
    var before: Script
    repeat {
      before = best
      removeActions(from: &best, failure)
      removeSettings(from: &best, failure)
      halveLengths(of: &best, failure)
    } while best != before && runs < limit
    return best
  }

  private mutating func fails(_ script: Script, _ failure: Failure) -> Bool {
    guard runs < limit else { return false }
    runs += 1
    return run(script)?.oracle == failure.oracle
  }

  private mutating func removeActions(from best: inout Script, _ failure: Failure) {
    var size = best.actions.count
    while size > 0 {
      var start = 0
      while start < best.actions.count {
        var candidate = best
        candidate.actions.removeSubrange(start..<min(start + size, best.actions.count))
        if fails(candidate, failure) { best = candidate } else { start += size }
      }
      size /= 2
    }
  }

  private mutating func removeSettings(from best: inout Script, _ failure: Failure) {
    var index = 0
    while index < best.settings.count {
      var candidate = best
      candidate.settings.remove(at: index)
      if fails(candidate, failure) { best = candidate } else { index += 1 }
    }
  }

  private mutating func halveLengths(of best: inout Script, _ failure: Failure) {
    for index in best.actions.indices {
      while best.actions[index].duration > .milliseconds(1) {
        var candidate = best
        candidate.actions[index].duration = best.actions[index].duration.half
        guard fails(candidate, failure) else { break }
        best = candidate
      }
      while true {
        let earlier = index == 0 ? .zero : best.actions[index - 1].time
        let gap = best.actions[index].time - earlier
        guard gap > .milliseconds(1) else { break }
        var candidate = best
        // All that follows moves with it.
        for later in index..<best.actions.count { candidate.actions[later].time -= gap - gap.half }
        guard fails(candidate, failure) else { break }
        best = candidate
      }
    }
  }
}

extension Duration {
  /// In whole milliseconds where it has any, so that what is left can be read.
  fileprivate var half: Duration {
    let half = wholeNanoseconds / 2
    return .nanoseconds(half > 1_000_000 ? half / 1_000_000 * 1_000_000 : half)
  }
}
