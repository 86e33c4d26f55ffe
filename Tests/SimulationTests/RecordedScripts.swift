import Simulation
import Testing

/// Scripts that found something once, as short as they could be made.
@Suite struct RecordedScripts {
  static let scripts: [(name: String, text: String)] = [
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
  ]

  @Test("nothing breaks an invariant", arguments: 0..<scripts.count)
  func plays(_ index: Int) throws {
    let recorded = Self.scripts[index]
    let outcome = World.play(try Script(recorded.text))
    #expect(outcome.failure == nil, "\(recorded.name)")
    #expect(World.play(try Script(recorded.text)).hash == outcome.hash)
  }
}
