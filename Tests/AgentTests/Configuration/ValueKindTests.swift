import Testing

@testable import Configuration
@testable import LimpetText

struct ValueKindTests {
  @Test(
    "durations",
    arguments: [
      ("5s", .seconds(5)), ("20ms", .milliseconds(20)), ("1.5h", .seconds(5400)), ("7d", .seconds(604_800)),
      ("1h30m", .seconds(5400)), ("2w", .seconds(1_209_600)), ("250us", .microseconds(250)), ("0", .zero),
      ("0.0", .zero), ("0s", .zero), ("0.1s", .milliseconds(100)), ("1m0.5s", .milliseconds(60_500)),
      ("1.000000000000000h", .seconds(3600)),
    ] as [(String, Duration)])
  func durations(text: String, expected: Duration) throws {
    #expect(try WrittenDuration.parse(text, unit: "s") == expected)
  }

  @Test(
    "what is no duration",
    arguments: [
      "", "s", "-5s", "+5s", "5", "5x", "5S", "5 s", "5s ", "1m1h", "1s1s", "1h5", ".5s", "5.s", "1e3s", "0x5s", "infs",
      "nan", "99999999999w", "0.0000001us", "5s\n", "٥s", "1,5s", "9999999999999999999s", "15250w1d1w",
    ])
  func noDurations(text: String) {
    #expect(throws: Mismatch.self) { try WrittenDuration.parse(text, unit: "s") }
  }

  @Test(
    "a duration with a slip in its unit says the right one",
    arguments: [
      ("30", "\"30\" has no unit; write 30ms"), ("30sec", "unit \"sec\" is not known; write s"),
      ("5S", "unit \"S\" is not known; write s"), ("5µs", "unit \"µs\" is not known; write us"),
      ("5 min", "\"5 min\" has a space before the unit; write the number and m together"),
    ])
  func durationAdvice(text: String, expected: String) {
    #expect(throws: Mismatch.self) { try WrittenDuration.parse(text, unit: "ms") }
    do {
      _ = try WrittenDuration.parse(text, unit: "ms")
    } catch {
      #expect(error.message == expected)
    }
  }

  @Test(
    "durations are shown as they are written",
    arguments: ["0s", "30s", "1h30m", "7d", "500ms", "1s250ms", "18h12m15s", "250us"])
  func shown(text: String) throws {
    #expect(WrittenDuration.text(try WrittenDuration.parse(text, unit: "s")) == text)
  }

  @Test(
    "sizes",
    arguments: [
      ("64MB", 64_000_000), ("64MiB", 67_108_864), ("1kB", 1000), ("1KB", 1000), ("1KiB", 1024),
      ("1.5GB", 1_500_000_000),
      ("2GiB", 2_147_483_648), ("1000GB", 1_000_000_000_000), ("7B", 7), ("0", 0),
    ])
  func sizes(text: String, expected: Int64) throws {
    #expect(try WrittenSize.parse(text) == expected)
  }

  @Test("a size that no Int holds is out of range, and said with the bounds")
  func sizesOutOfRange() throws {
    let kind = ValueKind<Int>.size(1_000_000...ByteSize.largest)
    #expect(try kind.parse("2GB") == 2_000_000_000)
    #expect(throws: Mismatch.self) { try kind.parse("1001GB") }
    #expect(throws: Mismatch.self) { try kind.parse("9000000000GB") }
  }

  @Test(
    "what is no size",
    arguments: ["", "64", "MB", "64 MB", "64mb", "64M", "-1MB", "1.5B", "1e6B", "9999999999999GB", "64Mb", "0x1MB"])
  func noSizes(text: String) {
    #expect(throws: Mismatch.self) { try WrittenSize.parse(text) }
  }

  @Test(
    "numbers are decimal and finite",
    arguments: [("0.5", 0.5), ("-3", -3), ("+2", 2), ("1e-3", 0.001), (".5", 0.5), ("007", 7)])
  func numbers(text: String, expected: Double) throws {
    #expect(try ValueKind<Double>.number.parse(text) == expected)
  }

  @Test(
    "what is no number",
    arguments: [
      "", "nan", "inf", "-inf", "0x10", "1e999", "1,5", "5.", ".", "1e", "e5", " 1", "1 ", "1_000", "--1", "٣",
    ])
  func noNumbers(text: String) {
    #expect(throws: Mismatch.self) { try ValueKind<Double>.number.parse(text) }
  }

  @Test(
    "booleans in any case",
    arguments: [
      ("true", true), ("Yes", true), ("ON", true), ("False", false), ("no", false), ("Off", false),
    ])
  func booleans(text: String, expected: Bool) throws {
    #expect(try ValueKind<Bool>.boolean.parse(text) == expected)
  }

  @Test(
    "URLs",
    arguments: [
      ("mqtt://h", "mqtt://h:1883"), ("MQTTS://Mqtt.Example.com", "mqtts://Mqtt.Example.com:8883"),
      ("mqtt://h/", "mqtt://h:1883"), ("mqtt://10.0.0.1:1", "mqtt://10.0.0.1:1"),
      ("mqtt://[2001:db8::1]:65535", "mqtt://[2001:db8::1]:65535"),
      ("mqtt://[fe80::1%eth0]", "mqtt://[fe80::1%eth0]:1883"),
      ("ws://h", "ws://h:80/mqtt"), ("wss://h/", "wss://h:443/"), ("ws://h:9001/x", "ws://h:9001/x"),
      ("unix:///run/m.sock", "unix:///run/m.sock"), ("mqtt://my_broker.local.", "mqtt://my_broker.local.:1883"),
    ])
  func urls(text: String, expected: String) throws {
    #expect(try BrokerURL(text).description == expected)
  }

  @Test("a WebSocket's query is kept and not shown")
  func query() throws {
    let url = try BrokerURL("wss://h?token=x")
    #expect(url.path == "/?token=x")
    #expect(url.description == "wss://h:443/?...")
  }

  @Test(
    "a misspelt word is near one that differs in case, in - and _, or in a letter or two",
    arguments: [
      ("keepalve", "keepalive"), ("KEEP_ALIVE", "keepalive"), ("kepealive", "keepalive"), ("qso", "qos"), ("x", nil),
      ("version2", nil), ("client-id", "client_id"), (String(repeating: "k", count: 10_000), nil),
    ] as [(String, String?)])
  func suggestions(word: String, expected: String?) {
    #expect(Suggestion(candidates: ["keepalive", "qos", "client_id"]).nearest(to: word) == expected)
  }

  @Test("what a message repeats is short and on one line")
  func quotes() {
    #expect(quoted("a\nb\u{1B}[31m\u{202E}") == "\"a\\u{a}b\\u{1b}[31m\\u{202e}\"")
    #expect(quoted(String(repeating: "x", count: 61)) == "\"" + String(repeating: "x", count: 60) + "...\"")
  }
}
