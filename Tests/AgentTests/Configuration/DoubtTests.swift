import Testing

@testable import Configuration

/// What is right and probably not meant: a warning says what to write.
struct DoubtTests {
  @Test(
    "it is a warning, and the configuration is read",
    arguments: [
      (
        "topic: home/%device%/%name%",
        "2:8: warning: topic: \"%device%\" stands in the topic as it is written; the placeholder is {device}"
      ),
      (
        "topic: /home/{device}/{name}",
        "2:8: warning: topic: begins with \"/\", so its first level is empty; remove that"
      ),
      ("topic: home/{device}/{name}/", "2:8: warning: topic: ends with \"/\", so its last level is empty; remove that"),
      (
        "presence: {topic: home/<device>/status}",
        "2:19: warning: presence.topic: \"<device>\" stands in the topic as it is written; the placeholder is {device}"
      ),
      (
        "homeassistant: {suggested_area: Garden}",
        "2:1: warning: homeassistant: is not enabled; write enabled: true below it"
      ),
      ("homie: {domain: home}", "2:1: warning: homie: is not enabled; write enabled: true below it"),
    ])
  func doubts(line: String, text: String) {
    let result = loadConfiguration("broker: {url: mqtt://h}\n" + line + "\n")
    #expect(printed(result).contains(text), "\(printed(result))")
    #expect(result.configuration != nil)
  }

  @Test("sections that are empty or say what they are for are no mistake")
  func noDoubts() {
    for line in [
      "homeassistant:", "homeassistant: {enabled: false, suggested_area: Garden}", "topic: home/{device}/{name}",
    ] {
      let result = loadConfiguration("broker: {url: mqtt://h}\n\(line)\n")
      #expect(printed(result) == [], "\(line)")
    }
  }

  @Test("a password that looks like a variable is taken as it is, and that is said")
  func variable() {
    func warned(_ password: String) -> Bool {
      let result = loadConfiguration("broker: {url: mqtt://h, username: u, password: '\(password)'}\n")
      return printed(result).contains { $0.contains("the value of an environment variable is written ${NAME}") }
    }
    #expect(warned("$MQTT_PASSWORD"))
    for password in ["$", "$a", "pa$$word", "$ecret", "${ONE}"] { #expect(!warned(password), "\(password)") }
  }
}
