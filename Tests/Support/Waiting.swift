import Foundation
import LimpetInstants
import NIOCore
import NIOPosix
import Testing

package enum Patience {
  /// Programs under a sanitizer are slow, and so are those on an emulated processor.
  package static let factor: Int = {
    let environment = ProcessInfo.processInfo.environment
    if environment["LIMPET_GUEST"] != nil { return 3 }
    return Selection.isSanitized ? 4 : 1
  }()
}

/// For those who look at what happens: nothing that is tested runs there and could hold them up.
package let witnesses = MultiThreadedEventLoopGroup(numberOfThreads: 1)

extension Duration {
  /// How long something that takes so long may seem to take: on a busy machine its start is seen up to half a second
  /// late, and its end later than that.
  package static func seen(_ least: Duration, to most: Duration? = nil) -> ClosedRange<Duration> {
    least - .milliseconds(500)...((most ?? least) + .milliseconds(1500)) * Patience.factor
  }
}

/// Waits until `condition` has a value, and gives it. It looks less often the longer it has waited, up to ten times a
/// second: on an emulated processor looking took more time than what is looked at.
@discardableResult
package func eventually<Value>(
  _ what: String, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Value?
) async throws -> Value {
  let deadline = ContinuousClock.now + limit * Patience.factor
  var rest = Duration.milliseconds(10)
  while true {
    if let value = try await condition() { return value }
    guard ContinuousClock.now < deadline else {
      Issue.record("not within \(limit): \(what)", sourceLocation: sourceLocation)
      throw Abandoned()
    }
    try await pause(for: rest)
    rest = min(rest * 1.1, .milliseconds(100))
  }
}

/// Waits until `condition` is true.
package func until(
  _ what: String, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  try await eventually(what, within: limit, sourceLocation: sourceLocation) { try await condition() ? () : nil }
}

/// Sleeps, by a timer of NIO's: on Linux that of Task was seen to stand still for 5 s, for all tasks at once.
package func pause(for duration: Duration) async throws {
  let (seconds, attoseconds) = duration.components
  let time = TimeAmount.nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  try await witnesses.any().scheduleTask(in: time) {}.futureResult.get()
}
