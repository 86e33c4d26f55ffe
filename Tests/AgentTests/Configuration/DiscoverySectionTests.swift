import Testing

struct DiscoverySectionTests {
  private let start = "device: {id: Shed}\nbroker: {url: mqtt://h}\n"

  @Test("off by default, with the names that both sides know")
  func defaults() throws {
    let configuration = try #require(loadConfiguration(start).configuration)
    #expect(configuration.homeAssistant == .init(isEnabled: false, prefix: "homeassistant"))
    #expect(configuration.homie == .init(isEnabled: false, domain: "homie"))
    #expect(configuration.homieClientIdentifier(device: "shed") == "shed-homie")
    // 23 letters and digits are what every server of 3.1.1 must take.
    #expect(configuration.homieClientIdentifier(device: "0123456789abcdefghijKL") == "h0123456789abcdefghijKL")
  }

  @Test("topics that cannot be, and topics of others, are errors")
  func errors() {
    expectRefused(
      start + "homeassistant: {enabled: true, prefix: a/}\nhomie: {enabled: true, domain: a/b}\n",
      [
        #"3:40: homeassistant.prefix: "a/" begins or ends with a slash; remove that"#,
        #"4:32: homie.domain: "a/b" is several levels of a topic; write one, without a slash"#,
      ])
    expectRefused(
      start
        + "homeassistant: {enabled: true}\ntopic: homeassistant/{name}\nsensors: [{name: status, type: system, value: cpu}]\n",
      [
        #"5:12: sensors[0].name: "status" has the topic "homeassistant/status", where Home Assistant says that it has started; write another topic"#
      ])
    expectRefused(
      start + "homie: {enabled: true}\ntopic: homie/5/shed/{name}\nsensors: [{name: a, type: system, value: cpu}]\n",
      [
        #"5:12: sensors[0].name: "a" has the topic "homie/5/shed/a", where this device is one of Homie; write another topic"#
      ])
    expectRefused(
      start + "homie: {enabled: true}\npresence: {topic: homie/5/shed/status}\n",
      [
        #"4:12: presence.topic: the status topic "homie/5/shed/status" is where this device is one of Homie; write another"#
      ])
  }

  @Test("Homie has fewer letters: two readings that come to the same there are an error, only with Homie")
  func homieNames() {
    let readings =
      "sensors: [{name: cpu_load, type: system, value: cpu}, {name: CPU.load, type: system, value: load1}]\n"
    #expect(loadConfiguration(start + readings).configuration != nil)
    expectRefused(
      start + "homie: {enabled: true}\n" + readings,
      [#"4:56: sensors[1].name: in Homie "CPU.load" and "cpu_load" are both "cpu-load"; write another name"#])
    expectRefused(
      start
        + "homie: {enabled: true}\nsensors: [{name: b, type: power_supply, supply: b, properties: [a_b, a-b]}]\n",
      [#"4:12: sensors[0].name: in Homie two channels of "b" are "a-b"; give them entries of their own"#])
  }
}
