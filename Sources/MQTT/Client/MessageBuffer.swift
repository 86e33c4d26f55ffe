import DequeModule
import MQTTCore
import Synchronization

/// The messages of a subscription that nobody has read yet: so many, and so many bytes of them.
final class MessageBuffer: Sendable {
  /// What a message weighs beside its topic and payload.
  private static let overhead = 128

  struct Limits: Sendable {
    var count: Int
    var bytes: Int
    var whenFull: WhenFull
  }

  enum WhenFull: Sendable {
    case dropsOldest
    /// `add` returns that the buffer is full, and its caller stops.
    case reports
    /// Others see to it that there is an end.
    case grows
  }

  /// Without the buffer itself: that would be a cycle.
  private struct Unread {
    let delivery: MQTTSession.Delivery
    let receipt: Receipt?

    var weight: Int {
      overhead + delivery.message.payload.readableBytes + delivery.message.topic.length
    }
  }

  private struct Waiter {
    let number: UInt64
    let continuation: CheckedContinuation<ReceivedMessage?, Never>
  }

  private struct State {
    var messages: Deque<Unread> = []
    var bytes = 0
    var dropped: UInt64 = 0
    var failure: SubscribeError?
    var isFinished = false
    /// It has been said to be full, and not that it no longer is.
    var isFull = false
    var waiters: Deque<Waiter> = []
    var lastWaiter: UInt64 = 0
    /// Given out, and not taken yet as far as is known.
    var given: [GivenOut] = []
  }

  private struct GivenOut: Sendable {
    weak let receipt: Receipt?
  }

  private let limits: Limits
  private let hasRoom: @Sendable () -> Void
  private let state = Mutex(State())

  /// - Parameter hasRoom: after `add` has said that it is full, half of it has been read.
  init(_ limits: Limits, hasRoom: @escaping @Sendable () -> Void) {
    self.limits = limits
    self.hasRoom = hasRoom
  }

  var dropped: UInt64 { state.withLock(\.dropped) }
  var failure: SubscribeError? { state.withLock(\.failure) }

  private func given(_ unread: Unread) -> ReceivedMessage {
    ReceivedMessage(
      message: unread.delivery.message, isDuplicate: unread.delivery.duplicate, receipt: unread.receipt,
      buffer: unread.receipt == nil ? nil : self)
  }

  /// - Returns: it is full now.
  func add(_ delivery: MQTTSession.Delivery, _ receipt: Receipt?) -> Bool {
    let message = Unread(delivery: delivery, receipt: receipt)
    let (waiter, gone, isFull) = state.withLock { state -> (Waiter?, [Unread], Bool) in
      guard !state.isFinished else { return (nil, [message], false) }
      if let waiter = state.waiters.popFirst() { return (waiter, [], false) }
      state.messages.append(message)
      state.bytes += message.weight
      var gone: [Unread] = []
      while limits.whenFull == .dropsOldest, state.messages.count > 1, isOver(state),
        let first = state.messages.popFirst()
      {
        state.bytes -= first.weight
        state.dropped += 1
        gone.append(first)
      }
      if limits.whenFull == .reports, isAtLimit(state) { state.isFull = true }
      return (nil, gone, state.isFull)
    }
    waiter?.continuation.resume(returning: given(message))
    // Letting go of a receipt may answer the server: not under the lock.
    _ = gone
    return isFull
  }

  private func isOver(_ state: borrowing State) -> Bool {
    state.messages.count > limits.count || state.bytes > limits.bytes
  }

  private func isAtLimit(_ state: borrowing State) -> Bool {
    state.messages.count >= limits.count || state.bytes >= limits.bytes
  }

  /// The oldest message, once there is one; nil: no other comes, or the task was cancelled.
  func next(isolation: isolated (any Actor)?) async -> ReceivedMessage? {
    let number = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation(isolation: isolation) { continuation in
        let (message, isAnswered, isRelieved) = state.withLock { state -> (Unread?, Bool, Bool) in
          if Task.isCancelled { return (nil, true, false) }
          if let message = state.messages.popFirst() {
            state.bytes -= message.weight
            return (message, true, takeRelief(&state))
          }
          if state.isFinished { return (nil, true, false) }
          state.waiters.append(Waiter(number: number, continuation: continuation))
          return (nil, false, false)
        }
        if isRelieved { hasRoom() }
        if isAnswered { continuation.resume(returning: message.map(given)) }
      }
    } onCancel: {
      let waiter = state.withLock { state -> Waiter? in
        guard let index = state.waiters.firstIndex(where: { $0.number == number }) else { return nil }
        return state.waiters.remove(at: index)
      }
      waiter?.continuation.resume(returning: nil)
    }
  }

  private func takeRelief(_ state: inout State) -> Bool {
    guard state.isFull, 2 * state.messages.count <= limits.count, 2 * state.bytes <= limits.bytes else { return false }
    state.isFull = false
    return true
  }

  /// A reader has it, and may let go of it unread.
  func gaveOut(_ receipt: Receipt) {
    state.withLock { state in
      state.given.removeAll { $0.receipt == nil }
      state.given.append(GivenOut(receipt: receipt))
    }
  }

  /// Nobody wants what has not been read: the server need not keep a place for it.
  func release() {
    let (receipts, isRelieved) = state.withLock { state -> ([Receipt], Bool) in
      let receipts = state.messages.compactMap(\.receipt) + state.given.compactMap(\.receipt)
      defer {
        state.given = []
        state.isFull = false
      }
      return (receipts, state.isFull)
    }
    for receipt in receipts { receipt.take(self) }
    if isRelieved { hasRoom() }
  }

  func finish(_ failure: SubscribeError? = nil) {
    let waiters = state.withLock { state in
      state.failure = state.failure ?? failure
      state.isFinished = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.continuation.resume(returning: nil) }
  }
}
