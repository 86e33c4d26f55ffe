import Foundation
import MQTT
import Testing

@testable import Fleet
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import LimpetText

/// A fleet under watch, and the clock that the test moves.
struct WatchedFleet {
  private static let start = BootClock.now
  var view: FleetView
  /// Since the watching began.
  var seconds = 0.0

  init(
    status: String = WatchedTopics.standardStatus, devices: [String] = [], online: String = "online",
    offline: String = "offline", limit: Int = 1000
  ) throws {
    let topics = try WatchedTopics(
      status: status, hasPresence: status == WatchedTopics.standardStatus, devices: devices)
    view = FleetView(topics, FleetView.Payloads(online: online, offline: offline), limit: limit)
  }

  var now: FleetView.Moment {
    // 2026-11-20T12:00:00Z
    (Self.start + .seconds(seconds), Timestamp(sinceEpoch: .seconds(1_795_176_000) + .seconds(seconds)))
  }

  mutating func status(
    _ payload: String, of device: String = "a", isRetained: Bool = false, expiry: Duration? = nil,
    reason: String? = nil, epoch: UInt64? = nil, instance: String? = nil
  ) -> [FleetChange] {
    hear("limpet/\(device)/status", payload, isRetained: isRetained) {
      ($0.expiry, $0.reason, $0.epoch, $0.instance) = (expiry, reason, epoch, instance)
    }
  }

  mutating func presence(
    _ event: String, of device: String = "a", isRetained: Bool = false, reason: String = "start", epoch: Int = 1,
    instance: String = "one", conflict: String = "null", name: String = "null"
  ) -> [FleetChange] {
    let json = """
      {"event":"\(event)","reason":"\(reason)","epoch":\(epoch),"instance":"\(instance)",\
      "since":"2026-11-20T10:00:00.500Z","version":"0.1.0","session_present":true,"detect_within":51,\
      "conflict":\(conflict),"name":\(name)}
      """
    return hear("limpet/\(device)/presence", json, isRetained: isRetained)
  }

  mutating func hear(
    _ topic: String, _ payload: String, isRetained: Bool = false,
    _ change: (inout FleetView.Report) -> Void = { _ in }
  ) -> [FleetChange] {
    var report = FleetView.Report(topic: topic, payload: Array(payload.utf8), isRetained: isRetained)
    change(&report)
    return view.receive(report, at: now)
  }

  mutating func settle() -> [FleetChange] { view.settle(at: now) }

  mutating func pass(_ more: Double) -> [FleetChange] {
    seconds += more
    return view.tick(at: now)
  }

  func device(_ name: String = "a") throws -> WatchedDevice { try #require(view.devices[name]) }
}

@Suite("A fleet as its topics show it")
struct FleetViewTests {
  @Test("what the broker kept is told once it is all there, status and presence together")
  func retained() throws {
    var fleet = try WatchedFleet()
    #expect(fleet.presence("birth", isRetained: true).isEmpty)
    #expect(fleet.status("online", isRetained: true).isEmpty)
    #expect(fleet.status("offline", of: "b", isRetained: true).isEmpty)
    #expect(fleet.presence("birth", of: "b", isRetained: true).isEmpty)
    let told = fleet.settle()
    #expect(told.map(\.device.name) == ["a", "b"])
    #expect(told.allSatisfy { $0.isInitial && $0.previous == nil })
    #expect(told[0].device.reason == "start")
    #expect(told[0].device.since?.description == "2026-11-20T10:00:00.500Z")
    #expect(told[1].device.ending == .lost, "presence still tells of the birth: the will said offline")
    #expect(told[1].device.since == nil, "nobody knows when")
    #expect(fleet.settle().isEmpty)
  }

  @Test("news of a device that was not told of yet: first what was kept, then the news")
  func newsWhileCollecting() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("offline", isRetained: true)
    let told = fleet.status("online")
    #expect(told.map(\.device.state) == [.offline, .online])
    #expect(told.map(\.isInitial) == [true, false])
    #expect(fleet.settle().isEmpty)
    let new = fleet.status("online", of: "new")
    #expect(new.map(\.device.name) == ["new"])
    #expect(new.first?.previous == nil && new.first?.isInitial == false)
  }

  @Test("on 3.1.1 a clean stop and a loss are told apart by presence", arguments: [true, false])
  func endings311(isClean: Bool) throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online")
    _ = fleet.presence("birth")
    #expect(try fleet.device().reason == "start")
    if isClean { #expect(fleet.presence("stop", reason: "shutdown").isEmpty) }
    fleet.seconds = 5
    let told = fleet.status("offline")
    #expect(told.count == 1)
    #expect(told.first?.previous == .online)
    #expect(told.first?.device.ending == (isClean ? .clean : .lost))
    #expect(told.first?.device.reason == (isClean ? "shutdown" : "lost"))
    #expect(
      told.first?.device.since?.description
        == (isClean ? "2026-11-20T10:00:00.500Z" : "2026-11-20T12:00:05.000Z"))
  }

  @Test("on 5 the status says so itself, and a presence of another connection does not count")
  func endings5() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online", reason: "start", epoch: 1, instance: "one")
    _ = fleet.presence("birth")
    _ = fleet.presence("stop", reason: "shutdown")
    let clean = fleet.status("offline", reason: "shutdown", epoch: 1, instance: "one")
    #expect(clean.first?.device.ending == .clean)
    // The next process: its presence is still under way.
    let birth = fleet.status("online", reason: "recovered", epoch: 2, instance: "two")
    #expect(birth.first?.device.reason == "recovered")
    #expect(birth.first?.device.since == fleet.now.time)
    #expect(fleet.presence("birth", reason: "recovered", epoch: 2, instance: "two").isEmpty)
    let lost = fleet.status("offline", reason: "lost", epoch: 2, instance: "two")
    #expect(lost.first?.device.ending == .lost)
  }

  @Test("on 3.1.1 a device that comes back after a loss is told once, with nothing of its past")
  func comesBack311() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online")
    _ = fleet.presence("birth", instance: "one")
    _ = fleet.status("offline")
    let told = fleet.status("online")
    #expect(told.count == 1)
    #expect(told.first?.device.instance == nil && told.first?.device.since == fleet.now.time)
    #expect(fleet.presence("birth", reason: "recovered", epoch: 2, instance: "two").isEmpty)
    #expect(try fleet.device().reason == "recovered")
  }

  @Test("a lease that is told again and a reconnection are no change; a new process without an offline is one")
  func repetitions() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online", epoch: 1, instance: "one")
    #expect(fleet.status("online", epoch: 1, instance: "one").isEmpty)
    #expect(fleet.status("online", epoch: 2, instance: "one").isEmpty)
    let told = fleet.status("online", epoch: 3, instance: "two")
    #expect(told.first?.previous == .online && told.first?.device.instance == "two")
  }

  @Test("an online that expires is expired, which is lost, exactly when it does")
  func expiry() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online", of: "a", isRetained: true, expiry: .seconds(10))
    _ = fleet.status("online", of: "b", expiry: .seconds(20))
    _ = fleet.settle()
    #expect(fleet.view.deadline == fleet.now.instant + .seconds(10))
    #expect(fleet.pass(9.9).isEmpty)
    let told = fleet.pass(0.1)
    #expect(told.map(\.device.name) == ["a"])
    #expect(told.first?.previous == .online)
    #expect(told.first?.device.state == .expired && told.first?.device.ending == .lost)
    #expect(told.first?.device.since == fleet.now.time)
    #expect(fleet.view.onlineCount == 1)
    _ = fleet.status("online", of: "b", expiry: .seconds(20))
    #expect(fleet.pass(19).isEmpty, "told again before its time")
    #expect(fleet.pass(1).map(\.device.name) == ["b"])
    #expect(fleet.view.deadline == nil)
    #expect(fleet.status("online", of: "b", expiry: .seconds(20)).first?.previous == .expired)
    _ = fleet.status("offline", of: "b")
    #expect(fleet.pass(100).isEmpty, "offline does not expire")
  }

  @Test("a fleet that is lost as a whole is not looked through for each device")
  func expiryOfMany() throws {
    var fleet = try WatchedFleet()
    for number in 0..<200 { _ = fleet.status("online", of: "\(number)", expiry: .milliseconds(10_000 + number)) }
    let start = fleet.now.instant
    var (looks, told) = (0, 0)
    while let deadline = fleet.view.deadline {
      fleet.seconds = start.duration(to: deadline) / .seconds(1)
      told += fleet.pass(0.000_001).count
      looks += 1
    }
    #expect(told == 200)
    #expect(looks <= 4)
    #expect(fleet.seconds < 10.4)
  }

  @Test("more than 3 changes in 10 minutes are flapping, until 10 minutes have less of them")
  func flapping() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online", isRetained: true)
    _ = fleet.settle()
    var flags: [Bool] = []
    for payload in ["offline", "online", "offline", "online"] {
      fleet.seconds += 60
      flags += fleet.status(payload).map(\.isFlapping)
    }
    #expect(flags == [false, false, false, true])
    // The first of the four was at 60 s.
    fleet.seconds = 660
    #expect(try fleet.device().isFlapping(at: fleet.now.instant))
    fleet.seconds = 660.1
    #expect(try !fleet.device().isFlapping(at: fleet.now.instant))
    #expect(fleet.status("offline").first?.isFlapping == true, "four since 120 s")
    fleet.seconds = 1300
    #expect(fleet.status("online").first?.isFlapping == false)
  }

  @Test("that flapping has ended, and what presence says after status, is there to see without a change")
  func details() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online", isRetained: true)
    _ = fleet.settle()
    #expect(fleet.view.takeDetails(at: fleet.now).isEmpty)
    #expect(fleet.presence("birth", reason: "boot").isEmpty)
    #expect(fleet.view.takeDetails(at: fleet.now).map(\.device.reason) == ["boot"])
    for payload in ["offline", "online", "offline", "online"] { _ = fleet.status(payload) }
    fleet.seconds = 599
    #expect(fleet.view.tick(at: fleet.now).isEmpty)
    _ = fleet.view.takeDetails(at: fleet.now)
    let deadline = try #require(fleet.view.deadline)
    fleet.seconds = 600.2
    #expect(deadline <= fleet.now.instant)
    #expect(fleet.view.tick(at: fleet.now).isEmpty)
    #expect(fleet.view.takeDetails(at: fleet.now).map(\.isFlapping) == [false])
    #expect(fleet.view.deadline == nil)
  }

  @Test("a conflict is told when presence names it and when it is over, and is no change of state")
  func conflict() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online")
    _ = fleet.presence("birth")
    let told = fleet.presence("birth", conflict: "\"a twin at 10.0.0.7\"")
    #expect(told.map(\.device.conflict) == ["a twin at 10.0.0.7"])
    #expect(told.first?.previous == .online)
    #expect(fleet.presence("birth", conflict: "\"a twin at 10.0.0.7\"").isEmpty)
    #expect(fleet.presence("birth", conflict: "{\"instance\":\"x\"}").first?.device.conflict == "{\"instance\":\"x\"}")
    #expect(fleet.presence("birth").map(\.device.conflict) == [nil])
  }

  @Test("other agents: any topic, any pair of payloads, and what is neither")
  func otherAgents() throws {
    var fleet = try WatchedFleet(status: "tele/+/LWT", online: "Online", offline: "")
    _ = fleet.hear("tele/plug/LWT", "Online", isRetained: true)
    #expect(fleet.settle().map(\.device.state) == [.online])
    #expect(fleet.hear("tele/plug/LWT", "").map(\.device.state) == [.offline])
    #expect(fleet.hear("tele/plug/LWT", "up\u{1B}[2J\n").map(\.device.state) == [.other("up\u{1B}[2J\n")])
    #expect(fleet.hear("tele/plug/STATE", "Online").isEmpty)
    #expect(fleet.hear("tele/x/y/LWT", "Online").isEmpty)
  }

  @Test("a status that is taken away is told, and takes the device with it, unless it was named")
  func removal() throws {
    var fleet = try WatchedFleet()
    _ = fleet.status("online")
    _ = fleet.presence("birth")
    #expect(fleet.status("").map(\.device.state) == [.unknown])
    #expect(fleet.view.devices.isEmpty)

    var named = try WatchedFleet(devices: ["a", "b"])
    _ = named.status("online", isRetained: true)
    #expect(named.settle().map(\.device.state) == [.online, .unknown])
    #expect(named.status("").map(\.device.state) == [.unknown])
    #expect(Set(named.view.devices.keys) == ["a", "b"])
  }

  @Test("after a reconnection a status that the broker does not keep any more is unknown, all others stay as they are")
  func vanished() throws {
    var fleet = try WatchedFleet(devices: ["a", "b", "c", "d", "e"])
    fleet.view.connected()
    for device in ["a", "b", "e"] { _ = fleet.status("online", of: device, isRetained: true) }
    _ = fleet.status("offline", of: "c", isRetained: true)
    _ = fleet.presence("birth", of: "a", isRetained: true)
    _ = fleet.status("online", of: "d", isRetained: true, expiry: .seconds(5))
    _ = fleet.settle()
    #expect(fleet.pass(6).map(\.device.state) == [.expired])

    fleet.view.connected()
    #expect(fleet.status("online", of: "b", isRetained: true).isEmpty)
    #expect(fleet.status("offline", of: "e").map(\.device.state) == [.offline], "live news is as good")
    let told = fleet.settle()
    #expect(told.map(\.device.name) == ["a", "c"])
    #expect(told.map(\.device.state) == [.unknown, .unknown])
    #expect(told.map(\.previous) == [.online, .offline])
    #expect(told.allSatisfy { !$0.isInitial })
    #expect(try fleet.device("b").state == .online)
    #expect(try fleet.device("d").state == .expired, "that it was lost is known")
    #expect(fleet.settle().isEmpty)
  }

  @Test("a device without a name of its own in the filter is gone with its status, also when it was never told of")
  func vanishedUnnamed() throws {
    var fleet = try WatchedFleet()
    fleet.view.connected()
    _ = fleet.status("online", isRetained: true)
    fleet.view.connected()
    #expect(fleet.settle().isEmpty)
    #expect(fleet.view.devices.isEmpty)
    _ = fleet.status("online", isRetained: true)
    #expect(fleet.settle().map(\.device.state) == [.online])
    // The connection is lost again before all was there.
    fleet.view.connected()
    fleet.view.connected()
    #expect(fleet.settle().map(\.device.state) == [.unknown])
    #expect(fleet.view.devices.isEmpty)
  }

  @Test("nothing from the network is kept without a bound")
  func bounds() throws {
    var fleet = try WatchedFleet()
    #expect(fleet.status("online", of: String(repeating: "n", count: 257)).isEmpty)
    #expect(fleet.view.ignored == 1)
    for number in 0..<1000 {
      _ = fleet.view.receive(
        FleetView.Report(topic: "limpet/\(number)/status", payload: [0x78]), at: fleet.now)
    }
    #expect(fleet.status("online", of: "one more").isEmpty)
    #expect(fleet.view.devices.count == 1000)
    #expect(fleet.view.ignored == 2)
    #expect(fleet.status("online", of: "77").count == 1, "those that are known go on")
    _ = fleet.status(String(repeating: "x", count: 4000), of: "78")
    guard case .other(let text) = try fleet.device("78").state else { return #expect(Bool(false)) }
    #expect(text.count == 4000, "as it came, up to a limit")
    let long = "{\"event\":\"birth\",\"reason\":\"\(String(repeating: "r", count: 5000))\"}"
    _ = fleet.status("online", of: "79")
    _ = fleet.hear("limpet/79/presence", long)
    #expect(try fleet.device("79").reason == nil)
  }

  @Test(
    "topics: where the device is",
    arguments: [
      ("limpet/+/status", "limpet/a b/status", "a b"), ("+/status", "a/status", "a"),
      ("site/+/dev/+/lwt", "site/x/dev/y/lwt", "x/y"), ("plant/lwt", "plant/lwt", "plant/lwt"),
    ])
  func places(_ filter: String, _ topic: String, _ device: String) throws {
    let topics = try WatchedTopics(status: filter, hasPresence: false)
    #expect(topics.device(of: topic)?.name == device)
    #expect(topics.device(of: topic + "/more") == nil)
  }

  @Test("topics: devices by name are exact, and what cannot be one is said")
  func names() throws {
    let topics = try WatchedTopics(status: "limpet/+/status", hasPresence: true, devices: ["a", "b"])
    #expect(
      topics.filters.map(\.description) == [
        "limpet/a/status", "limpet/b/status", "limpet/a/presence", "limpet/b/presence",
      ])
    for (filter, devices) in [
      ("limpet/#", []), ("$share/g/limpet/+/status", []), ("a/b+/c", []), ("", []), ("a/b", ["x"]), ("+/+", ["x"]),
      ("+/s", ["a/b"]), ("+/s", ["+"]), ("+/s", [""]),
    ] {
      #expect(throws: ArgumentError.self, "\(filter) \(devices)") {
        try WatchedTopics(status: filter, hasPresence: false, devices: devices)
      }
    }
  }
}
