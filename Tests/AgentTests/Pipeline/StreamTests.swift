import MQTT
import NIOCore
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTTCore
@testable import Measuring
@testable import Readings

struct StreamTests {
  private static let base = BootClock.now
  private static let synchronized = WallClock(
    instant: base, sinceEpoch: .seconds(1_795_176_000) + .milliseconds(123), isSynchronized: true)
  private static let unsynchronized = WallClock(instant: base, sinceEpoch: .seconds(20), isSynchronized: false)

  private func stream(
    _ format: PayloadFormat, qos: QoS = .atLeastOnce, isRetained: Bool = false
  ) throws -> Stream {
    Stream(
      name: "cpu_temperature", topic: TopicName("limpet/d1/cpu_temperature"), qos: qos, isRetained: isRetained,
      format: format)
  }

  private func reading(
    _ content: Reading.Content, unit: String? = "°C", at distance: Duration = .zero, sequence: UInt64 = 1042,
    restarted: Bool = false
  ) -> Reading {
    Reading(
      stream: 0, content: content, unit: unit, time: Self.base + distance, sequence: sequence, restarted: restarted)
  }

  private func json(_ reading: Reading, _ clock: WallClock = synchronized) throws -> String {
    String(buffer: try stream(.json).message(reading, clock, .v5).payload)
  }

  // MARK: json

  @Test("a good reading is time, value, unit and seq, in this order")
  func good() throws {
    #expect(
      try json(reading(.good(.number(21.5))))
        == #"{"time":"2026-11-20T12:00:00.123Z","value":21.5,"unit":"°C","seq":1042}"#)
  }

  @Test("a reading without a unit has no unit field")
  func noUnit() throws {
    #expect(
      try json(reading(.good(.integer(3)), unit: nil))
        == #"{"time":"2026-11-20T12:00:00.123Z","value":3,"seq":1042}"#)
  }

  @Test("a bad reading has the value null, its quality and the error, between value and seq")
  func bad() throws {
    #expect(
      try json(reading(.bad("/sys/x: no such file"), unit: nil))
        == #"{"time":"2026-11-20T12:00:00.123Z","value":null,"quality":"bad","error":"/sys/x: no such file","seq":1042}"#
    )
  }

  @Test("a bad reading keeps the unit that is configured")
  func badWithUnit() throws {
    let object = try JSONText(Array(try json(reading(.bad("hangs"))).utf8))
    #expect(object.names == ["time", "value", "unit", "quality", "error", "seq"])
  }

  @Test("the first reading after an unclean stop says restarted, the others do not")
  func restarted() throws {
    #expect(
      try json(reading(.good(.number(21.5)), restarted: true))
        == #"{"time":"2026-11-20T12:00:00.123Z","value":21.5,"unit":"°C","seq":1042,"restarted":true}"#)
  }

  @Test("a reading that is sent before the clock is synchronised says so")
  func uncertain() throws {
    #expect(
      try json(reading(.good(.flag(true)), unit: nil, restarted: true), Self.unsynchronized)
        == #"{"time":"1970-01-01T00:00:20.000Z","value":true,"seq":1042,"restarted":true,"time_uncertain":true}"#)
  }

  @Test("time is when it was measured, however late it is sent")
  func measured() throws {
    let object = try JSONText(Array(try json(reading(.good(.integer(1)), at: .seconds(-3600))).utf8))
    #expect(object["time"] == .text("2026-11-20T11:00:00.123Z"))
  }

  @Test("text from a sensor cannot break out of its field")
  func hostileText() throws {
    let hostile = "\",\"seq\":0}\n\\"
    for content in [Reading.Content.good(.text(hostile)), .bad(hostile)] {
      let object = try JSONText(Array(try json(reading(content, unit: hostile)).utf8))
      #expect(object["seq"] == .number("1042"))
      #expect(object["unit"] == .text(hostile))
      #expect(object[content == .bad(hostile) ? "error" : "value"] == .text(hostile))
    }
  }

  @Test(
    "edges, totals and gaps have fields of their own",
    arguments: [
      (.edge(Reading.Edge(isRising: true, isSuspect: false)), #""value":true,"edge":"rising","seq":1042}"#),
      (
        .edge(Reading.Edge(isRising: false, isSuspect: true)),
        #""value":false,"edge":"falling","suspect":true,"seq":1042}"#
      ),
      (
        .total(Reading.Total(value: 12.5, rate: 0.25, generation: 4_000_000_000)),
        #""value":12.5,"rate":0.25,"generation":4000000000,"seq":1042}"#
      ), (.gap(lost: 17), #""value":null,"quality":"gap","lost":17,"seq":1042}"#),
    ] as [(Reading.Content, String)])
  func fields(content: Reading.Content, text: String) throws {
    #expect(try json(reading(content, unit: nil)) == #"{"time":"2026-11-20T12:00:00.123Z","# + text)
  }

  @Test("a value in doubt has its quality and the reason behind its unit")
  func doubtful() throws {
    let doubt = Doubt(.uncertain, "85 °C twice")
    #expect(
      try json(reading(.doubtful(.number(85), doubt)))
        == #"{"time":"2026-11-20T12:00:00.123Z","value":85,"unit":"°C","quality":"uncertain","error":"85 °C twice","seq":1042}"#
    )
    #expect(
      try userProperties(reading(.doubtful(.number(85), doubt)), .v5).dropFirst(2)
        == ["seq=1042", "quality=uncertain", "error=85 °C twice"])
    #expect(
      String(buffer: try stream(.plain).message(reading(.doubtful(.number(85), doubt)), Self.synchronized, .v5).payload)
        == "85")
  }

  @Test("several channels are one object of values and one of units")
  func channels() throws {
    let channels = Value.channels([
      ChannelValue("temp1", .number(21.5), unit: "°C"), ChannelValue("status", .text("a\"b")),
      ChannelValue("humidity1", nil, unit: "%RH"),
    ])
    #expect(
      try json(reading(.good(channels), unit: nil))
        == #"{"time":"2026-11-20T12:00:00.123Z","values":{"temp1":21.5,"status":"a\"b","humidity1":null},"#
        + #""units":{"temp1":"°C","humidity1":"%RH"},"seq":1042}"#)
    #expect(
      try json(reading(.doubtful(channels, Doubt(.bad, "humidity1: gone")), unit: nil)).hasSuffix(
        #""humidity1":"%RH"},"quality":"bad","error":"humidity1: gone","seq":1042}"#))
    #expect(
      try userProperties(reading(.good(channels), unit: nil), .v5).dropFirst().first
        == #"units={"temp1":"°C","humidity1":"%RH"}"#)
    let plain = try stream(.plain).message(reading(.good(channels), unit: nil), Self.synchronized, .v5)
    #expect(String(buffer: plain.payload) == #"{"temp1":21.5,"status":"a\"b","humidity1":null}"#)
  }

  @Test("a total's unit stands between its rate and its generation")
  func totalUnit() throws {
    let total = reading(.total(Reading.Total(value: 1, rate: 0, generation: 7)), unit: "L")
    #expect(try json(total).contains(#""value":1,"rate":0,"unit":"L","generation":7,"seq""#))
  }

  @Test("times of edges have six decimals")
  func microseconds() throws {
    var stream = try stream(.json)
    stream.timePrecision = .microseconds
    let edge = reading(.edge(Reading.Edge(isRising: true, isSuspect: false)), at: .microseconds(-122_001))
    let payload = String(buffer: stream.message(edge, Self.synchronized, .v5).payload)
    #expect(payload.hasPrefix(#"{"time":"2026-11-20T12:00:00.000999Z","#))
  }

  @Test("json carries no properties, on either version", arguments: ProtocolVersion.allCases)
  func jsonProperties(version: ProtocolVersion) throws {
    let message = try stream(.json).message(reading(.good(.integer(1))), Self.synchronized, version)
    #expect(message.properties.isEmpty)
  }

  // MARK: plain

  @Test(
    "a plain payload is the value alone",
    arguments: [
      (.number(21.5), "21.5"), (.number(3), "3"), (.number(-0.0), "0"), (.integer(-40), "-40"),
      (.integer(9_007_199_254_740_993), "9007199254740993"), (.flag(true), "true"), (.flag(false), "false"),
      (.text("Charging \"fast\""), "Charging \"fast\""),
    ] as [(Value, String)])
  func plain(value: Value, text: String) throws {
    for version in ProtocolVersion.allCases {
      let message = try stream(.plain).message(reading(.good(value)), Self.synchronized, version)
      #expect(String(buffer: message.payload) == text)
    }
  }

  private func userProperties(
    _ reading: Reading, _ version: ProtocolVersion, _ clock: WallClock = synchronized
  ) throws -> [String] {
    let message = try stream(.plain).message(reading, clock, version)
    #expect(message.properties.all.count == message.properties.userProperties.count)
    return message.properties.userProperties.map { "\($0.name)=\($0.value)" }
  }

  @Test("on MQTT 5 the rest of a plain reading is in user properties")
  func plainProperties() throws {
    #expect(
      try userProperties(reading(.good(.number(21.5))), .v5)
        == ["time=2026-11-20T12:00:00.123Z", "unit=°C", "seq=1042", "quality=good"])
    #expect(
      try userProperties(reading(.good(.integer(3)), unit: nil), .v5)
        == ["time=2026-11-20T12:00:00.123Z", "seq=1042", "quality=good"])
  }

  @Test("a plain reading says restarted and time_uncertain too, under the names that JSON has")
  func plainMarks() throws {
    #expect(
      try userProperties(reading(.good(.number(21.5)), unit: nil, restarted: true), .v5)
        == ["time=2026-11-20T12:00:00.123Z", "seq=1042", "quality=good", "restarted=true"])
    #expect(
      try userProperties(reading(.good(.number(21.5)), unit: nil), .v5, Self.unsynchronized)
        == ["time=1970-01-01T00:00:20.000Z", "seq=1042", "quality=good", "time_uncertain=true"])
    #expect(
      try userProperties(reading(.bad("hangs"), unit: nil, restarted: true), .v5, Self.unsynchronized).suffix(2)
        == ["restarted=true", "time_uncertain=true"])
  }

  @Test("a plain reading that failed is empty, and MQTT 5 says why")
  func plainBad() throws {
    let failed = reading(.bad("hangs"), unit: nil)
    #expect(
      try userProperties(failed, .v5)
        == ["time=2026-11-20T12:00:00.123Z", "seq=1042", "quality=bad", "error=hangs"])
    for version in ProtocolVersion.allCases {
      #expect(try stream(.plain).message(failed, Self.synchronized, version).payload.readableBytes == 0)
    }
  }

  @Test("plain levels have the texts they are given; what an edge or a total has besides is in user properties")
  func plainLevels() throws {
    var stream = try stream(.plain)
    stream.levels = LevelTexts(on: "open", off: "shut")
    func payload(_ content: Reading.Content) -> String {
      String(buffer: stream.message(reading(content), Self.synchronized, .v5).payload)
    }
    #expect(payload(.good(.flag(true))) == "open")
    #expect(payload(.edge(Reading.Edge(isRising: false, isSuspect: false))) == "shut")
    #expect(payload(.total(Reading.Total(value: 12.5, rate: 1, generation: 1))) == "12.5")
    #expect(payload(.gap(lost: 3)).isEmpty)
    #expect(
      try userProperties(reading(.edge(Reading.Edge(isRising: true, isSuspect: true)), unit: nil), .v5).dropFirst(2)
        == ["quality=good", "edge=rising", "suspect=true"])
    #expect(
      try userProperties(reading(.total(Reading.Total(value: 1, rate: 0.5, generation: 9)), unit: nil), .v5)
        .dropFirst(2) == ["quality=good", "rate=0.5", "generation=9"])
    #expect(try userProperties(reading(.gap(lost: 3), unit: nil), .v5).dropFirst(2) == ["quality=gap", "lost=3"])
  }

  @Test("a gap does not take the place of the value that the broker keeps")
  func gapIsNotRetained() throws {
    for format in PayloadFormat.allCases {
      let stream = try stream(format, isRetained: true)
      #expect(!stream.message(reading(.gap(lost: 1)), Self.synchronized, .v5).retain)
      #expect(stream.message(reading(.bad("gone")), Self.synchronized, .v5).retain)
    }
  }

  @Test("3.1.1 has no properties")
  func plainOn311() throws {
    #expect(try userProperties(reading(.good(.number(21.5))), .v311) == [])
    #expect(try userProperties(reading(.bad("hangs")), .v311) == [])
  }

  // MARK: Where it goes

  @Test("a message goes to the stream's topic, with its quality of service and retain flag", arguments: QoS.allCases)
  func delivery(qos: QoS) throws {
    for isRetained in [false, true] {
      for format in PayloadFormat.allCases {
        let stream = try stream(format, qos: qos, isRetained: isRetained)
        let message = stream.message(reading(.good(.flag(true))), Self.synchronized, .v5)
        #expect(message.topic.description == "limpet/d1/cpu_temperature")
        #expect(message.qos == qos)
        #expect(message.retain == isRetained)
      }
    }
  }
}
