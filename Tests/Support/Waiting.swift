import Foundation
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

/// Waits until `condition` has a value, and gives it.
@discardableResult
package func eventually<Value>(
  _ what: String, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Value?
) async throws -> Value {
  let deadline = ContinuousClock.now + limit * Patience.factor
  while true {
    if let value = try await condition() { return value }
    guard ContinuousClock.now < deadline else {
      Issue.record("not within \(limit): \(what)", sourceLocation: sourceLocation)
      throw Abandoned()
    }
    try await pause(for: .milliseconds(10))
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
  try await MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: time) {}.futureResult.get()
}
