import Instants
import Sensing
import Storage
import Testing

@testable import Agent
@testable import Platform
@testable import Records

/// Plans of a few names, and what becomes of them.
private struct World {
  var plan: Daemon.Plan
  var number: UInt64 = 0

  init(_ text: String) throws { plan = try Self.plan(text) }

  static func plan(_ text: String) throws -> Daemon.Plan {
    let configuration = try #require(loadConfiguration(minimalConfiguration + text).configuration)
    return try configuration.daemonPlan(
      device: "board", instance: "i", root: FileRoot(), runtimeFolder: nil, memory: nil)
  }

  @discardableResult
  mutating func change(to text: String) throws -> PlanChange {
    number += 1
    let change = PlanChange(from: plan, to: try Self.plan(text), number: number)
    plan = change.plan
    return change
  }

  func index(_ name: String) -> Int? { plan.streams.firstIndex { $0.name == name && !$0.isRemoved } }
}

struct PlanChangeTests {
  private static func sensor(_ name: String, _ more: String = "") -> String {
    "  - {name: \(name), type: system, value: load1\(more)}\n"
  }

  @Test("what stays keeps its index and its job, wherever it stands in the file")
  func kept() throws {
    var world = try World(
      "sensors:\n" + Self.sensor("a") + Self.sensor("b") + "inputs:\n  - {name: x, line: A}\n  - {name: y, line: B}\n")
    let before = world.plan
    let change = try world.change(
      to: "sensors:\n" + Self.sensor("new") + Self.sensor("b") + Self.sensor("a")
        + "inputs:\n  - {name: y, line: B, retain: false}\n  - {name: x, line: A}\n")
    #expect(change.added == ["new"])
    #expect(change.removed == [])
    #expect(change.changed == ["y"])
    #expect(world.plan.sensors.map(\.plan.stream) == [4, 1, 0])
    #expect(world.plan.sensors.map(\.job.id) == ["new#1", "b", "a"])
    #expect(world.plan.sensors.map(\.plan.id.text) == ["new#1", "b", "a"])
    #expect(world.plan.inputs.map(\.plan.stream) == [3, 2])
    #expect(world.plan.streams.prefix(4).map(\.name) == before.streams.map(\.name))
    #expect(change.cleared.map(\.description) == ["limpet/board/y"], "the broker keeps it no more")
  }

  @Test("a sensor that is read otherwise is another one under the same index")
  func changed() throws {
    var world = try World("sensors:\n" + Self.sensor("a"))
    let change = try world.change(to: "sensors:\n" + Self.sensor("a", ", interval: 3s"))
    #expect(change.changed == ["a"])
    #expect(world.plan.sensors[0].plan.stream == 0)
    #expect(world.plan.sensors[0].job.id == "a#1")
    #expect(world.plan.sensors[0].plan.id.text == "a#1")
    #expect(change.cleared.isEmpty)
  }

  @Test("what is gone leaves its index to the readings that wait, and its retained reading is cleared")
  func removed() throws {
    var world = try World("sensors:\n" + Self.sensor("a", ", retain: true") + Self.sensor("b"))
    let change = try world.change(to: "sensors:\n" + Self.sensor("c"))
    #expect(change.removed == ["a", "b"])
    #expect(change.cleared.map(\.description) == ["limpet/board/a"])
    #expect(world.plan.streams.map(\.name) == ["a", "b", "c"])
    #expect(world.plan.streams.map(\.isRemoved) == [true, true, false])
    #expect(!world.plan.streams[0].isRetained, "what waits of it must not be kept again")
    // It comes back under its own index.
    try world.change(to: "sensors:\n" + Self.sensor("d", ", keep: latest") + Self.sensor("a"))
    #expect(world.plan.streams.map(\.name) == ["a", "b", "c", "d"])
    #expect(world.plan.sensors.map(\.plan.stream) == [3, 0])
    #expect(world.plan.outbox.keepsLatest == [false, false, false, true])
  }

  @Test("a reading that moves to another topic is cleared at the old one; a topic that another takes over is not")
  func topics() throws {
    var world = try World("inputs:\n  - {name: x, line: A}\n")
    let moved = try world.change(to: "inputs:\n  - {name: x, line: A}\ntopic: new/{name}\n")
    #expect(moved.cleared.map(\.description) == ["limpet/board/x"])
    let taken = try world.change(to: "inputs:\n  - {name: y, line: A}\ntopic: \"new/x\"\n")
    #expect(taken.cleared.isEmpty)
  }

  @Test("what the device's id was made from goes on: a storage that is begun anew gets it")
  func identity() throws {
    var world = try World("sensors: []\n")
    world.plan.identity = StoredIdentity(id: "board", source: .random, serial: "1-2")
    try world.change(to: "sensors:\n" + Self.sensor("a"))
    #expect(world.plan.identity == StoredIdentity(id: "board", source: .random, serial: "1-2"))
  }

  @Test("1,000 random changes: no two share an index or an id, names keep theirs, nothing grows")
  func random() throws {
    var generator = SplitMix64(seed: 8)
    var world = try World("sensors: []\ninputs: []\n")
    var indices: [String: Int] = [:]
    for _ in 0..<1000 {
      let names = (0..<12).filter { _ in Bool.random(using: &generator) }
      let sensors = names.filter { $0 % 2 == 0 }.map {
        Self.sensor("s\($0)", ", interval: \(Int.random(in: 1...2, using: &generator))s")
      }
      let inputs = names.filter { $0 % 2 == 1 }.map {
        "  - {name: i\($0), line: L\($0), active_low: \(Bool.random(using: &generator))}\n"
      }
      try world.change(
        to: "sensors:\(sensors.isEmpty ? " []" : "")\n" + sensors.joined() + "inputs:\(inputs.isEmpty ? " []" : "")\n"
          + inputs.joined())
      let plan = world.plan
      let streams = plan.sensors.map(\.plan.stream) + plan.inputs.map(\.plan.stream)
      #expect(Set(streams).count == streams.count)
      #expect(Set(streams) == Set(plan.streams.indices.filter { !plan.streams[$0].isRemoved }))
      for sensor in plan.sensors { #expect(plan.streams[sensor.plan.stream].name == sensor.origin.name) }
      for input in plan.inputs { #expect(plan.streams[input.plan.stream].name == input.origin.name) }
      for (name, index) in indices { #expect(plan.streams[index].name == name) }
      for stream in streams { indices[plan.streams[stream].name] = stream }
      #expect(Set(plan.sensors.map(\.plan.id)).count == plan.sensors.count)
      #expect(plan.sensors.allSatisfy { $0.plan.id.text == $0.job.id })
    }
    #expect(world.plan.streams.count <= 12)
  }
}
