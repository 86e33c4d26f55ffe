import MQTTCore
import Plan
import Testing

@testable import Configuration
@testable import Planning

struct CommandsPlanTests {
  private func plan(_ more: String = "") throws -> CommandsPlan {
    let result = loadConfiguration(
      """
      broker: {url: mqtt://h}
      topic: house/{device}/r/{name}
      outputs: [{name: pump, line: GPIO1}]
      \(more)
      """)
    let configuration = try #require(result.configuration, "\(printed(result))")
    let plan = try configuration.devicePlan(device: "shed", instance: "1", board: BoardFacts(), memoryShare: nil)
    return try #require(plan.commands)
  }

  @Test("no answer goes where the device publishes itself, whatever its topics are")
  func own() throws {
    let plan = try plan(
      """
      presence: {topic: "presence/{device}/is"}
      homeassistant: {enabled: true, prefix: ha}
      homie: {enabled: true}
      """)
    let own = [
      "house/shed/r/pump", "limpet/shed/health", "presence/shed/is", "presence/shed/presence",
      "ha/device/limpet_shed/config",
      "homie/5/shed/pump/value",
    ]
    for topic in own { #expect(!plan.mayAnswer(on: topic), "\(topic)") }
    for topic in ["house/answers", "limpet/other/x", "ha/status", "presence/other/is"] {
      #expect(plan.mayAnswer(on: topic), "\(topic)")
    }
  }

  @Test("a topic of commands names an output, or none")
  func names() throws {
    let plan = try plan()
    #expect(plan.name(in: "house/shed/r/pmup/set") == "pmup")
    #expect(plan.name(in: "house/shed/r/pump/state") == nil)
    #expect(plan.name(in: "house/other/r/pump/set") == nil)
  }
}
