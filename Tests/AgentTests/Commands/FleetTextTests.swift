import Foundation
import MQTT
import Testing

@testable import Fleet
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import LimpetText

@Suite("How watching shows a change")
struct FleetTextTests {
  @Test("as a line, as JSON, as variables")
  func shapes() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online", epoch: 7, instance: "one")
    fleet.seconds = 1
    let change = try #require(fleet.status("offline", reason: "lost", epoch: 7, instance: "one").first)
    #expect(
      change.line
        == "2026-11-20T12:00:01.000Z a offline (lost), since 2026-11-20T12:00:01.000Z, was online")
    #expect(
      String(buffer: change.json)
        == """
        {"time":"2026-11-20T12:00:01.000Z","device":"a","state":"offline","previous":"online",\
        "since":"2026-11-20T12:00:01.000Z","reason":"lost","ended":"lost","flapping":false,"conflict":null,"epoch":7,\
        "instance":"one","name":null,"retained":false}
        """)
    let variables = Dictionary(uniqueKeysWithValues: change.variables.map { ($0.name, $0.value) })
    #expect(variables["LIMPET_DEVICE"] == "a" && variables["LIMPET_STATE"] == "offline")
    #expect(variables["LIMPET_PREVIOUS"] == "online" && variables["LIMPET_ENDED"] == "lost")
    let odd = try #require(fleet.status("a\u{7}\"b", of: "d\u{1B}").first)
    #expect(odd.line.hasPrefix("2026-11-20T12:00:01.000Z d\\u{1b} \"a\\u{7}\"b\""))
    #expect(odd.variables.allSatisfy { !$0.value.unicodeScalars.contains { $0.value < 0x20 } })
    #expect(try JSONText(odd.json)["device"] == .text("d\u{1B}"))
    #expect(try JSONText(odd.json)["payload"] == .text("a\u{7}\"b"), "as it came")
  }

  @Test("JSON has what a device says as it came, and says where it is cut; lines and variables escape it (U9)")
  func lossless() throws {
    var fleet = try WatchedFleet()
    let reason = "x\u{1B}[2J\u{202E}" + String(repeating: "y", count: 100)
    let change = try #require(fleet.status("online", of: "a", reason: reason, epoch: 1, instance: "i\u{7}").first)
    #expect(try JSONText(change.json)["reason"] == .text(reason))
    #expect(try JSONText(change.json)["instance"] == .text("i\u{7}"))
    #expect(change.line.contains("reason x\\u{1b}[2J\\u{202e}yyy"), "\(change.line)")
    #expect(change.variables.allSatisfy { !$0.value.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E } })
    let long = try #require(fleet.status(String(repeating: "z", count: 3000), of: "b").first)
    #expect(try JSONText(long.json)["payload"] == .text(String(repeating: "z", count: 3000)))
    #expect(try JSONText(long.json)["payload_cut"] == nil)
    let longer = try #require(fleet.status(String(repeating: "z", count: 5000), of: "c").first)
    #expect(try JSONText(longer.json)["payload_cut"] == .flag(true))
  }

  @Test("a remark has a line of the table, and no control characters; without one there is no such line")
  func remark() throws {
    var fleet = try WatchedFleet()
    for number in 0..<30 { _ = fleet.status("online", of: "d\(number)") }
    var controls = WatchControls()
    let table = FleetTable(columns: 60, rows: 10, hasColours: false)
    let plain = table.lines(of: fleet.view, &controls, connection: "here", at: fleet.now)
    let lines = table.lines(of: fleet.view, &controls, connection: "here", remark: "the page is \u{1B}x", at: fleet.now)
    #expect(lines.count == 10 && plain.count == 10)
    #expect(lines[1] == "the page is \\u{1b}x" && lines[2].hasPrefix("DEVICE") && plain[1].hasPrefix("DEVICE"))
  }

  @Test("a long title is cut, and its id is not; wide letters keep the columns; a narrow screen shows states")
  func narrow() throws {
    var fleet = try WatchedFleet()
    for (id, title) in [
      ("7hqKd0mZ2vX9rT4bLw8s12", "Kitchen on the left, behind the board"), ("edge-1", "屋上の気象台"), ("edge-2", "Well"),
    ] {
      _ = fleet.status("online", of: id, reason: "start", epoch: 1, instance: "one")
      _ = fleet.presence("birth", of: id, name: "\"\(title)\"")
    }
    var controls = WatchControls()
    func lines(_ columns: Int) -> [String] {
      FleetTable(columns: columns, rows: 24, hasColours: false).lines(
        of: fleet.view, &controls, connection: "mqtt://here:1883", at: fleet.now)
    }
    let wide = lines(80)
    #expect(wide[2].hasPrefix("Kitchen on the… (7hqKd0mZ2vX9rT4bLw8s12)  online  "), "\(wide)")
    #expect(wide[3].hasPrefix("屋上の気象台 (edge-1)") && wide[4].hasPrefix("Well (edge-2)"))
    let places = wide[2...4].map { line in
      line.ranges(of: "online").first.map { String(line[..<$0.lowerBound]).columns }
    }
    #expect(Set(places) == [42], "\(places)")
    let narrow = lines(38)
    #expect(narrow[0] == "3 online  mqtt://here:1883")
    #expect(narrow[1].contains("STATE") && narrow[2...4].allSatisfy { $0.contains("online") }, "\(narrow)")
    #expect(narrow[2].hasPrefix("Kitchen on") && narrow[4].hasPrefix("Well (edge-2)"))
    #expect(narrow.allSatisfy { $0.columns <= 38 })
  }

  @Test("the table: offline first, then expired, others, online; by name; no wider and no longer than the screen")
  func table() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online", of: "zoo", reason: "start")
    _ = fleet.status("online", of: "ant")
    _ = fleet.status("offline", of: "yak", reason: "lost")
    _ = fleet.status("what", of: "bee")
    _ = fleet.status("online", of: "cat", expiry: .seconds(60))
    _ = fleet.pass(60)
    fleet.seconds = 3 * 3600
    var controls = WatchControls()
    var table = FleetTable(columns: 80, rows: 24, hasColours: false)
    var lines = table.lines(of: fleet.view, &controls, connection: "mqtt://here:1883", at: fleet.now)
    #expect(lines[0] == "limpet watch: mqtt://here:1883  1 offline, 1 expired, 1 other, 2 online")
    #expect(lines[1].split(separator: " ") == ["DEVICE", "STATE", "FOR", "REASON", "NOTES"])
    #expect(lines[2...6].map { $0.prefix(3) } == ["yak", "cat", "bee", "ant", "zoo"])
    #expect(lines[2] == "yak     offline  3 h  lost")
    #expect(lines[3] == "cat     expired  3 h  expired  lost")
    #expect(lines.last?.hasPrefix("q quits  / filter") == true)
    table = FleetTable(columns: 12, rows: 6, hasColours: false)
    lines = table.lines(of: fleet.view, &controls, connection: "mqtt://here:1883", at: fleet.now)
    #expect(lines.count == 6)
    // The selected one is shown the other way round, which takes no column.
    let marks = ["\u{1B}[7m", "\u{1B}[m"]
    #expect(lines.allSatisfy { marks.reduce($0) { $0.replacingOccurrences(of: $1, with: "") }.count <= 12 })
    #expect(lines[4] == "... 1 to 2 o")
    for rows in 1...4 {
      table.rows = rows
      #expect(table.lines(of: fleet.view, &controls, connection: "", at: fleet.now).count <= max(rows, 1))
    }
    table = FleetTable(columns: 80, rows: 24)
    #expect(table.lines(of: fleet.view, &controls, connection: "", at: fleet.now)[2].hasPrefix("\u{1B}[31myak"))
  }
}

@Suite("What a presence message says")
struct PresenceReportTests {
  @Test("times of RFC 3339 in UTC, and nothing else")
  func times() {
    for text in [
      "1970-01-01T00:00:00.000Z", "2026-11-20T12:00:00.123Z", "2024-02-29T23:59:59.999Z", "2100-03-01T00:00:00.000Z",
      "2000-12-31T00:00:00.500Z",
    ] {
      #expect(Timestamp(text)?.description == text)
    }
    #expect(Timestamp("2026-11-20T12:00:00Z")?.description == "2026-11-20T12:00:00.000Z")
    #expect(Timestamp("2026-11-20T12:00:00.123456789Z")?.microseconds == 1_795_176_000_123_456)
    for text in [
      "", "now", "2026-11-20", "2026-11-20T12:00:00+01:00", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z",
      "2026-11-20T24:00:00Z", "2026-11-20T12:00:00.Z", "2026-11-20T12:00:00,1Z", "2026-11-2xT12:00:00Z",
      "2026-11-20T12:00:00.12x4567Z",
    ] {
      #expect(Timestamp(text) == nil, "\(text)")
    }
  }
}
