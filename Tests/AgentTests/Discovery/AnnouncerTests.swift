import NIOCore
import Testing

import enum TestScene.HomeAssistantSchema

@testable import Discovery
@testable import Planning
@testable import Records

struct AnnouncerTests {
  private static let short = "device: {id: d}\nbroker: {url: mqtt://h}\n"
  private static let load = "  - {name: load, type: system, value: load1}\n"
  private static let cpu = "  - {name: cpu, type: thermal, zone: z}\n"

  private func device(_ sensors: String, _ more: String = "homeassistant: {enabled: true}\n") throws
    -> HomeAssistantDevice
  {
    try HomeAssistantDevice(
      try #require(loadConfiguration(Self.short + more + "sensors:\n" + sensors).configuration), device: "d",
      board: BoardFacts()
    )
  }

  /// Connects, lets everything be acknowledged, and gives what was published and what the store was told.
  private func run(
    _ announcer: inout Announcer, isSessionPresent: Bool = false
  ) -> (steps: [Announcer.Step], changes: [Announcer.Change]) {
    announcer.connected(isSessionPresent: isSessionPresent)
    return drain(&announcer)
  }

  private func drain(_ announcer: inout Announcer) -> (steps: [Announcer.Step], changes: [Announcer.Change]) {
    var steps: [Announcer.Step] = []
    var changes: [Announcer.Change] = []
    while let step = announcer.next() {
      #expect(announcer.next() == nil)
      steps.append(step)
      if let change = announcer.settled(isDelivered: true) { changes.append(change) }
    }
    return (steps, changes)
  }

  @Test("the first time it is described, retained, and the store knows before and after")
  func first() throws {
    let device = try device(Self.load)
    var announcer = Announcer(wanted: device, stored: [], homie: nil)
    #expect(
      announcer.everything()
        == [
          StoredAnnouncement(
            kind: .homeAssistant, topic: "\(device.topic)", content: "\nbinary_sensor limpet/connection\nsensor load")
        ])
    let (steps, changes) = run(&announcer)
    #expect(steps.map(\.payload) == [device.message] && steps.allSatisfy(\.isRetained))
    #expect(changes == [.keeps(device.announcement.stored(.homeAssistant))])
  }

  @Test("a session that the broker kept is not told again, a new one is, and one that was never acknowledged")
  func again() throws {
    let device = try device(Self.load)
    let stored = device.announcement.stored(.homeAssistant)
    var announcer = Announcer(wanted: device, stored: [stored], homie: nil)
    #expect(announcer.everything() == [stored])
    // Somebody may have deleted it while the agent was away.
    #expect(run(&announcer, isSessionPresent: true).steps.count == 1)
    #expect(run(&announcer, isSessionPresent: true).steps == [])
    #expect(run(&announcer, isSessionPresent: false).steps.count == 1)
    var cut = Announcer(wanted: device, stored: [], homie: nil)
    cut.connected(isSessionPresent: true)
    #expect(cut.next() != nil)
    #expect(cut.settled(isDelivered: false) == nil)
    #expect(run(&cut, isSessionPresent: true).steps.count == 1)
    // The same of a broker that is not the one that has it: the device has moved to it.
    cut.connected(isSessionPresent: false)
    #expect(cut.next() != nil)
    #expect(run(&cut, isSessionPresent: true).steps.count == 1)
  }

  @Test("when Home Assistant starts it is told again")
  func started() throws {
    let device = try device(Self.load)
    var announcer = Announcer(
      wanted: device, stored: [device.announcement.stored(.homeAssistant)], homie: nil)
    _ = run(&announcer, isSessionPresent: true)
    announcer.homeAssistantStarted()
    announcer.homeAssistantStarted()
    #expect(drain(&announcer).steps.map(\.payload) == [device.message])
  }

  @Test("what left while Home Assistant was down comes back for a moment when it starts, and leaves again (H4)")
  func orphans() throws {
    let (before, after) = (try device(Self.load + Self.cpu), try device(Self.load))
    var announcer = Announcer(wanted: before, stored: [], homie: nil)
    _ = run(&announcer)
    announcer.adopt(after)
    #expect(drain(&announcer).steps.count == 2)
    announcer.homeAssistantStarted()
    let steps = drain(&announcer).steps
    #expect(steps.map(\.isRetained) == [false, false, true])
    let revival = String(buffer: try #require(steps.first).payload)
    #expect(revival.contains(#""cmps":{"cpu":{"p":"sensor","uniq_id":"d/cpu","stat_t":""#), "\(revival)")
    #expect(
      steps.dropFirst().first.map { String(buffer: $0.payload) }?.contains(#""cmps":{"cpu":{"p":"sensor"}}"#) == true)
    #expect(steps.last?.payload == after.message)
    announcer.homeAssistantStarted()
    #expect(drain(&announcer).steps.count == 1, "once")
  }

  @Test("the same over restarts of this program, and of the connection in between (H4)")
  func orphansOverRestarts() throws {
    let (before, after) = (try device(Self.load + Self.cpu), try device(Self.load))
    var announcer = Announcer(wanted: after, stored: [before.announcement.stored(.homeAssistant)], homie: nil)
    var stored = run(&announcer).changes.compactMap { if case .keeps(let stored) = $0 { stored } else { nil } }
    #expect(stored.map(\.kind) == [.departed, .homeAssistant])
    // Another process, and one more.
    for _ in 0..<2 {
      announcer = Announcer(wanted: after, stored: stored, homie: nil)
      _ = run(&announcer, isSessionPresent: true)
    }
    announcer.homeAssistantStarted()
    #expect(announcer.next() != nil)
    announcer.connected(isSessionPresent: true)
    let (steps, changes) = drain(&announcer)
    #expect(steps.map(\.isRetained) == [false, false, true], "\(steps)")
    #expect(String(buffer: try #require(steps.first).payload).contains("uniq_id"))
    #expect(changes.first == .forgot(.departed, topic: "\(after.topic)"))
    stored.removeAll { $0.kind == .departed }
    announcer = Announcer(wanted: after, stored: stored, homie: nil)
    _ = run(&announcer, isSessionPresent: true)
    announcer.homeAssistantStarted()
    #expect(drain(&announcer).steps.count == 1)
    // Back in the configuration: it is no orphan.
    let left = StoredAnnouncement(kind: .departed, topic: "\(after.topic)", content: "\nsensor cpu")
    announcer = Announcer(wanted: before, stored: stored + [left], homie: nil)
    _ = run(&announcer, isSessionPresent: true)
    announcer.homeAssistantStarted()
    #expect(drain(&announcer).steps.count == 1)
  }

  @Test("when Home Assistant starts it is told again, whatever else is to be said")
  func startedBesideClearing() throws {
    let device = try device(Self.load)
    let other = StoredAnnouncement(kind: .homeAssistant, topic: "other/device/d/config", content: "\nsensor load")
    var announcer = Announcer(
      wanted: device, stored: [device.announcement.stored(.homeAssistant), other], homie: nil)
    announcer.connected(isSessionPresent: true)
    while let step = announcer.next(), step.payload != device.message { _ = announcer.settled(isDelivered: false) }
    _ = announcer.settled(isDelivered: true)
    announcer.connected(isSessionPresent: true)
    #expect(announcer.hasNext)
    announcer.homeAssistantStarted()
    #expect(drain(&announcer).steps.last?.payload == device.message)
  }

  @Test("what left the configuration is taken away by its platform alone, then the rest is described")
  func removed() throws {
    let before = try device(Self.load + Self.cpu)
    let after = try device(Self.load)
    var announcer = Announcer(wanted: after, stored: [before.announcement.stored(.homeAssistant)], homie: nil)
    let (steps, changes) = run(&announcer, isSessionPresent: true)
    #expect(steps.count == 2)
    #expect(String(buffer: steps[0].payload).hasSuffix(#""cmps":{"cpu":{"p":"sensor"}}}"#))
    #expect(!steps[0].isRetained)
    let problems = HomeAssistantSchema.problems(topic: "\(steps[0].topic)", payload: String(buffer: steps[0].payload))
    #expect(problems == [])
    #expect(steps[1].payload == after.message && steps[1].isRetained)
    let left = StoredAnnouncement(kind: .departed, topic: "\(after.topic)", content: "\nsensor cpu")
    #expect(changes == [.keeps(left), .keeps(after.announcement.stored(.homeAssistant))])
    #expect(run(&announcer, isSessionPresent: true).steps == [])
  }

  @Test("a crash between the two forgets nothing: the store has both from the beginning")
  func crashed() throws {
    let before = try device(Self.load + Self.cpu)
    let first = Announcer(
      wanted: try device(Self.load), stored: [before.announcement.stored(.homeAssistant)], homie: nil)
    let kept = try #require(first.everything().first)
    var second = Announcer(wanted: try device(Self.cpu), stored: [kept], homie: nil)
    let payload = String(buffer: run(&second).steps[0].payload)
    #expect(payload.hasSuffix(#""cmps":{"load":{"p":"sensor"}}}"#))
  }

  @Test("another platform under the same name: the old entity goes first")
  func platform() throws {
    let before = try device("  - {name: x, type: system, value: throttled}\n")
    var announcer = Announcer(
      wanted: try device("  - {name: x, type: system, value: load1}\n"),
      stored: [before.announcement.stored(.homeAssistant)], homie: nil)
    #expect(String(buffer: run(&announcer).steps[0].payload).hasSuffix(#""cmps":{"x":{"p":"binary_sensor"}}}"#))
  }

  @Test("another prefix, and none at all: the old topic is cleared")
  func cleared() throws {
    let before = try device(Self.load)
    let stored = before.announcement.stored(.homeAssistant)
    var off = Announcer(wanted: nil, stored: [stored], homie: nil)
    let (steps, changes) = run(&off, isSessionPresent: true)
    #expect(steps == [Announcer.Step(topic: before.topic, payload: .init(), isRetained: true, change: changes.first)])
    #expect(changes == [.forgot(.homeAssistant, topic: "\(before.topic)")])
    #expect(run(&off).steps == [])
    let moved = try device(Self.load, "homeassistant: {enabled: true, prefix: ha/x}\n")
    var other = Announcer(wanted: moved, stored: [stored], homie: nil)
    #expect(run(&other).steps.map { "\($0.topic)" } == ["\(before.topic)", "ha/x/device/limpet_d/config"])
  }

  @Test("a Homie device that is none any more loses its state first, then the rest")
  func homie() throws {
    let configuration = try #require(
      loadConfiguration(Self.short + "homie: {enabled: true}\nsensors:\n" + Self.load).configuration)
    let stored = HomieDevice(configuration, device: "d").announcement.stored(.homie)
    var off = Announcer(wanted: nil, stored: [stored], homie: nil)
    let (steps, changes) = run(&off)
    #expect(
      steps.map { "\($0.topic)" } == [
        "homie/5/d/$state", "homie/5/d/$description", "homie/5/d/$alert/load", "homie/5/d/load/value",
      ])
    #expect(steps.allSatisfy { $0.isRetained && $0.payload.readableBytes == 0 })
    #expect(changes == [.forgot(.homie, topic: "homie/5/d")])
    var on = Announcer(wanted: nil, stored: [stored], homie: "homie/5/d")
    #expect(run(&on).steps == [])
  }

  @Test("another configuration while it runs: what left goes first, also what was never acknowledged, then the rest")
  func adopted() throws {
    let before = try device(Self.load + Self.cpu)
    let after = try device(Self.load)
    var announcer = Announcer(wanted: before, stored: [], homie: nil)
    announcer.connected(isSessionPresent: true)
    #expect(announcer.next()?.payload == before.message)
    #expect(
      announcer.everything(next: after).map(\.content) == ["\nbinary_sensor limpet/connection\nsensor cpu\nsensor load"]
    )
    announcer.adopt(after)
    // One at a time, and what the old one comes to is no news.
    #expect(announcer.next() == nil)
    #expect(announcer.settled(isDelivered: true) == nil)
    let (steps, changes) = drain(&announcer)
    #expect(steps.count == 2)
    #expect(String(buffer: try #require(steps.first).payload).hasSuffix(#""cmps":{"cpu":{"p":"sensor"}}}"#))
    #expect(steps.last?.payload == after.message)
    #expect(changes.count == 2 && changes.last == .keeps(after.announcement.stored(.homeAssistant)))
    announcer.adopt(nil)
    let end = drain(&announcer)
    #expect(end.steps.map(\.payload.readableBytes) == [0])
    #expect(end.changes == [.forgot(.homeAssistant, topic: "\(after.topic)")])
    announcer.adopt(before)
    #expect(drain(&announcer).steps.map(\.payload) == [before.message])
  }

  @Test("a Homie device that a reload switches off is cleared, unless it comes back before")
  func homieSwitched() throws {
    let left = Announcement(topic: "homie/5/d", digest: "", entries: [.init(kind: "property", name: "a/value")])
    var announcer = Announcer(wanted: nil, stored: [], homie: "homie/5/d")
    announcer.clear(homie: left)
    #expect(announcer.everything() == [left.stored(.homie)])
    #expect(announcer.release(homie: "homie/5/d")?.entries == left.entries)
    #expect(drain(&announcer).steps == [])
    announcer.clear(homie: left)
    #expect(
      drain(&announcer).steps.map { "\($0.topic)" }
        == ["homie/5/d/$state", "homie/5/d/$description", "homie/5/d/a/value"])
    #expect(announcer.release(homie: "homie/5/d") == nil)
  }

  private static let old = "ha/sensor/other/load/config"
  private static let carriedOn =
    "  - {name: load, type: system, value: load1, homeassistant: {unique_id: other_load, migrate_from: \(old)}}\n"

  @Test("an entity of another program is asked for, described with its unique id, and its topic is cleared: once")
  func handsOver() throws {
    let device = try device(Self.carriedOn)
    #expect(String(buffer: device.message).contains(#""uniq_id":"other_load""#))
    var announcer = Announcer(wanted: device, stored: [], homie: nil)
    let (steps, changes) = run(&announcer)
    #expect(steps.map { "\($0.topic)" } == [Self.old, "\(device.topic)", Self.old])
    #expect(steps.map { String(buffer: $0.payload) }.first == #"{"migrate_discovery": true}"#)
    #expect(steps.last?.payload == ByteBuffer())
    #expect(steps.allSatisfy { $0.isRetained })
    let migrated = StoredAnnouncement(kind: .migrated, topic: "\(device.topic)", content: "\ntopic \(Self.old)")
    #expect(changes.last == .keeps(migrated))
    #expect(run(&announcer).steps.map { "\($0.topic)" } == ["\(device.topic)"], "another broker gets no request")
    var next = Announcer(
      wanted: device, stored: [device.announcement.stored(.homeAssistant), migrated], homie: nil)
    #expect(run(&next).steps.map { "\($0.topic)" } == ["\(device.topic)"], "nor does one of the next process")
  }

  @Test("a topic is not cleared where its request, or the description, was not acknowledged", arguments: [0, 1])
  func handsOverNothingByHalves(lost: Int) throws {
    let device = try device(Self.carriedOn)
    var announcer = Announcer(wanted: device, stored: [], homie: nil)
    announcer.connected(isSessionPresent: false)
    var topics: [String] = []
    while let step = announcer.next() {
      topics.append("\(step.topic)")
      _ = announcer.settled(isDelivered: topics.count - 1 != lost)
    }
    #expect(topics == [Self.old, "\(device.topic)"])
    #expect(run(&announcer).steps.count == 3, "the next connection does all of it")
  }

  @Test("an entity whose unique id has changed is removed and described anew, and is no orphan")
  func changesIdentity() throws {
    let (before, after) = (try device(Self.load), try device(Self.carriedOn))
    var announcer = Announcer(wanted: after, stored: [before.announcement.stored(.homeAssistant)], homie: nil)
    let steps = run(&announcer).steps
    let removal = String(buffer: try #require(steps.first).payload)
    #expect(removal.contains(#""cmps":{"load":{"p":"sensor"}}"#), "\(removal)")
    #expect(steps.count == 4)
    announcer.homeAssistantStarted()
    #expect(drain(&announcer).steps.map(\.payload) == [after.message])
    #expect(Announcement(after.announcement.stored(.homeAssistant)) == after.announcement)
  }
}
