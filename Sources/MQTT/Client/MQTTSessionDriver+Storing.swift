import LimpetInstants
import LimpetPlatform
import MQTTCore
import NIOCore

/// The error of `MQTTSessionDriver.Event.storing` while the store has not answered a write, which may yet succeed.
public struct StoreIsLate: Error, Hashable, CustomStringConvertible {
  /// How long a store has to answer.
  package static let patience = Link.storePatience

  package init() {}

  /// For a person: what it means for the session. `Link` waits 2 s for its store.
  public let description = "the store has not answered for 2 s; the session goes on in memory until it does"
}

/// Writes what the link wants stored, on the store's own thread.
extension MQTTSessionDriver {
  /// Says that the store has a new file, which does not have the session: the driver writes all of it there at once.
  public func storeBeginsAnew() { handle(.storeBeginsAnew) }

  /// Writes all changes, due or not. Returns nil when they are written, or the reason why they cannot be.
  @discardableResult
  public func flushStore() async -> (any Error)? {
    let waiter = Awaited<(any Error)?>()
    storeWaiters.append(waiter)
    handle(.flushStore)
    return await waiter.value
  }

  func flushed(_ isDone: Bool) {
    for waiter in storeWaiters { waiter.give(isDone ? nil : storeError) }
    storeWaiters = []
  }

  func write(_ changes: [SessionChange], _ number: UInt64) {
    guard let store = configuration.store else { return }
    Task {
      do {
        try await store.apply(changes)
        wrote(number, nil)
      } catch { wrote(number, error) }
    }
  }

  private func wrote(_ number: UInt64, _ error: (any Error)?) {
    storeError = error
    handle(.stored(number, isDone: error == nil))
  }

  func error(of condition: Link.StoreCondition) -> (any Error)? {
    switch condition {
    case .works: nil
    case .fails: storeError
    case .late: StoreIsLate()
    }
  }
}
