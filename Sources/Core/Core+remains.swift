import MQTTCore

/// What a store would have of a device when it ends: for who runs devices without one, and begins them again.
extension Core {
  /// Of the last CONNECT.
  package var epoch: UInt64 { conversation.ownPresence.epoch }
  /// Whose session the broker has; nil: none.
  package var sessionOwner: SessionOwner? { conversation.link.owner }
  /// The number that each name goes on at.
  package var nextNumbers: [String: UInt64] { numbering.exact }
}
