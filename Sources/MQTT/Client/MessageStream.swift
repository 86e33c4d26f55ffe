import MQTTCore
import NIOCore

/// A message from the server, and how it is answered.
public struct ReceivedMessage: Sendable {
  /// As it came.
  public let message: Message
  /// The server has sent it before and had no answer (DUP, [MQTT-3.3.1-1]): the application may know it already.
  public let isDuplicate: Bool
  let receipt: Receipt?
  let buffer: MessageBuffer?

  /// Where it was published to.
  public var topic: TopicName { message.topic }
  /// Its bytes, as they were published.
  public var payload: ByteBuffer { message.payload }
  /// The payload as text; bytes that are not UTF-8 are repaired.
  public var text: String { message.text }
  /// What it came with: the lower one of the publisher's and the subscription's.
  public var qos: QoS { message.qos }
  /// It was kept by the server, and is older than the subscription.
  public var retain: Bool { message.retain }
  /// Those of its PUBLISH; empty on 3.1.1.
  public var properties: Properties { message.properties }

  /// Answers the server, where the client's configuration says that messages are acknowledged `manually`; otherwise, and
  /// the second time, it does nothing. Answers go out in the order of the messages, so one that is not acknowledged holds
  /// up those behind it; it comes again on the next connection.
  ///
  /// - Parameter reasonCode: of PUBACK or PUBREC on MQTT 5; 0x80 and above: the application refuses the message. Where
  ///   several streams have it, the first refusal is what the server hears.
  public func acknowledge(_ reasonCode: ReasonCode = .success) {
    guard let buffer, let receipt, receipt.isManual else { return }
    receipt.take(buffer, reasonCode)
  }
}

/// The messages of one subscription, as they arrive, with the failure that ended it, if one did.
///
/// It holds so many messages, and so many bytes of them, as `MQTTClient.Configuration.messageBufferLimit` and
/// `messageBufferBytes` say; `whenFull` says what happens then. (A message of QoS 1 or 2 is acknowledged when it is put
/// here, not when it is read, unless `MQTTClient.Configuration.acknowledges` says so.)
///
/// The subscription is given back by `MQTTClient.unsubscribe`, and also when the reading task is cancelled or nobody holds
/// the stream any more, unless it was made to outlive its reader. At the end of the client the stream just ends; it throws
/// where the server refuses the subscription after a reconnect.
public struct MessageStream: AsyncSequence, Sendable {
  /// A message, with what it takes to acknowledge it by hand.
  public typealias Element = ReceivedMessage
  /// What ended the subscription, where that was no wish of this side.
  public typealias Failure = SubscribeError

  /// What the server answered for each filter: a granted QoS, or a code of 0x80 and above for one that it refused.
  public let reasonCodes: [ReasonCode]
  /// Those of SUBACK: a reason and user properties.
  public let properties: Properties
  let identifier: SubscriptionTable.Identifier
  let buffer: MessageBuffer
  let reader: MessageReader

  /// Messages that went because the reader was too slow.
  public var dropped: UInt64 { buffer.dropped }

  /// Begins to read. The messages are shared out among all iterators: each message goes to one of them.
  public func makeAsyncIterator() -> Iterator { Iterator(buffer: buffer, reader: reader) }

  /// Takes the messages out, oldest first.
  public struct Iterator: AsyncIteratorProtocol {
    let buffer: MessageBuffer
    let reader: MessageReader
    /// That of the message which was given out last: asking for the next one takes it.
    private var receipt: Receipt?

    init(buffer: MessageBuffer, reader: MessageReader) {
      self.buffer = buffer
      self.reader = reader
    }

    /// The next message, once there is one; nil after `unsubscribe`, at the client's end, and in a cancelled task.
    ///
    /// - Throws: `refused` or `rejected` where the server does not take the subscription again, `sessionLost`.
    public mutating func next() async throws(SubscribeError) -> ReceivedMessage? {
      try await next(isolation: #isolation)
    }

    /// The same for a caller that lives on this actor, which it does not leave.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(SubscribeError) -> ReceivedMessage? {
      if let receipt, !receipt.isManual { receipt.take(buffer) }
      receipt = nil
      if let message = await buffer.next(isolation: actor) {
        receipt = message.receipt
        receipt?.giveOut(buffer)
        return message
      }
      if Task.isCancelled { reader.leave() }
      if let failure = buffer.failure { throw failure }
      return nil
    }
  }
}

/// Lives for as long as somebody holds a stream, and says when nobody does.
final class MessageReader: Sendable {
  private let abandoned: @Sendable () -> Void

  init(abandoned: @escaping @Sendable () -> Void) { self.abandoned = abandoned }

  func leave() { abandoned() }

  deinit { abandoned() }
}
