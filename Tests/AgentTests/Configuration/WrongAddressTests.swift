import Testing

@testable import Agent

/// Topics and URLs; rows as in `WrongConfigurationTests`.
struct WrongAddressTests {
  @Test(
    "topics and names have one owner; of two readings the later name is reported",
    arguments: [
      (
        "sensors: [&s {name: a, type: thermal, zone: z}]\ninputs:\n  - {name: a, line: 1}\n",
        [
          "5:6: inputs[0].name: \"a\" is already the name of a reading on line 3; write another"
        ]
      ),
      (
        "topic: x/{device}\nsensors:\n  - {name: a, type: thermal, zone: z}\n  - {type: thermal, name: b, zone: z}\n",
        ["6:21: sensors[1].name: its topic \"x/{device}\" is already that of \"a\" on line 5; put {name} into topic"]
      ),
      (
        "sensors: [{name: status, type: thermal, zone: z}]\n",
        [
          "3:12: sensors[0].name: \"status\" would be published to \"limpet/{device}/status\", the presence topic; "
            + "write another"
        ]
      ),
      (
        "sensors: [{name: presence, type: thermal, zone: z}]\n",
        [
          "3:12: sensors[0].name: \"presence\" would be published to \"limpet/{device}/presence\", which describes the "
            + "presence; write another name"
        ]
      ),
      (
        "device: {id: d}\nsensors: [{name: x, type: thermal, zone: z}]\npresence: {topic: limpet/d/x}\n",
        ["5:12: presence.topic: \"x\" would be published to \"limpet/d/x\", the presence topic; write another"]
      ),
      (
        "device: {id: d}\npresence: {topic: limpet/d/presence}\n",
        ["4:19: presence.topic: limpet/{device}/presence describes the last birth or stop; write another topic"]
      ),
      ("presence: {topic: a/+}\n", ["3:19: presence.topic: holds the wildcard \"+\"; a topic to publish to has none"]),
      (
        "presence: {topic: 'a/{name}'}\n",
        ["3:19: presence.topic: holds \"{name}\", which has no meaning here; placeholders are {device}"]
      ),
      (
        "topic: $SYS/{name}\n",
        ["3:8: topic: begins with \"$\"; those topics belong to the server, write another first level"]
      ),
      ("topic: a/{nam}\n", ["3:8: topic: holds \"{nam}\", which has no meaning here; did you mean {name}?"]),
      ("topic: a/{name\n", ["3:8: topic: has a brace without its partner; placeholders are {device} or {name}"]),
      ("topic: \"a/\\0\"\n", ["3:8: topic: holds a control character; remove it"]),
      (
        "topic: \(String(repeating: "x", count: 65536))\n",
        ["3:8: topic: longer than a topic can be; write at most 65535 bytes, names filled in"]
      ),
    ])
  func topics(text: String, expected: [String]) {
    expectRefused(minimalConfiguration + text, expected)
  }

  @Test(
    "URLs say what is wrong with them",
    arguments: [
      ("h:8883", "\"h:8883\" has no scheme; write mqtts://h:8883"),
      ("mqqt://h", "the scheme \"mqqt\" is not known; did you mean mqtt?"),
      ("tcp://h", "the scheme \"tcp\" is not known; did you mean mqtt?"),
      ("foo://h", "the scheme \"foo\" is not known; write mqtt, mqtts, ws, wss or unix"),
      ("mqtt://h:0", "the port \"0\" is none; write 1 to 65535, usually 1883"),
      ("mqtts://h:70000", "the port \"70000\" is none; write 1 to 65535, usually 8883"),
      ("'mqtt://h:'", "the port \"\" is none; write 1 to 65535, usually 1883"),
      ("mqtt://:1883", "\"mqtt://:1883\" has no host; write one such as mqtt.example.com"),
      ("mqtt://h/x", "\"mqtt://h/x\" has a path, which mqtt does not use; remove it"),
      ("mqtt://h?t=1", "\"mqtt://h?...\" has a query, which mqtt does not use; remove it"),
      ("mqtt://h/#f", "\"mqtt://h/#f\" holds a fragment; remove \"#\" and what follows"),
      ("'mqtt://h h'", "\"mqtt://h h\" holds a space; remove it"),
      ("mqtt://ü", "\"mqtt://ü\" holds letters beyond ASCII; write the name in its xn-- form"),
      ("mqtt://1.2.3.400", "\"1.2.3.400\" is not a host name or address; write one such as mqtt.example.com"),
      (
        "mqtt://::1",
        "\"mqtt://::1\" has several colons; put an IPv6 address in brackets: [2001:db8::1]:1883"
      ),
      ("'mqtt://[::g]'", "\"::g\" is not an IPv6 address; write one such as [2001:db8::1]"),
      (
        "unix://x/y",
        "\"unix://x/y\" names no socket; write unix:///run/mosquitto.sock, with three slashes"
      ),
      ("[]", "a list of 0; write 1 to 16 values"),
    ])
  func urls(text: String, message: String) {
    expectRefused("broker:\n  url: \(text)\n", ["2:8: broker.url: \(message)"])
  }

  @Test("of a list of URLs the wrong one is named; a URL that is there twice is an error")
  func urlList() {
    expectRefused(
      "broker:\n  url: [mqtt://h, h, mqtt://h:1883]\n",
      [
        "2:19: broker.url[1]: \"h\" has no scheme; write mqtt://h",
        "2:22: broker.url[2]: the same URL as on line 2; remove one of them",
      ])
  }
}
