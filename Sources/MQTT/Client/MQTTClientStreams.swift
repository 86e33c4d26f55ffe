import MQTTCore
import Synchronization

/// The messages of one subscription, as they arrive, with the failure that ended it, if one did.
///
/// It holds so many messages as `MQTTClient.Configuration.messageBufferLimit` says. The connection is shared, so a slow
/// reader does not hold it up: the oldest messages go then, and `dropped` counts them. (A message of QoS 1 or 2 is
/// acknowledged when it is put here, not when it is read, unless `MQTTClient.Configuration.acknowledges` says so.)
///
/// One task reads it. The subscription is given back by `MQTTClient.unsubscribe`, and also when the reading task is
/// cancelled or nobody holds the stream any more. At the end of the client the stream just ends; it throws where the
/// server refuses the subscription after a reconnect.
public struct MessageStream: AsyncSequence, Sendable {
  public typealias Element = Message
  public typealias Failure = SubscribeError

  /// What the server answered for each filter: a granted QoS, or a code of 0x80 and above for one that it refused.
  public let reasonCodes: [ReasonCode]
  let identifier: SubscriptionTable.Identifier
  let buffer: MessageBuffer
  let messages: AsyncStream<MessageBuffer.Element>

  /// Messages that went because the reader was too slow.
  public var dropped: UInt64 { buffer.dropped }

  public func makeAsyncIterator() -> Iterator {
    Iterator(buffer: buffer, messages: messages.makeAsyncIterator())
  }

  /// Takes the messages out, oldest first.
  public struct Iterator: AsyncIteratorProtocol {
    let buffer: MessageBuffer
    var messages: AsyncStream<MessageBuffer.Element>.Iterator
    /// That of the message which was given out last: asking for the next one takes it.
    private var receipt: Receipt?

    init(buffer: MessageBuffer, messages: AsyncStream<MessageBuffer.Element>.Iterator) {
      self.buffer = buffer
      self.messages = messages
    }

    public mutating func next() async throws(SubscribeError) -> Message? {
      try await next(isolation: #isolation)
    }

    public mutating func next(isolation actor: isolated (any Actor)?) async throws(SubscribeError) -> Message? {
      receipt?.take(buffer)
      receipt = nil
      if let element = await messages.next(isolation: actor) {
        receipt = element.receipt
        receipt?.giveOut(buffer)
        return element.message
      }
      if let failure = buffer.failure { throw failure }
      return nil
    }
  }
}

/// What a message that is answered when it has been read is answered by: once every reader has taken it, by asking for the
/// next one, by leaving the loop that it was given to, or by giving the subscription back; or, where one of them never
/// saw it, when nobody holds it any more.
final class Receipt: Sendable {
  private struct Readers {
    /// Have not taken it; of them, have not seen it.
    var missing: Set<ObjectIdentifier>
    var unaware: Set<ObjectIdentifier>
  }

  private let readers: Mutex<Readers>
  private let answer: @Sendable (_ isTaken: Bool) -> Void

  init(readers: [MessageBuffer], _ answer: @escaping @Sendable (_ isTaken: Bool) -> Void) {
    let readers = Set(readers.map { ObjectIdentifier($0) })
    self.readers = Mutex(Readers(missing: readers, unaware: readers))
    self.answer = answer
  }

  deinit {
    let (isOpen, isSeen) = readers.withLock { (!$0.missing.isEmpty, $0.unaware.isEmpty) }
    if isOpen { answer(isSeen) }
  }

  func giveOut(_ buffer: MessageBuffer) {
    readers.withLock { _ = $0.unaware.remove(ObjectIdentifier(buffer)) }
  }

  func take(_ buffer: MessageBuffer) {
    let isLast = readers.withLock { readers in
      readers.unaware.remove(ObjectIdentifier(buffer))
      return readers.missing.remove(ObjectIdentifier(buffer)) != nil && readers.missing.isEmpty
    }
    if isLast { answer(true) }
  }
}

/// The client's end of a `MessageStream`.
final class MessageBuffer: Sendable {
  private struct State {
    var dropped: UInt64 = 0
    var failure: SubscribeError?
    /// Of messages that may not have been read, for `release`.
    var receipts: [Held] = []
    var receiptsChecked = 64
  }

  private struct Held: Sendable {
    weak let receipt: Receipt?
  }

  struct Element: Sendable {
    let message: Message
    let receipt: Receipt?
  }

  private let continuation: AsyncStream<Element>.Continuation
  private let state = Mutex(State())

  /// - Parameter abandoned: nobody reads any more.
  static func make(
    limit: Int, abandoned: @escaping @Sendable () -> Void
  ) -> (MessageBuffer, AsyncStream<Element>) {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Element.self, bufferingPolicy: .bufferingNewest(max(limit, 1)))
    continuation.onTermination = { if case .cancelled = $0 { abandoned() } }
    return (MessageBuffer(continuation), stream)
  }

  private init(_ continuation: AsyncStream<Element>.Continuation) { self.continuation = continuation }

  var dropped: UInt64 { state.withLock(\.dropped) }
  var failure: SubscribeError? { state.withLock(\.failure) }

  func add(_ message: Message, _ receipt: Receipt?) {
    if let receipt {
      state.withLock { state in
        state.receipts.append(Held(receipt: receipt))
        guard state.receipts.count > state.receiptsChecked else { return }
        state.receipts.removeAll { $0.receipt == nil }
        state.receiptsChecked = 2 * state.receipts.count + 64
      }
    }
    if case .dropped = continuation.yield(Element(message: message, receipt: receipt)) {
      state.withLock { $0.dropped += 1 }
    }
  }

  /// Nobody wants what has not been read: the server need not keep a place for it.
  func release() {
    let receipts = state.withLock { state in
      defer { state.receipts = [] }
      return state.receipts.compactMap(\.receipt)
    }
    for receipt in receipts { receipt.take(self) }
  }

  func finish(_ failure: SubscribeError? = nil) {
    state.withLock { $0.failure = $0.failure ?? failure }
    continuation.finish()
  }
}

/// What happens to a client's connection, for any number of readers; each has a buffer of its own, of
/// `MQTTClient.Configuration.eventBufferLimit` events, whose oldest go when it is full.
///
/// A reader begins with the latest event before it, so it knows how things are, and ends after
/// `ConnectionEvent.ended`.
public struct ConnectionEvents: AsyncSequence, Sendable {
  public typealias Element = ConnectionEvent
  public typealias Failure = Never

  let broadcast: EventBroadcast

  /// Events that readers were too slow for, all in all.
  public var dropped: UInt64 { broadcast.dropped }

  /// Begins to listen.
  public func makeAsyncIterator() -> Iterator { Iterator(events: broadcast.listen().makeAsyncIterator()) }

  /// Takes the events out, oldest first.
  public struct Iterator: AsyncIteratorProtocol {
    var events: AsyncStream<ConnectionEvent>.Iterator

    public mutating func next() async -> ConnectionEvent? { await events.next(isolation: #isolation) }

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
