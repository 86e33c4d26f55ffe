import MQTTCore
import Plan
import Readings

/// A new plan in the place of the one that runs: who stays keeps its ids.
package struct PlanChange {
  /// The new plan with the ids of the old one.
  package private(set) var plan: DevicePlan
  /// Topics that keep a reading which nobody stands for any more.
  package private(set) var cleared: [TopicName] = []
  package private(set) var added: [String] = []
  package private(set) var changed: [String] = []
  package private(set) var removed: [String] = []

  /// - Parameters:
  ///   - differing: names of sensors and inputs that are configured in another way than before.
  ///   - number: of this change, for the ids of sensors.
  package init(from old: DevicePlan, to new: DevicePlan, differing: Set<String>, number: UInt64) {
    plan = new
    // Not of the configuration: what the device's id was made from, for a store that begins anew.
    if old.link.mutation != .reloadForgetsIdentity { plan.identity = old.identity }
    let ids = placeStreams(old, new)
    for index in plan.sensors.indices { plan.sensors[index].stream = ids[new.sensors[index].stream] }
    for index in plan.inputs.indices { plan.inputs[index].stream = ids[new.inputs[index].stream] }
    for index in plan.outputs.indices { plan.outputs[index].stream = ids[new.outputs[index].stream] }
    noteDifferences(old, new, differing)
    placeSensors(old, number)
  }

  // MARK: Streams

  /// - Returns: the id here of each of the new plan's streams: a name's own, also where it comes back, or the next.
  private mutating func placeStreams(_ old: DevicePlan, _ new: DevicePlan) -> [StreamID] {
    var streams = old.streams
    let known = Dictionary(zip(old.streams.map(\.name), old.streams.streamIDs)) { first, _ in first }
    let names = Set(new.streams.map(\.name))
    var keepsLatest = Array(repeating: false, count: streams.count)
    var ids: [StreamID] = []
    for (stream, keepsItsLatest) in zip(new.streams, new.outbox.keepsLatest) {
      let id = known[stream.name] ?? StreamID(streams.count)
      if id.index == streams.count {
        streams.append(stream)
        keepsLatest.append(keepsItsLatest)
      } else {
        streams[id] = stream
        keepsLatest[id] = keepsItsLatest
      }
      ids.append(id)
    }
    plan.outbox.keepsLatest = keepsLatest
    let kept = Set(new.streams.filter(\.isRetained).map(\.topic))
    for index in old.streams.indices where !old.streams[index].isRemoved {
      if !names.contains(old.streams[index].name) {
        // What waits of it is sent, but the broker keeps it no more.
        streams[index].isRemoved = true
        streams[index].isRetained = false
      }
      if old.streams[index].isRetained, !kept.contains(old.streams[index].topic) {
        cleared.append(old.streams[index].topic)
      }
    }
    plan.streams = streams
    return ids
  }

  // MARK: Sensors

  /// A sensor that stays the same keeps its id: its source may know something from its last read, or be in the middle of
  /// one. Another one under the same name gets another: what an earlier source still reads is none of this one's.
  private mutating func placeSensors(_ old: DevicePlan, _ number: UInt64) {
    let known = Dictionary(old.sensors.map { ($0.name, $0.id) }) { first, _ in first }
    for index in plan.sensors.indices {
      let name = plan.sensors[index].name
      if let id = known[name], !changed.contains(name) {
        plan.sensors[index].id = id
      } else {
        plan.sensors[index].id = SensorID("\(name)#\(number)")
      }
    }
  }

  // MARK: For people

  private mutating func noteDifferences(_ old: DevicePlan, _ new: DevicePlan, _ differing: Set<String>) {
    let before = Set(old.sensors.map(\.name) + old.inputs.map(\.name) + old.outputs.map(\.name))
    let after = Set(new.sensors.map(\.name) + new.inputs.map(\.name) + new.outputs.map(\.name))
    added = after.subtracting(before).sorted()
    removed = before.subtracting(after).sorted()
    changed = after.intersection(before).intersection(differing).sorted()
  }

  /// `new: load`, `removed: door`.
  var words: [String] {
    [("new", added), ("changed", changed), ("removed", removed)].filter { !$0.1.isEmpty }.map {
      "\($0.0): \($0.1.joined(separator: ", "))"
    }
  }
}
