import MQTTCore
import Synchronization

/// A message that `MQTTClient.enqueue` has put in order, and whose result can be awaited.
public final class Publication: Sendable {
  typealias Outcome = Result<PublishResult, PublishError>

  private struct State {
    var outcome: Outcome?
    var waiters: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
    var lastWaiter: UInt64 = 0
  }

  private let state = Mutex(State())

  init() {}

  /// What became of it, if that is known already.
  var settled: Outcome? { state.withLock(\.outcome) }

  /// Whether the result is known.
  public var isSettled: Bool { settled != nil }

  /// Returns when the message is safe, as `MQTTClient.publish` does; any number of tasks may ask, at any time.
  ///
  /// - Throws: as `MQTTClient.publish`. `cancelled` means that the waiting was cancelled: the message is published all
  ///   the same.
  @discardableResult
  public func result() async throws(PublishError) -> PublishResult {
    let number = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let outcome = state.withLock { state -> Outcome? in
          if let outcome = state.outcome { return outcome }
          if Task.isCancelled { return .failure(.cancelled) }
          state.waiters[number] = continuation
          return nil
        }
        if let outcome { continuation.resume(returning: outcome) }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(returning: .failure(.cancelled))
    }
    return try outcome.get()
  }
}

/// Gets the outcome of a message, once.
protocol Publisher: Sendable {
  func give(_ outcome: Result<PublishResult, PublishError>)
}

extension Publication: Publisher {
  func give(_ outcome: Outcome) {
    let waiters = state.withLock { state in
      state.outcome = outcome
      defer { state.waiters = [:] }
      return state.waiters.values.map { $0 }
    }
    for waiter in waiters { waiter.resume(returning: outcome) }
  }
}

/// A caller of `MQTTClient.publish`.
struct Caller: Publisher {
  let continuation: CheckedContinuation<Result<PublishResult, PublishError>, Never>

  func give(_ outcome: Result<PublishResult, PublishError>) { continuation.resume(returning: outcome) }
}
