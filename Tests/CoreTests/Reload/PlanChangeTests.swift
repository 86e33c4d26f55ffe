import MQTTCore
import Plan
import Readings
import Records
import Testing

@testable import Core
@testable import LimpetInstants

/// Plans of a few names, and what becomes of them.
private struct World {
  var plan: DevicePlan
  var number: UInt64 = 0

  init(_ plan: DevicePlan) { self.plan = plan }

  @discardableResult
  mutating func change(to next: DevicePlan, differing: Set<String> = []) -> PlanChange {
    number += 1
    let change = PlanChange(from: plan, to: next, differing: differing, number: number)
    plan = change.plan
    return change
  }
}

struct PlanChangeTests {
  @Test("what stays keeps its index and its id, wherever it stands in the file")
  func kept() {
    var world = World(.bench(["x", "y"], retained: ["x", "y"], sensors: ["a", "b"]))
    let before = world.plan
    let change = world.change(
      to: .bench(["y", "x"], retained: ["x"], sensors: ["new", "b", "a"]), differing: ["y"])
    #expect(change.added == ["new"] && change.removed == [] && change.changed == ["y"])
    #expect(change.words == ["new: new", "changed: y"])
    #expect(world.plan.sensors.map(\.stream) == [4, 3, 2])
    #expect(world.plan.sensors.map(\.id.text) == ["new#1", "b", "a"])
    #expect(world.plan.inputs.map(\.stream) == [1, 0])
    #expect(world.plan.streams.prefix(4).map(\.name) == before.streams.map(\.name))
    #expect(change.cleared == ["y"], "the broker keeps it no more")
  }

  @Test("a sensor that is read otherwise is another one under the same index")
  func changed() {
    var world = World(.bench([], sensors: ["a"]))
    let change = world.change(to: .bench([], sensors: ["a"]), differing: ["a", "elsewhere"])
    #expect(change.changed == ["a"])
    #expect(world.plan.sensors[0].stream == 0 && world.plan.sensors[0].id.text == "a#1")
    #expect(change.cleared.isEmpty)
  }

  @Test("what is gone leaves its index to the readings that wait, and its retained reading is cleared")
  func removed() {
    var world = World(.bench([], retained: ["a"], sensors: ["a", "b"]))
    let change = world.change(to: .bench([], sensors: ["c"]))
    #expect(change.removed == ["a", "b"])
    #expect(change.cleared == ["a"])
    #expect(world.plan.streams.map(\.name) == ["a", "b", "c"])
    #expect(world.plan.streams.map(\.isRemoved) == [true, true, false])
    #expect(!world.plan.streams[0].isRetained, "what waits of it must not be kept again")
    // It comes back under its own index.
    world.change(to: .bench([], sensors: ["d", "a"]) { $0.outbox.keepsLatest = [true, false] })
    #expect(world.plan.streams.map(\.name) == ["a", "b", "c", "d"])
    #expect(world.plan.sensors.map(\.stream) == [3, 0])
    #expect(world.plan.outbox.keepsLatest == [false, false, false, true])
  }

  @Test("a reading that moves to another topic is cleared at the old one; a topic that another takes over is not")
  func topics() throws {
    func at(_ topic: TopicName, _ plan: DevicePlan) -> DevicePlan {
      var plan = plan
      let old = plan.streams[0]
      plan.streams[0] = Stream(name: old.name, topic: topic, qos: old.qos, isRetained: true, format: .json)
      return plan
    }
    var world = World(.bench(["x"], retained: ["x"]))
    #expect(world.change(to: at("new/x", .bench(["x"]))).cleared == ["x"])
    #expect(world.change(to: at("new/x", .bench(["y"]))).cleared.isEmpty)
  }

  @Test("what the device's id was made from goes on: a storage that is begun anew gets it")
  func identity() {
    var world = World(.bench())
    world.plan.identity = StoredIdentity(id: "board", source: .random, serial: "1-2")
    world.change(to: .bench(["c"]))
    #expect(world.plan.identity == StoredIdentity(id: "board", source: .random, serial: "1-2"))
  }

  @Test("1,000 random changes: no two share an index or an id, names keep theirs, nothing grows")
  func random() {
    var generator = SplitMix64(seed: 8)
    var world = World(.bench([]))
    var ids: [String: StreamID] = [:]
    for _ in 0..<1000 {
      let names = (0..<12).filter { _ in Bool.random(using: &generator) }
      let next = DevicePlan.bench(
        names.filter { $0 % 2 == 1 }.map { "i\($0)" }, sensors: names.filter { $0 % 2 == 0 }.map { "s\($0)" })
      world.change(
        to: next, differing: Set(names.filter { _ in Bool.random(using: &generator) }.map { "s\($0)" }))
      let plan = world.plan
      let streams = plan.sensors.map(\.stream) + plan.inputs.map(\.stream)
      #expect(Set(streams).count == streams.count)
      #expect(Set(streams) == Set(plan.streams.streamIDs.filter { !plan.streams[$0].isRemoved }))
      for sensor in plan.sensors { #expect(plan.streams[sensor.stream].name == sensor.name) }
      for input in plan.inputs { #expect(plan.streams[input.stream].name == input.name) }
      for (name, id) in ids { #expect(plan.streams[id].name == name) }
      for stream in streams { ids[plan.streams[stream].name] = stream }
      #expect(Set(plan.sensors.map(\.id)).count == plan.sensors.count)
    }
    #expect(world.plan.streams.count <= 12)
  }
}
