import MQTTCore
import Plan
import Presence
import Records

/// What there is to say in the log: `Note.line` renders it in the shell.
package enum Note: Sendable {
  // The connection.
  case connecting(ServerAddress, ProtocolVersion)
  /// - isNews: not one of many short ones of the same outage.
  case connected(ServerAddress, Session.Connected, away: Duration?, unsent: Int, isNews: Bool)
  /// - retryAfter: nil: the process ends.
  case lost(ConnectionLoss, wasConnected: Bool, Remark?, retryAfter: Duration?, ServerAddress?, Outage.Worth)
  /// After many short connections, one lasts.
  case connectionLasts(ServerAddress, outage: Duration, attempts: Int)
  case disconnected
  case disconnectedForGood(ConnectionLoss)
  case disconnectedToRenew
  /// The first server of the list has been reachable for a while.
  case returnsToFirst(ServerAddress)
  case disconnectedForFirst(ServerAddress)
  case cutsToRenew
  /// The server's session is not known here.
  case beginsSessionAnew
  case clearedSession
  case takesLessOfWill(ServerAddress, WillFallback.Reduction)
  case triesSmallerWill(ServerAddress, WillFallback.Reduction)
  case keepsNothing(ServerAddress)
  case hasNoExpiry
  case hasNoWillDelay
  case cutsWillDelay(ServerAddress, UInt32)
  case addressesAreUnknown

  // Presence.
  case notPublished(TopicName, Session.Rejection)
  case presenceRefused(ReasonCode)
  case correctsStatus(String)
  case cannotHeal(String)
  case canHealAgain
  case rival(clientIdentifier: String, instance: String)
  case conflictIsOver(after: Duration)
  /// The store was opened late, and knows the rival: it was this device.
  case rivalWasOwn

  // What is refused.
  /// - of: what limpet publishes there.
  /// - resting: topics that rest now, this one included.
  case rests(TopicName, RestingTopics.Rest, of: RestingUse, for: Duration, resting: Int)
  /// - resting: topics that still rest.
  case takesAgain(TopicName, resting: Int)
  case setAside(TopicName)
  case readingRefused(TopicName?, ReasonCode, count: UInt64)
  case readingGivenUp(Session.Rejection, count: UInt64)
  case retainedRefused(TopicName, Session.Outcome)
  case clearingRefused(TopicName, Session.Outcome)
  case clearingGivenUp(TopicName)
  case clearingsDropped(Int)
  case healthNotSent(Session.Rejection)

  // What is measured.
  case reading(ReadingNote)

  // Home automation.
  case homeAssistantIsNotWatched(TopicName, String)
  case homeAssistantIsDenied(TopicName, ReasonCode)
  /// An entity of another program, by the name that it has here.
  case tookOver(String, from: TopicName)
  case homieConnected(ServerAddress, String, isNews: Bool)
  case homieLost(ConnectionLoss, retryAfter: Duration, Outage.Worth)
  case homieDisconnected(ConnectionLoss)
  case homieNotPublished(TopicName, Session.Rejection)
  case homieRefused(ReasonCode)

  // The store.
  case opening(OpeningNote)
  case storeFails(StorageError)
  case storeIsLate
  case storeWorks
  case storeStaysClosed(StorageError)
  case storeBeginsAnew(KeptAside)
  case storeIsAnothers(String)
  case unreadableReadings(Int)
  case storeDoesNotAnswer(within: Duration)
  case keptForNextStart(Int)
  case lostWithProcess(Int)

  // Outputs.
  case output(OutputNote)
  /// Nothing is obeyed, and why.
  case commandsRefused(String)
  /// limpet cannot subscribe to the controller's heartbeat: the topics, and why.
  case heartbeatsRefused([TopicFilter], String)
  case outputsDoNotAnswer(within: Duration)

  // The end.
  case stops(StopReason)
  case stopTookTooLong
  /// - hasConnected: a broker has a will of this process.
  case leavesToWill(hasConnected: Bool)
  case aborted
  case stalls(Liveness.Stall)

  /// What happens again and again is a line at the first, second, fourth, eighth time and so on.
  package static func isMilestone(_ count: UInt64) -> Bool { count.nonzeroBitCount == 1 }

  /// What stands in `status` while the store does not answer.
  package static let storeIsLateText = "the storage has not answered for 2 s; limpet goes on in memory until it does"

  static func storeIsAnothersText(device: String, stored: String) -> String {
    "the storage can be opened now, and has the device id \(stored). limpet started as \(device) and stays that, in "
      + "memory only: restart it to be \(stored) again"
  }
}

/// Why a connection ended, beyond what ended it.
package enum Remark: Sendable {
  case rival(ConflictWatch.Rival)
  case closes(lastSent: String)

  var kind: String {
    switch self {
    case .rival: "rival"
    case .closes: "closes"
    }
  }
}

/// What limpet publishes to a topic.
package enum RestingUse: Sendable {
  case presence, readings
  /// Health, or a description for home automation.
  case other
}
