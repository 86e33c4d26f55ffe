/// The messages of a session as they come out of a store, row by row, made into those that it goes on with.
package struct StoredMessages {
  /// What their tokens can be: rows are counted from 1, and no program comes near the end.
  package static let tokens: ClosedRange<Int64> = 1...1 << 62
  /// How many messages that are not sent any more are kept beside the session, the newest.
  package static let aside = 1000

  /// By their tokens, the oldest first.
  package private(set) var messages: [StoredMessage] = []
  /// Rows that were only queued and have expired: their tokens are to be deleted.
  package private(set) var expired: [MQTTSession.Token] = []
  private var holders: [PacketIdentifier: Int] = [:]
  private let now: StoredTime

  package init(now: StoredTime) { self.now = now }

  /// The next row, in the order of tokens. One that was only queued and has expired is left out.
  /// - Parameter time: when the message was stored first.
  package mutating func append(_ row: StoredMessage, stored time: StoredTime) {
    guard let current = current(row, stored: time) else { return expired.append(row.token) }
    if let identifier = current.state.identifier {
      // An identifier is one message's: the newest has it, and an older one is sent as new.
      if let earlier = holders[identifier] { messages[earlier].state = .queued }
      holders[identifier] = messages.count
    }
    messages.append(current)
  }

  /// The message as it is now; nil: it has expired.
  private func current(_ stored: StoredMessage, stored time: StoredTime) -> StoredMessage? {
    guard let interval = stored.message.properties.messageExpiryInterval else { return stored }
    var message = stored.message
    let waited = time.elapsed(until: now)
    if waited >= Int64(interval) && stored.state == .queued { return nil }
    message.properties.messageExpiryInterval = UInt32(max(1, Int64(interval) - waited))
    return StoredMessage(token: stored.token, state: stored.state, message: message)
  }
}
