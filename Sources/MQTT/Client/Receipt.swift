import MQTTCore
import Synchronization

/// What a message that is not answered on arrival is answered by: once every reader has taken it, by asking for the next
/// one, by leaving the loop that it was given to, by acknowledging it, or by giving the subscription back; or, where one
/// of them never did, when nobody holds it any more.
final class Receipt: Sendable {
  private struct Readers {
    /// Have not taken it; of them, have not seen it.
    var missing: Set<ObjectIdentifier>
    var unaware: Set<ObjectIdentifier>
    var reasonCode = ReasonCode.success
  }

  /// Only `ReceivedMessage.acknowledge` takes it.
  let isManual: Bool
  private let readers: Mutex<Readers>
  private let answer: @Sendable (_ reasonCode: ReasonCode?) -> Void

  /// - Parameter answer: nil: somebody has not taken it.
  init(
    readers: [MessageBuffer], isManual: Bool, _ answer: @escaping @Sendable (_ reasonCode: ReasonCode?) -> Void
  ) {
    let readers = Set(readers.map { ObjectIdentifier($0) })
    self.readers = Mutex(Readers(missing: readers, unaware: readers))
    self.isManual = isManual
    self.answer = answer
  }

  deinit {
    let (isOpen, isSeen, code) = readers.withLock { (!$0.missing.isEmpty, $0.unaware.isEmpty, $0.reasonCode) }
    if isOpen { answer(isSeen && !isManual ? code : nil) }
  }

  func giveOut(_ buffer: MessageBuffer) {
    readers.withLock { _ = $0.unaware.remove(ObjectIdentifier(buffer)) }
    buffer.gaveOut(self)
  }

  func take(_ buffer: MessageBuffer, _ reasonCode: ReasonCode = .success) {
    let code = readers.withLock { readers -> ReasonCode? in
      readers.unaware.remove(ObjectIdentifier(buffer))
      guard readers.missing.remove(ObjectIdentifier(buffer)) != nil else { return nil }
      if reasonCode.isError && !readers.reasonCode.isError { readers.reasonCode = reasonCode }
      return readers.missing.isEmpty ? readers.reasonCode : nil
    }
    if let code { answer(code) }
  }
}
