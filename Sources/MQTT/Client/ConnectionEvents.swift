import MQTTCore
import Synchronization

/// The events of a client's connection, for any number of readers. Each reader has a buffer of
/// `MQTTClient.Configuration.eventBufferLimit` events; when it is full, the oldest are dropped.
///
/// A reader begins with the latest event before it, so it knows the current state, and ends after
/// `ConnectionEvent.ended`.
public struct ConnectionEvents: AsyncSequence, Sendable {
  /// What a reader receives.
  public typealias Element = ConnectionEvent
  /// A loss is an event, not an error.
  public typealias Failure = Never

  let broadcast: EventBroadcast

  /// The events dropped so far because readers were too slow, for all readers together.
  public var dropped: UInt64 { broadcast.dropped }

  /// Begins to listen.
  public func makeAsyncIterator() -> Iterator { Iterator(events: broadcast.listen().makeAsyncIterator()) }

  /// Takes the events out, oldest first.
  public struct Iterator: AsyncIteratorProtocol {
    var events: AsyncStream<ConnectionEvent>.Iterator

    /// The next event, once there is one; nil after `ConnectionEvent.ended`, and in a cancelled task.
    public mutating func next() async -> ConnectionEvent? { await events.next(isolation: #isolation) }

    /// The same for a caller that is isolated to this actor, which it does not leave.
    public mutating func next(isolation actor: isolated (any Actor)?) async -> ConnectionEvent? {
      await events.next(isolation: actor)
    }
  }
}

/// Hands events to everyone who listens.
final class EventBroadcast: Sendable {
  private struct State {
    var listeners: [UInt64: AsyncStream<ConnectionEvent>.Continuation] = [:]
    var lastListener: UInt64 = 0
    var latest: ConnectionEvent?
    var hasEnded = false
    var dropped: UInt64 = 0
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) { self.limit = max(limit, 1) }

  var dropped: UInt64 { state.withLock(\.dropped) }

  func listen() -> AsyncStream<ConnectionEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: ConnectionEvent.self, bufferingPolicy: .bufferingNewest(limit))
    let (number, hasEnded) = state.withLock { state in
      if let latest = state.latest { continuation.yield(latest) }
      state.lastListener += 1
      if !state.hasEnded { state.listeners[state.lastListener] = continuation }
      return (state.lastListener, state.hasEnded)
    }
    // Outside of the lock: ending a stream calls back at once.
    if hasEnded { continuation.finish() }
    continuation.onTermination = { [weak self] _ in self?.forget(number) }
    return stream
  }

  private func forget(_ number: UInt64) {
    let listener = state.withLock { $0.listeners.removeValue(forKey: number) }
    _ = listener
  }

  func send(_ event: ConnectionEvent) {
    state.withLock { state in
      state.latest = event
      for listener in state.listeners.values {
        if case .dropped = listener.yield(event) { state.dropped += 1 }
      }
    }
  }

  func finish() {
    let listeners = state.withLock { state in
      state.hasEnded = true
      defer { state.listeners.removeAll() }
      return state.listeners.values.map { $0 }
    }
    for listener in listeners { listener.finish() }
  }
}
