/// A rule as it was before it was mended. The simulator brings one back and has to find it, which shows that it can find
/// something; no configuration can, and whoever asks for it pays one comparison, off the way of a reading.
package enum Mutation: String, Sendable, Hashable, CaseIterable {
  /// A store that could not reserve numbers is asked again in the same turn.
  case storeIsAskedAtOnce = "store-is-asked-at-once"
  /// After a reload DISCONNECT follows `offline` though the broker has not acknowledged it.
  case reloadDisconnectsUnheard = "reload-disconnects-unheard"
  /// A new state of the store leads to another birth, even after `offline`.
  case birthFollowsFarewell = "birth-follows-farewell"
  /// The next connection deletes a delayed will, and does not publish `offline` on its topic.
  case owedOfflineIsForgotten = "owed-offline-is-forgotten"
  /// CONNECT waits for its epoch, however long the store takes.
  case lateStoreBlocksConnect = "late-store-blocks-connect"
  /// A clock that jumps renews no lease.
  case leaseIgnoresClock = "lease-ignores-clock"
  /// A topic that was refused is tried again at once.
  case refusedTopicDoesNotRest = "refused-topic-does-not-rest"
  /// A birth is online, whatever the broker said of it.
  case refusedBirthIsOnline = "refused-birth-is-online"
  /// A session is believed though another instance was seen in it.
  case rivalsSessionIsBelieved = "rivals-session-is-believed"
  /// A topic that was cleared is counted as a reading that was delivered.
  case clearingIsCounted = "clearing-is-counted"
  /// Presence is sent again with the session, on connections that it is not about.
  case presenceOutlivesConnection = "presence-outlives-connection"
  /// A message under way that a server of less cannot take as it is is given up.
  case smallerServerLosesMessages = "smaller-server-loses-messages"
  /// Every server is asked for the full will.
  case willStaysFull = "will-stays-full"
  /// With a clean start nothing of the session is stored.
  case cleanStartStoresNothing = "clean-start-stores-nothing"
  /// Another configuration is not taken while the store is not open.
  case reloadNeedsStore = "reload-needs-store"
  /// What waits for its number may be any amount.
  case unnumberedHaveNoBound = "unnumbered-have-no-bound"
  /// A reload forgets what the device's id was made from.
  case reloadForgetsIdentity = "reload-forgets-identity"
  /// A farewell with nothing before it is taken for said, though there is no connection.
  case farewellNeedsNoConnection = "farewell-needs-no-connection"
  /// The first server is returned to as soon as probes reach it, however short it was there the last time.
  case firstServerNeedsNoPatience = "first-server-needs-no-patience"
  /// A command that waited in the session, or in the socket, is taken for a live one.
  case waitedCommandIsLive = "waited-command-is-live"
  /// After a reload of the connection commands are acknowledged as they arrive.
  case reloadAcknowledgesOnArrival = "reload-acknowledges-on-arrival"
  /// An output is off for its partners as soon as that is ordered.
  case offCountsWhenOrdered = "off-counts-when-ordered"
  /// Nobody misses a controller while there is no connection.
  case lossNeedsConnection = "loss-needs-connection"
  /// A retained command is obeyed like any other.
  case retainedCommandIsObeyed = "retained-command-is-obeyed"

  /// Only a device with outputs notices.
  package var isOfOutputs: Bool {
    switch self {
    case .waitedCommandIsLive, .reloadAcknowledgesOnArrival, .offCountsWhenOrdered, .lossNeedsConnection,
      .retainedCommandIsObeyed:
      true
    default: false
    }
  }
}
