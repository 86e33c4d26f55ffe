import Glibc
import JSON
import MQTTCore
import MQTTStore
import NIOCore
import TestScene
import Testing

@testable import Fleet
@testable import LimpetInstants

@Suite("What devices were, over a restart of the watch") struct FleetHistoryTests {
  private static let start: Int64 = 1_800_000_000

  private static func time(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: (start + seconds) * 1_000_000) }

  private static func row(_ device: String, _ seconds: Int64, _ word: String, flaps: Bool = false) -> FleetHistory.Row {
    FleetHistory.Row(device: device, time: time(seconds), word: word, isFlapping: flaps)
  }

  private static func span(_ from: Int64, _ until: Int64) -> WatchedTimes.Span {
    WatchedTimes.Span(from: time(from), until: time(until))
  }

  private static func file(_ scene: Scene, size: Int64 = 1 << 30) throws -> FleetHistoryFile {
    try FleetHistoryFile(path: scene.folder + "/history.db", age: .days(30), size: size)
  }

  private static func words(_ file: FleetHistoryFile, since: Int64 = 0) throws -> [String: [String]] {
    try file.states(since: time(since)).mapValues {
      $0.map { "\($0.time.microseconds / 1_000_000 - start) \($0.word)" }
    }
  }

  @Test("a second watch has what the first one saw, and the state that a day began with; the file is its owner's alone")
  func survives() async throws {
    try await withScene { scene in
      let path = scene.folder + "/history.db"
      do {
        let history = try FleetHistory(path: path, since: Self.time(0), now: Self.time(0)) { _ in }
        #expect(history.past.isEmpty)
        history.record([Self.row("a", 1, "online"), Self.row("b", 2, "online")])
        history.record([Self.row("a", 90_000, "offline")])
        history.stop()
      }
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(FleetHistory.size == 256 << 20)
      try await eventually("the first one has let go of the file") {
        let history = try? FleetHistory(path: path, since: Self.time(86_400), now: Self.time(90_001)) { _ in }
        let past = history?.past.mapValues { $0.map(\.word) }
        history?.stop()
        return past == ["a": ["online", "offline"], "b": ["online"]] ? true : nil
      }
    }
  }

  @Test("the file tells a device that was lost from one that said offline, and has what older files had")
  func losses() async throws {
    try await withScene { scene in
      var fleet = try WatchedFleet()
      let changes =
        fleet.status("offline", of: "a", reason: "lost") + fleet.status("offline", of: "b", reason: "shutdown")
      #expect(changes.map { FleetHistory.Row($0).word } == ["lost", "offline"])
      let file = try Self.file(scene)
      try file.add([Self.row("a", 1, "offline"), Self.row("a", 2, "lost")], coalescing: .zero)
      #expect(try Self.words(file)["a"] == ["1 offline", "2 lost"])
    }
  }

  @Test("what the broker had kept is no change, and a minute of a device that flaps is one row")
  func coalesces() async throws {
    try await withScene { scene in
      let file = try Self.file(scene)
      let flapping = (1...100).map { Self.row("a", $0, $0 % 2 == 0 ? "online" : "offline", flaps: $0 > 3) }
      try file.add([Self.row("b", 0, "online"), Self.row("b", 50, "online")] + flapping, coalescing: .seconds(60))
      let words = try Self.words(file)
      #expect(words["b"] == ["0 online"])
      #expect(words["a"] == ["1 offline", "2 online", "3 online", "63 online"], "\(words)")
    }
  }

  @Test("what is older than 30 days goes, and the oldest where the file is too large; the newest of a device stays")
  func prunes() async throws {
    try await withScene { scene in
      let file = try Self.file(scene, size: 64 << 10)
      try file.add([Self.row("old", 0, "offline"), Self.row("a", 0, "online")], coalescing: .zero)
      let month: Int64 = 30 * 86_400
      try file.add((1...5000).map { Self.row("a", month + $0, $0 % 2 == 0 ? "online" : "offline") }, coalescing: .zero)
      try file.prune(at: Self.time(month + 5001))
      let words = try Self.words(file)
      #expect(words["old"] == ["0 offline"])
      #expect((words["a"]?.count ?? 0) < 4000 && words["a"]?.last == "\(month + 5000) online")
    }
  }

  /// Of the database and of the log beside it.
  private static func bytes(_ scene: Scene) -> Int64 {
    ["history.db", "history.db-wal"].reduce(0) { sum, name in
      var status = stat()
      return stat(scene.folder + "/" + name, &status) == 0 ? sum + Int64(status.st_size) : sum
    }
  }

  @Test("the file and its log are never larger than the bound, whatever is written", arguments: [1, 10_000])
  func bounded(_ devices: Int) async throws {
    try await withScene { scene in
      let size: Int64 = 1 << 20
      let file = try Self.file(scene, size: size)
      func name(_ number: Int) -> String { "board-\(number % devices)-" + String(repeating: "x", count: 70) }
      var largest: Int64 = 0
      for turn in 0..<50 {
        // Devices that are never heard of again stay no longer than there is room.
        try file.add(
          (0..<100).map { number in
            let count = turn * 100 + number
            return Self.row(name(count), Int64(count), count / devices % 2 == 0 ? "online" : "lost")
          }, coalescing: .zero)
        largest = max(largest, Self.bytes(scene))
        // Disks are waited for, and others need the thread.
        await Task.yield()
      }
      #expect(largest > size / 2 && largest <= size, "\(largest)")
      let words = try Self.words(file)
      #expect(words.values.joined().count > 1000 && words[name(4999)]?.last?.hasPrefix("4999 ") == true)
    }
  }

  @Test("a storm of devices with long names, all at one moment, and the end of all their days keep to the bound too")
  func boundedStorm() async throws {
    try await withScene { scene in
      let size: Int64 = 2 << 20
      let file = try Self.file(scene, size: size)
      // In no order, so that each row has pages of its own.
      let names = (0..<1000).map { "\($0 * 7919 % 1000)-" + String(repeating: "x", count: 240) }
      for second in 0..<6 {
        try file.add(
          names.map { Self.row($0, Int64(second), second % 2 == 0 ? "online" : "lost") }, coalescing: .zero)
        #expect(Self.bytes(scene) <= size, "second \(second)")
        await Task.yield()
      }
      #expect(Self.bytes(scene) > size / 2)
      try file.prune(at: Self.time(31 * 86_400))
      #expect(Self.bytes(scene) <= size)
      #expect(try Self.words(file) == Dictionary(uniqueKeysWithValues: names.map { ($0, ["5 lost"]) }))
    }
  }

  @Test("how a device went is known a moment later: the file has one end as the page has, unless it is of another life")
  func corrections() async throws {
    try await withScene { scene in
      var fleet = try WatchedFleet()
      var log = FleetLog(expected: [], at: Timestamp(sinceEpoch: .zero))
      let file = try Self.file(scene)
      func tell(_ changes: [FleetChange]) throws {
        let details = fleet.view.takeDetails(at: fleet.now)
        try file.add((changes + details).compactMap { log.take($0) }, coalescing: .seconds(60))
        fleet.seconds += 1
      }
      func shown(_ device: String) throws -> [String] {
        let words = try file.states(since: Self.time(-1_000_000_000))[device]?.map(\.word) ?? []
        guard case .list(let devices) = JSONValue(parsing: String(buffer: log.all).utf8)?["devices"],
          case .list(let states) = devices.first(where: { $0["device"]?.text == device })?["history"]
        else { return [] }
        let page = states.map { state -> String? in
          guard case .list(let pair) = state else { return nil }
          return pair.last?.text
        }
        #expect(page == words)
        return words
      }
      // What is retained: the presence comes after the status.
      try tell(fleet.status("offline", of: "a"))
      #expect(try shown("a") == ["lost"])
      try tell(fleet.presence("stop", of: "a", isRetained: true))
      #expect(try shown("a") == ["offline"])
      // A life of which only the end was seen.
      try tell(fleet.status("offline", of: "b", reason: "lost", epoch: 5))
      try tell(fleet.status("offline", of: "b", reason: "shutdown", epoch: 6))
      #expect(try shown("b") == ["lost", "offline"])
      try tell(fleet.status("offline", of: "b", reason: "shutdown", epoch: 6, instance: "two"))
      #expect(try shown("b") == ["lost", "offline"])
    }
  }

  @Test("a second watch knows when the first one was connected, also when that was killed")
  func watched() async throws {
    try await withScene { scene in
      let path = scene.folder + "/history.db"
      do {
        let history = try FleetHistory(path: path, since: Self.time(0), now: Self.time(0)) { _ in }
        history.keep(Self.span(10, 70))
        history.keep(Self.span(10, 130))
        history.stop()
      }
      let file = try await eventually("the first one has let go of the file") { try? Self.file(scene) }
      #expect(try file.watched(since: Self.time(0), until: Self.time(900)) == [Self.span(10, 130)])
      #expect(try file.watched(since: Self.time(131), until: Self.time(900)) == [])
      let early = try file.watched(since: Self.time(0), until: Self.time(60))
      #expect(early == [Self.span(10, 60)], "what the clock says is still to come nobody has seen")
    }
  }

  @Test("a watch that is started and ended all the time leaves a row a minute, and 30 days of them")
  func watchedBounds() async throws {
    try await withScene { scene in
      let file = try Self.file(scene)
      for start in stride(from: Int64(0), to: 600, by: 5) { try file.keep(Self.span(start, start + 3)) }
      let spans = try file.watched(since: Self.time(0), until: Self.time(900))
      #expect(spans.count == 10, "\(spans)")
      try file.keep(Self.span(600, 700))
      try file.prune(at: Self.time(30 * 86_400 + 650))
      #expect(try file.watched(since: Self.time(0), until: Self.time(900)) == [Self.span(600, 700)])
    }
  }

  @Test("a long time that begins within a minute of a short one is there too")
  func watchedSoonAfter() async throws {
    try await withScene { scene in
      let file = try Self.file(scene)
      try file.keep(Self.span(0, 20))
      for until in stride(from: Int64(25), through: 86_365, by: 60) { try file.keep(Self.span(25, until)) }
      let spans = try file.watched(since: Self.time(0), until: Self.time(100_000))
      #expect(spans == [Self.span(0, 20), Self.span(25, 86_365)])
    }
  }

  @Test("a time of which changes were lost counts as seen from the last of them on")
  func watchedAfterALoss() {
    let span = Self.span(10, 70)
    #expect(span.after(nil) == span && span.after(Self.time(9)) == span)
    #expect(span.after(Self.time(10)) == span)
    #expect(span.after(Self.time(40)) == Self.span(40, 70))
    #expect(span.after(Self.time(70)) == nil && span.after(Self.time(80)) == nil)
  }

  @Test("a file of a version that did not keep that has its states, and no time that was watched")
  func older() async throws {
    try await withScene { scene in
      do {
        let file = try Self.file(scene)
        try file.add([Self.row("a", 1, "online")], coalescing: .zero)
      }
      func change(_ statements: String...) throws {
        let database = try Database(path: scene.folder + "/history.db")
        for statement in statements { try database.run(statement) }
      }
      try change("DROP TABLE watched", "PRAGMA user_version = 1")
      do {
        let file = try Self.file(scene)
        #expect(try Self.words(file) == ["a": ["1 online"]])
        #expect(try file.watched(since: Self.time(0), until: Self.time(900)) == [])
        try file.keep(Self.span(10, 20))
      }
      try change("PRAGMA user_version = 3")
      let later = #expect(throws: StorageError.self, "one of a later version is left alone") { try Self.file(scene) }
      if case .newerSchema? = later?.kind {} else { Issue.record("\(later as Any)") }
      try change("DROP TABLE watched", "DROP TABLE change", "CREATE TABLE recipes (a)", "PRAGMA user_version = 9")
      let other = #expect(throws: StorageError.self, "it is another program's") { try Self.file(scene) }
      if case .foreign? = other?.kind {} else { Issue.record("\(other as Any)") }
    }
  }

  @Test("what is kept for so many days as were asked for")
  func days() async throws {
    try await withScene { scene in
      let path = scene.folder + "/history.db"
      let file = try FleetHistoryFile(path: path, age: .seconds(86_400), size: 1 << 30)
      let rows = [Self.row("a", 0, "online"), Self.row("a", 10, "offline"), Self.row("a", 90_000, "online")]
      try file.add(rows, coalescing: .zero)
      try file.prune(at: Self.time(90_001))
      #expect(try Self.words(file)["a"] == ["90000 online"])
    }
  }

  @Test("a file that is something else is left alone, and said")
  func foreign() async throws {
    try await withScene { scene in
      let path = try scene.write("broker: {url: mqtt://h}\n", to: "history.db")
      let error = #expect(throws: StorageError.self) { try Self.file(scene) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(path))
    }
  }

  @Test("a page shows the history of a device when that is heard of")
  func page() throws {
    var fleet = try WatchedFleet()
    var log = FleetLog(
      expected: ["a"], past: ["a": [(Timestamp(sinceEpoch: .seconds(1)), "offline")]], at: Timestamp(sinceEpoch: .zero))
    for change in fleet.status("online", of: "a") { log.take(change) }
    #expect(String(buffer: log.all).contains(#""history":[[1000,"offline"],["#))
  }

  @Test("what an earlier watch has heard of has reported, though nothing of it is retained any more")
  func heardOf() {
    var log = FleetLog(
      expected: ["a", "b"], past: ["a": [(Timestamp(sinceEpoch: .seconds(1)), "online")]],
      at: Timestamp(sinceEpoch: .zero))
    let text = String(buffer: log.all)
    #expect(text.contains(#"{"device":"a","state":"missing","cleared":true}"#))
    #expect(text.contains(#"{"device":"b","state":"missing"}"#))
    log.lives(at: Timestamp(sinceEpoch: .zero))
  }

  @Test("a page says when somebody saw it: with all there is, and with each sign of life")
  func seen() throws {
    var log = FleetLog(
      expected: [],
      watched: [WatchedTimes.Span(from: Timestamp(microseconds: 0), until: Timestamp(microseconds: 5_000_000))],
      at: Timestamp(microseconds: 0))
    log.connected("mqtt://h", at: Timestamp(microseconds: 60_000_000))
    #expect(String(buffer: log.all).contains(#""watched":[[0,5000],[60000,null]]"#))
    log.lives(at: Timestamp(microseconds: 120_000_000))
    log.lost("gone", at: Timestamp(microseconds: 130_000_000))
    #expect(String(buffer: log.beat).contains(#""watched":[[0,5000],[60000,130000]]"#))
  }
}
