import LimpetInstants
import MQTTCore
import Outbox
import Presence
import Readings

/// What a core can be held to from outside: read only, and far cheaper than `report`.
extension Core {
  package var isConnected: Bool { conversation.standing.connection != nil }
  /// Where the connection is, or was.
  package var server: ServerAddress? { conversation.standing.lastServer }
  /// What the connection that there is was made with.
  package var spokenStatus: TopicName { conversation.ownPresence.connectPresence.status }
  package var birthAnswer: BirthAnswer { conversation.ownPresence.answer }
  package var isSayingFarewell: Bool { conversation.isSayingFarewell }
  package var isLeaving: Bool { conversation.leaving.isLeaving || conversation.leaving.hasEnded }
  package var hasExited: Bool { closing.hasExited }
  /// There is no connection, and the next attempt waits for its time.
  package var isInBackOff: Bool { conversation.link.isWaiting }
  /// Numbered readings that nobody has yet, with the moment at which each was numbered, as far as they are in memory.
  package var unsettled: [(token: UInt64, arrived: BootClock.Instant)] { conversation.sender.outbox.unsettled }
  package var isStoreOpen: Bool { keeping.isOpen }
  /// Something is wrong with the store, and was noted.
  package var storeIsBad: Bool { keeping.error != nil }
  package var hasRestingTopics: Bool { !conversation.resting.topics.topics.isEmpty }
  package var restingTopics: Set<TopicName> { Set(conversation.resting.topics.topics.keys) }

  /// The broker keeps what it is asked to, as far as is known: one that did not lately is not asked to.
  package var isRetaining: Bool { conversation.standing.connection?.limits.retainAvailable ?? false }
  /// Readings of a stream wait.
  package func hasWaiting(of stream: StreamID) -> Bool { conversation.sender.outbox.hasWaiting(of: stream) }

  /// Retained readings that a broker had lost, and that it did not get again.
  package var failedRestorations: UInt64 { conversation.sender.retained.failed }

  /// Readings that got their number, and since then every one of them has come to exactly one place: what the two
  /// differ by is what the store had before.
  package var balance: (numbered: UInt64, accounted: UInt64) {
    let waiting = UInt64(unsentNumbered)
    let settled = conversation.tally.delivered + conversation.sender.refused
    return (numbering.counts.readings + numbering.unnumberedDrops, waiting + settled + givenUp)
  }

  // Each by its own path: a copy of an owner counts all its references.
  private var unsentNumbered: Int {
    conversation.sender.unsent
  }

  private var givenUp: UInt64 {
    conversation.sender.outbox.dropped + conversation.sender.outbox.superseded + conversation.sender.outbox.expired
  }

  /// Readings that nobody will ever get, as far as they are counted.
  package var countedLosses: UInt64 { givenUp + conversation.sender.refused + conversation.tally.setAside }

  /// The same of readings that wait for their number.
  package var unnumberedBytes: Int { numbering.waitingBytes }

  /// Bytes of readings that wait, and how many may.
  package var waitingBytes: (now: Int, limit: Int) {
    (conversation.sender.outbox.bytes, conversation.plan.outbox.limit)
  }

  /// The state of an output that was published last.
  package func published(of output: String) -> Reading.Content? {
    let outputs = conversation.acting.outputs
    return outputs.place(of: output).flatMap { outputs.entries[$0]?.last }
  }

  /// Why no command is obeyed on this connection.
  package var commandsAreRefused: String? { conversation.acting.commanding.reason }

  /// Another client uses the identifier, as far as is known.
  package var hasRival: Bool { mutating get { conversation.watching.conflict.rival != nil } }

  /// What the server grants on the connection there is.
  package var receiveMaximum: UInt16? { conversation.standing.connection?.limits.receiveMaximum }

  /// Who wants to be called when, for a message about `deadline`.
  package mutating func deadlines(at now: BootClock.Instant) -> String {
    let all: [(String, BootClock.Instant?)] = [
      ("link", conversation.link.deadline), ("own presence", conversation.ownPresence.deadline),
      ("watching", conversation.watching.deadline), ("resting", conversation.resting.topics.deadline),
      ("announcing", conversation.announcing.deadline), ("sender", conversation.sender.deadline),
      ("leaving", conversation.leaving.deadline), ("outputs", conversation.acting.outputs.deadline),
      ("commands", conversation.acting.commanding.deadline), ("homie", homie.deadline), ("sampling", sampling.deadline),
      ("store", storeDeadline(at: now)), ("serving", serving.deadline), ("closing", closing.deadline),
    ]
    return all.compactMap { name, due in due.map { "\(name) \(now.duration(to: $0))" } }.joined(separator: ", ")
  }

  /// All of this that is looked at after each turn.
  package struct Promises: Sendable {
    package let deadline: BootClock.Instant?
    package let isConnected: Bool
    /// The connection is being closed at once.
    package let isCut: Bool
    package let birthAnswer: BirthAnswer
    package let isSayingFarewell: Bool
    package let isLeaving: Bool
    package let balance: (numbered: UInt64, accounted: UInt64)
    package let waitingBytes: (now: Int, limit: Int)
    package let unnumberedBytes: Int
  }

  /// In place: to copy a core in order to look at it would cost more than its turn.
  package var promises: Promises {
    mutating get {
      Promises(
        deadline: deadline, isConnected: isConnected, isCut: conversation.link.isCut, birthAnswer: birthAnswer,
        isSayingFarewell: isSayingFarewell,
        isLeaving: isLeaving, balance: balance, waitingBytes: waitingBytes, unnumberedBytes: unnumberedBytes)
    }
  }
}
