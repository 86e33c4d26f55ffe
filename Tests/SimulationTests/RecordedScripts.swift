import Simulation
import Testing

/// Scripts that found something once, as short as they could be made.
@Suite struct RecordedScripts {
  static let scripts: [(name: String, text: String)] = [
    (
      "a reload asks for the same heartbeat again, and a refused one does not rest",
      """
      seed 0x727185
      set quiet 60
      set outputs 2
      set lost 1
      set heartbeat 1
      at 0.146 drop-output target 1
      """
    ),
    (
      "what another broker has retained of an earlier process is taken for a rival's, and `lost` counts",
      """
      seed 0x7273f2
      set quiet 60
      set sync -1
      set brokers 2
      set outputs 3
      set lost 1
      set spread 2
      at 30.0 reload-broker target 2
      at 60.0 crash-after-commit target 2 for 1.178
      at 80.0 crash-after-commit target 2 for 0.024
      at 90.0 command-on target 1 value 770
      at 100.0 reload-broker
      """
    ),
    (
      "with `sync: always` one write that fails is not the end of writing before sending",
      """
      seed 0x20
      set sync 0
      at 121.426 store-fails target 1 for 9.512031446
      """
    ),
    (
      "a store that was full for a moment is shown as working again, though nothing is left to write",
      """
      seed 0xbc6
      at 7181.709063222 store-full target 1 for 0.411
      at 7181.710063222 kill-broker for 0.001
      """
    ),
    (
      "a reading that was refused keeps its own time when it comes behind later ones",
      """
      seed 0xbe4
      at 0.001 step-broker-clock value 4294880896
      at 0.002 cut-seen-by-broker target 1
      at 0.003 deny-by-code target 1 for 29.902 value 128
      """
    ),
    (
      "a store whose file is gone is opened again in the same turn",
      """
      seed 0x1
      at 15000.0 store-emptied
      """
    ),
    (
      "without a store nobody knows the topic of a process that is gone, once its successor has moved to another one",
      """
      seed 0xdbc03
      set quiet 60
      set sync -1
      set will-delay 5
      at 0.07 crash-before-commit for 0.001
      at 0.073 reload-topic target 1
      """
    ),
    (
      "an offline that is owed and refused is said again, and a topic that was told everything vouches for no other one",
      """
      seed 0xf4294
      set quiet 60
      at 0.001 lose-acknowledgements target 2 for 0.001
      at 0.002 clock-1970
      at 0.003 trickle target 2 for 0.001 value 100
      at 0.004 upgrade target 2 for 0.001
      at 0.138 deny-by-code-and-close target 2 for 0.093 value 131
      at 0.139 reload-topic target 1
      """
    ),
    (
      "an offline that is not retained does not take back an online that is",
      """
      seed 0xf432a
      set quiet 60
      set sync -1
      set brokers 2
      set fallback 1
      at 0.001 silent-port for 18.984
      at 0.002 cut target 2
      at 2.442 no-retain target 1 for 8.047
      at 24.982 reload-topic
      at 24.983 reload-broker
      """
    ),
    (
      "a reserve of numbers that a damaged store refused is asked for at once of the new one",
      """
      seed 0xf427b
      set quiet 60
      set lines 1
      at 0.000806544 deny-subscribe target 1 for 0.001 value 158
      at 0.245806544 deny-by-code target 2 for 0.863257226 value 135
      at 0.246806544 store-corrupt target 1
      """
    ),
    (
      "what an earlier process has left is no rival's once the store is open, so a stop in a back-off says offline",
      """
      seed 0x4c4bbb
      set quiet 60
      at 0.123 kill-agent target 1 for 0.001
      at 0.124 store-hangs for 8.519
      at 0.125 maximum-qos target 1 for 10.893
      at 11.271 lose-acknowledgements target 2 for 0.001
      at 12.34 terminate-twice target 2
      """
    ),
    (
      "what a stalled broker reads late, of a connection that was given up, is in no order with the next broker's",
      """
      seed 0x2dc716
      set quiet 120
      set qos 0
      set brokers 2
      set fallback 1
      at 0.139 stall-broker for 58.629
      """
    ),
    (
      "that numbers begin anew is said though the first of them were given up for want of room",
      """
      seed 0xcdbc326
      set interval 1000
      set buffer 20000
      set receive-maximum 2
      set delay 200
      set quiet 60
      at 189.364 names-hang target 2 for 15.3
      at 189.365 store-fails for 20.705
      at 189.366 upgrade target 1 for 0.001
      """
    ),
    (
      "a process whose store was emptied knows nothing of the topic that the one before it had left",
      """
      seed 0x6ad49f
      set quiet 60
      at 0.13 reload-topic target 1
      at 0.131 power-cut target 2 for 0.000897827
      at 0.131628324 store-emptied target 1
      """
    ),
    (
      "a topic rests too where the refused message was one that the broker had lost",
      """
      seed 0x1d906ad
      set session-expiry 0
      set quiet 60
      at 0.094 deny-by-code target 1 for 0.426 value 135
      at 0.095 cut
      """
    ),
    (
      "the birth follows when a place is free that an earlier process had only held at the server",
      """
      seed 0x3197595
      set qos 2
      set brokers 2
      set receive-maximum 1
      set quiet 60
      at 2.305 reload-broker target 2
      at 2.550809559 power-cut target 1 for 0.000838248
      """
    ),
    (
      "a reading that comes back from the session is stored behind what the session had still to store of it",
      """
      seed 0x496eec8
      set quiet 400
      at 0.001 deny-by-code-and-close target 2 for 1667.634 value 131
      at 1122.614495764 store-hangs-then-fails target 1 for 5.151
      at 1122.615495764 reload-topic target 1
      at 1390.722495764 crash-after-commit for 0.001
      """
    ),
    (
      "what closed the connection was not SUBSCRIBE, and once it lasts the device hears its commands",
      """
      seed 0xdbc06
      set quiet 300
      set outputs 1
      at 0.001 close-after-connack for 0.416
      """
    ),
    (
      "an output that is taken away leaves the subscription to the others' commands",
      """
      seed 0xdbbdf
      set quiet 60
      set outputs 4
      at 0.098 drop-output
      """
    ),
    (
      "a time of lost that a reload makes shorter than the silence is over in that turn",
      """
      seed 0xbf4
      set quiet 60
      set outputs 1
      set lost 60000
      set spread 1
      at 8112.986293996 reload-rules target 1
      at 8897.579250947 reload-rules target 1
      """
    ),
    (
      "a broker that agrees and closes is not kept busy by two connections that wake each other",
      """
      seed 0x458
      set homie 1
      at 0.000615237 close-after-connack target 2 for 5.875
      """
    ),
    (
      "a Homie device is ready though more changes than its link takes",
      """
      seed 0x492
      set receive-maximum 2
      set delay 200
      set homie 1
      """
    ),
    (
      "a broker that forgot everything, and began a session with a CONNECT that it never answered, is told all of it again",
      """
      seed 0x16058
      set version 4
      set home-assistant 1
      set quiet 300
      at 100.0 stall-broker target 1 for 29.0
      at 100.5 kill-broker-forgetting for 4.4
      """
    ),
    (
      "what two brokers deny rests at each of them, however often the device moves",
      """
      seed 0x1
      set brokers 2
      set fallback 1
      set for-ever 3
      set quiet 5400
      """
    ),
    (
      "another broker gets the description though the first connection there ended before it had it",
      """
      seed 0x7657
      set brokers 2
      set home-assistant 1
      at 0.145 reload-broker
      at 0.146 close-after-connack target 1 for 0.245
      """
    ),
  ]

  @Test("nothing breaks an invariant", arguments: 0..<scripts.count)
  func plays(_ index: Int) throws {
    let recorded = Self.scripts[index]
    let outcome = World.play(try Script(recorded.text))
    #expect(outcome.failure == nil, "\(recorded.name)")
    #expect(World.play(try Script(recorded.text)).hash == outcome.hash)
  }
}
