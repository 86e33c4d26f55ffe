import Testing

@testable import Configuration
@testable import Planning

@Suite("Home Assistant: a power supply that is there, or has power") struct HomeAssistantPlugTests {
  @Test("it is a binary sensor of class plug, but where somebody wants it otherwise")
  func plug() throws {
    let text = """
      broker: {url: mqtt://h}
      device: {id: board}
      homeassistant: {enabled: true}
      sensors:
        - {name: mains, type: power_supply, supply: AC, property: online, interval: 1m}
        - {name: raw, type: power_supply, supply: AC, property: online, interval: 1m, homeassistant: {as: sensor}}
      """
    let configuration = try #require(loadConfiguration(text).configuration)
    let all = HomeAssistantComponents(configuration: configuration, device: "board").all
    let mains = try #require(all.first { $0.id == "mains" })
    #expect(mains.kind == "binary_sensor" && "\(mains.fields)".contains("plug"))
    #expect(all.first { $0.id == "raw" }?.kind == "sensor")
  }
}
