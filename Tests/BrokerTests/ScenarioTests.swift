import Foundation
import TestScene
import Testing

private let brokers = BrokerKind.tested

/// What each broker has to do with the client, as far as its traits say that it can.
@Suite(
  "The client on real brokers", .serialized, .brokers, .showsLogs, .timed, .timeLimit(.minutes(3 * Patience.factor)))
struct ScenarioTests {
  // MARK: Connections

  @Test("client and server agree on the highest version that both speak", arguments: Lane.auto(brokers))
  func agreesOnVersion(_ lane: Lane) async throws { try await lane.play { try await $0.agreesOnVersion() } }

  @Test("CONNACK of 5 says what the server can", arguments: Lane.v5(brokers))
  func announcesItsLimits(_ lane: Lane) async throws { try await lane.play { try await $0.announcesItsLimits() } }

  @Test("a session is there again, with what came meanwhile", arguments: Lane.versions(brokers))
  func keepsSession(_ lane: Lane) async throws { try await lane.play { try await $0.keepsSession() } }

  @Test("a session that ends with its connection is never there again", arguments: Lane.versions(brokers))
  func forgetsSession(_ lane: Lane) async throws { try await lane.play { try await $0.forgetsSession() } }

  @Test("a client that knows no session begins anew, and hears nothing old", arguments: Lane.versions(brokers))
  func clearsUnknownSession(_ lane: Lane) async throws { try await lane.play { try await $0.clearsUnknownSession() } }

  @Test("an older client of the same name sees what it has to", arguments: Lane.versions(brokers), [false, true])
  func isTakenOver(_ lane: Lane, isPersistent: Bool) async throws {
    try await lane.play { try await $0.isTakenOver(isPersistent: isPersistent) }
  }

  @Test("two clients of one name do not fight faster than their back-off", arguments: Lane.versions(brokers))
  func sharesItsName(_ lane: Lane) async throws { try await lane.play { try await $0.sharesItsName() } }

  @Test("the broker restarts: the client is back, and so is what it published", arguments: Lane.versions(brokers))
  func survivesRestart(_ lane: Lane) async throws { try await lane.play { try await $0.survivesRestart(SIGTERM) } }

  @Test(
    "the broker is killed: the client is back, and so is what it published",
    arguments: Lane.versions(brokers) { $0.traits.survivesKill })
  func survivesKill(_ lane: Lane) async throws { try await lane.play { try await $0.survivesRestart(SIGKILL) } }

  @Test("the broker restarts: what becomes of a session that began with Clean Start 1", arguments: Lane.v5(brokers))
  func restartsWithCleanSession(_ lane: Lane) async throws {
    try await lane.play { try await $0.survivesRestart(SIGTERM, beganClean: true) }
  }

  // MARK: Messages

  @Test("messages of each QoS arrive in order", arguments: Lane.all(brokers))
  func deliversInOrder(_ lane: Lane) async throws { try await lane.play { try await $0.deliversInOrder() } }

  @Test("a message of QoS 2 meets what the broker makes of it", arguments: Lane.versions(brokers))
  func takesQoS2(_ lane: Lane) async throws { try await lane.play { try await $0.takesQoS2() } }

  @Test("a retained message is there for who comes later, until an empty one", arguments: Lane.versions(brokers))
  func keepsRetained(_ lane: Lane) async throws { try await lane.play { try await $0.keepsRetained() } }

  @Test("64 KiB arrive as they were sent", arguments: Lane.all(brokers))
  func carriesLargePayload(_ lane: Lane) async throws { try await lane.play { try await $0.carriesLargePayload() } }

  @Test("many messages of QoS 1 arrive in order, all of them", arguments: Lane.all(brokers))
  func carriesManyMessages(_ lane: Lane) async throws { try await lane.play { try await $0.carriesManyMessages() } }

  @Test("wildcards match what they should", arguments: Lane.versions(brokers))
  func matchesWildcards(_ lane: Lane) async throws { try await lane.play { try await $0.matchesWildcards() } }

  @Test("a shared subscription gives each message to one of the group", arguments: Lane.sharing(brokers))
  func sharesSubscription(_ lane: Lane) async throws { try await lane.play { try await $0.sharesSubscription() } }

  @Test(
    "where there are no shared subscriptions, none is asked for",
    arguments: Lane.v5(brokers) { !$0.sharedSubscriptions.contains(.v5) })
  func refusesSharedSubscription(_ lane: Lane) async throws {
    try await lane.play { try await $0.refusesSharedSubscription() }
  }

  @Test("the properties of a message arrive", arguments: Lane.v5(brokers))
  func carriesProperties(_ lane: Lane) async throws { try await lane.play { try await $0.carriesProperties() } }

  @Test("topics that go as aliases arrive whole", arguments: Lane.v5(brokers) { $0.topicAliasMaximum > 0 })
  func abbreviatesTopics(_ lane: Lane) async throws { try await lane.play { try await $0.abbreviatesTopics() } }

  // MARK: Wills

  @Test("a forced close over tcp and tls: the will arrives at once", arguments: Lane.streams(brokers))
  func leavesWill(_ lane: Lane) async throws { try await lane.play { try await $0.leavesWill() } }

  @Test("a forced close over ws and wss: the will arrives at once", arguments: Lane.webSockets(brokers))
  func leavesWillOnWebSocket(_ lane: Lane) async throws { try await lane.play { try await $0.leavesWill() } }

  @Test("after DISCONNECT there is no will", arguments: Lane.all(brokers))
  func takesWillAway(_ lane: Lane) async throws { try await lane.play { try await $0.takesWillAway() } }

  @Test("DISCONNECT 0x04 leaves the will", arguments: Lane.v5(brokers) { $0.disconnectWithWill })
  func disconnectsWithWill(_ lane: Lane) async throws { try await lane.play { try await $0.disconnectsWithWill() } }

  @Test("a will waits for its delay", arguments: Lane.v5(brokers) { $0.willDelay })
  func delaysWill(_ lane: Lane) async throws { try await lane.play { try await $0.delaysWill() } }

  @Test("who is back within the will's delay leaves none", arguments: Lane.v5(brokers) { $0.willDelay })
  func recallsWill(_ lane: Lane) async throws { try await lane.play { try await $0.recallsWill() } }
}
