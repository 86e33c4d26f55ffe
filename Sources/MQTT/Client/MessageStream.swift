import MQTTCore
import NIOCore

/// A message from the server, with the means to acknowledge it.
public struct ReceivedMessage: Sendable {
  /// As it came.
  public let message: Message
  /// The server has sent it before without getting an answer (DUP, [MQTT-3.3.1-1]): the application may have it
  /// already.
  public let isDuplicate: Bool
  let receipt: Receipt?
  let buffer: MessageBuffer?

  /// The topic it was published to.
  public var topic: TopicName { message.topic }
  /// Its bytes, as they were published.
  public var payload: ByteBuffer { message.payload }
  /// The payload as text, with bytes that are not UTF-8 replaced.
  public var text: String { message.text }
  /// The QoS it came with: the lower one of the publisher's and the subscription's.
  public var qos: QoS { message.qos }
  /// Whether the server had retained it, so that it is older than the subscription.
  public var retain: Bool { message.retain }
  /// Those of its PUBLISH; empty on 3.1.1.
  public var properties: Properties { message.properties }

  /// Acknowledges the message, if the client's configuration says `manually`; otherwise, and the second time, it does
  /// nothing. Acknowledgements go out in the order of the messages, so a message without one delays those after it, and
  /// comes again on the next connection.
  ///
  /// - Parameter reasonCode: of PUBACK or PUBREC on MQTT 5; with 0x80 and above the application refuses the message. If
  ///   several streams have the message, the server gets the first refusal.
  public func acknowledge(_ reasonCode: ReasonCode = .success) {
    guard let buffer, let receipt, receipt.isManual else { return }
    receipt.take(buffer, reasonCode)
  }
}

/// The messages of one subscription as they arrive, and the error that ended it, if any.
///
/// It keeps as many messages, and as many bytes of them, as `MQTTClient.Configuration.messageBufferLimit` and
/// `messageBufferBytes` allow; `whenFull` says what happens beyond that. (The client acknowledges a message of QoS 1 or
/// 2 when it is in this buffer, not when it is read, unless `MQTTClient.Configuration.acknowledges` says otherwise.)
///
/// `MQTTClient.unsubscribe` ends the subscription. So does cancelling the reading task, or letting go of the stream,
/// unless the subscription was made to outlive its reader. When the client ends, the stream just ends; it throws if the
/// server refuses the subscription after a reconnect.
public struct MessageStream: AsyncSequence, Sendable {
  /// A message, with the means to acknowledge it.
  public typealias Element = ReceivedMessage
  /// The error that ended the subscription, if this side did not end it.
  public typealias Failure = SubscribeError

  /// What the server answered for each filter: a granted QoS, or a code of 0x80 and above for one that it refused.
  public let reasonCodes: [ReasonCode]
  /// The properties of SUBACK: a reason and user properties.
  public let properties: Properties
  let identifier: SubscriptionTable.Identifier
  let buffer: MessageBuffer
  let reader: MessageReader

  /// Messages dropped because the reader was too slow.
  public var dropped: UInt64 { buffer.dropped }

  /// Begins to read. Iterators share the messages: each message goes to one of them.
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

    /// The next message, once there is one; nil after `unsubscribe`, when the client has ended, and in a cancelled
    /// task.
    ///
    /// - Throws: `refused` or `rejected` if the server does not accept the subscription again, `sessionLost`.
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
