import MQTTCore
import Simulation
import Testing

/// Old rules, brought back: each fails its script, which today's rule plays well.
@Suite struct MutationTests {
  private struct Recorded: Sendable {
    let mutation: Mutation
    /// The oracle that sees it.
    let oracle: String
    let text: String
  }

  private static let scripts: [Recorded] = [
    Recorded(
      mutation: .storeIsAskedAtOnce, oracle: "I3b",
      text: """
        seed 0x1
        at 10.0 store-fails for 60.0
        at 20.0 reload-names
        """),
    Recorded(
      mutation: .reloadDisconnectsUnheard, oracle: "I1a",
      text: """
        seed 0x1
        set receive-maximum 2
        at 60.0 stall-broker for 30.0
        at 75.0 reload-topic
        """),
    Recorded(
      mutation: .birthFollowsFarewell, oracle: "I1a",
      text: """
        seed 0x1
        set quiet 300
        at 99.9 stall-broker for 4.2
        at 100.02 terminate for 20.0
        at 100.5 store-hangs for 30.0
        """),
    Recorded(
      mutation: .owedOfflineIsForgotten, oracle: "I1b",
      text: """
        seed 0x4e4f
        set will-delay 5
        at 0.102 address-change target 1
        at 0.103 reload-topic
        """),
    Recorded(
      mutation: .lateStoreBlocksConnect, oracle: "I3d",
      text: """
        seed 0x1
        at 100.0 store-hangs for 300.0
        at 110.0 cut
        """),
    Recorded(
      mutation: .leaseIgnoresClock, oracle: "I5",
      text: """
        seed 0x1
        set shares-clock 1
        at 1000.0 step-clock value 3600
        """),
    Recorded(
      mutation: .refusedTopicDoesNotRest, oracle: "I3b",
      text: """
        seed 0x1
        at 100.0 deny-by-code for 60.0 value 135
        """),
    Recorded(
      mutation: .refusedBirthIsOnline, oracle: "I6",
      text: """
        seed 0x2
        at 100.0 deny-by-code for 60.0 value 135
        at 110.0 cut
        """),
    Recorded(
      mutation: .clearingIsCounted, oracle: "I2a",
      text: """
        seed 0x4e22
        set sensors 1
        at 0.056 reload-names target 2
        """),
    Recorded(
      mutation: .presenceOutlivesConnection, oracle: "I1b",
      text: """
        seed 0x2
        set receive-maximum 2
        set brokers 2
        set quiet 300
        at 99.0 lose-acknowledgements for 51.0
        at 100.0 cut
        at 110.0 reload-topic
        at 110.1 reload-broker
        """),
    Recorded(
      mutation: .rivalsSessionIsBelieved, oracle: "I4",
      text: """
        seed 0x1
        set broker 2
        at 100.0 twin for 1000.0
        """),
    Recorded(
      mutation: .farewellNeedsNoConnection, oracle: "I1e",
      text: """
        seed 0x1
        set sensors 0
        set quiet 300
        at 60.0 unreachable for 100.0
        at 61.0 cut
        at 162.0 terminate for 20.0
        """),
    Recorded(
      mutation: .waitedCommandIsLive, oracle: "I9",
      text: """
        seed 0x1
        set quiet 300
        set outputs 1
        at 100.0 kill-agent for 30.0
        at 110.0 command-on value 1
        """),
    Recorded(
      mutation: .reloadAcknowledgesOnArrival, oracle: "I9",
      text: """
        seed 0x1
        set quiet 300
        set brokers 2
        set outputs 1
        set driver-delay 200
        at 60.0 reload-broker
        at 100.0 command-on value 1
        """),
    Recorded(
      mutation: .offCountsWhenOrdered, oracle: "I9",
      text: """
        seed 0x3
        set quiet 300
        set outputs 2
        set interlock 1
        set driver-delay 200
        at 100.0 command-on value 9
        at 110.0 command-swap
        """),
    Recorded(
      mutation: .lossNeedsConnection, oracle: "I9",
      text: """
        seed 0x1
        set quiet 300
        set outputs 1
        set start 1
        set lost 1
        at 100.0 unreachable for 600.0
        at 100.001 cut
        """),
    Recorded(
      mutation: .retainedCommandIsObeyed, oracle: "I9",
      text: """
        seed 0x1
        set quiet 300
        set outputs 1
        at 100.0 command-on value 129
        """),
    Recorded(
      mutation: .smallerServerLosesMessages, oracle: "I2b",
      text: """
        seed 0x1
        set qos 2
        set quiet 300
        at 60.0 lose-acknowledgements for 30.0
        at 60.1 maximum-qos for 60.0 value 1
        """),
    Recorded(
      mutation: .willStaysFull, oracle: "I8",
      text: """
        seed 0x1
        set quiet 900
        set for-ever 8
        """),
    Recorded(
      mutation: .cleanStartStoresNothing, oracle: "I2b",
      text: """
        seed 0x1
        set quiet 300
        set clean-start 1
        at 100.0 stall-broker for 60.0
        at 125.0 kill-agent for 10.0
        """),
    Recorded(
      mutation: .reloadNeedsStore, oracle: "I8",
      text: """
        seed 0x1
        set quiet 300
        at 0.001 store-fails for 60.0
        at 40.0 reload-broker
        """),
    Recorded(
      mutation: .unnumberedHaveNoBound, oracle: "I7",
      text: """
        seed 0x1
        set quiet 300
        set interval 1000
        set buffer 20000
        set block 2
        at 10.0 store-hangs for 300.0
        """),
    Recorded(
      mutation: .firstServerNeedsNoPatience, oracle: "I3b",
      text: """
        seed 0x1
        set quiet 60
        set brokers 2
        set fallback 1
        set prefers-first 1
        at 10.0 close-after-connack for 100.0
        at 11.0 cut
        """),
    Recorded(
      mutation: .reloadForgetsIdentity, oracle: "I4",
      text: """
        seed 0x1
        set identity 2
        set quiet 300
        at 10.0 reload-names
        at 20.0 store-emptied
        at 30.0 cut
        """),
  ]

  @Test("every old rule has its script")
  func complete() {
    #expect(Set(Self.scripts.map(\.mutation)) == Set(Mutation.allCases))
  }

  @Test("an old rule fails, and today's does not", arguments: 0..<scripts.count)
  func plays(_ index: Int) throws {
    let recorded = Self.scripts[index]
    var script = try Script(recorded.text)
    #expect(World.play(script).failure == nil, "without \(recorded.mutation.rawValue)")
    script.mutation = recorded.mutation
    #expect(World.play(script).failure?.oracle == recorded.oracle, "\(recorded.mutation.rawValue)")
    #expect(try Script(script.description) == script)
  }
}
