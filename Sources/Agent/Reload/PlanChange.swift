import Configuration
import MQTTCore

/// A new plan in the place of the one that runs: who stays keeps its index and its id.
struct PlanChange {
  /// The new plan with the indices of the old one.
  private(set) var plan: Daemon.Plan
  /// Topics that keep a reading which nobody stands for any more.
  private(set) var cleared: [TopicName] = []
  private(set) var added: [String] = []
  private(set) var changed: [String] = []
  private(set) var removed: [String] = []

  /// - Parameter number: of this change, for the ids of sensors.
  init(from old: Daemon.Plan, to new: Daemon.Plan, number: UInt64) {
    plan = new
    // Not of the configuration: what the device's id was made from, for a store that begins anew.
    plan.identity = old.identity
    let indices = placeStreams(old, new)
    for index in plan.sensors.indices { plan.sensors[index].plan.stream = indices[new.sensors[index].plan.stream] }
    for index in plan.inputs.indices { plan.inputs[index].plan.stream = indices[new.inputs[index].plan.stream] }
    placeSensors(old, number)
    tellDifferences(old, new)
  }

  // MARK: Streams

  /// - Returns: the index of each of the new plan's streams.
  private mutating func placeStreams(_ old: Daemon.Plan, _ new: Daemon.Plan) -> [Int] {
    var streams = old.streams
    let known = Dictionary(old.streams.enumerated().map { ($1.name, $0) }) { first, _ in first }
    let names = Set(new.streams.map(\.name))
    var keepsLatest = Array(repeating: false, count: streams.count)
    var indices: [Int] = []
    for (position, stream) in new.streams.enumerated() {
      let index: Int
      if let own = known[stream.name] {
        // Also of a name that comes back.
        index = own
        streams[index] = stream
      } else {
        index = streams.count
        streams.append(stream)
        keepsLatest.append(false)
      }
      keepsLatest[index] = new.outbox.keepsLatest[position]
      indices.append(index)
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
    return indices
  }

  // MARK: Sensors

  private mutating func placeSensors(_ old: Daemon.Plan, _ number: UInt64) {
    let known = Dictionary(old.sensors.map { ($0.origin.name, $0) }) { first, _ in first }
    for index in plan.sensors.indices {
      if let before = known[plan.sensors[index].origin.name], before.origin == plan.sensors[index].origin {
        plan.sensors[index].goOn(as: before)
      } else {
        plan.sensors[index].becomeAnother(number)
      }
    }
  }

  // MARK: For people

  private mutating func tellDifferences(_ old: Daemon.Plan, _ new: Daemon.Plan) {
    let before = old.origins
    let after = new.origins
    added = after.keys.filter { before[$0] == nil }.sorted()
    removed = before.keys.filter { after[$0] == nil }.sorted()
    changed = after.filter { name, origin in before[name].map { $0 != origin } ?? false }.map(\.key).sorted()
  }
}

extension Daemon.Plan {
  fileprivate enum Origin: Equatable {
    case sensor(SensorConfiguration)
    case input(InputConfiguration)
  }

  fileprivate var origins: [String: Origin] {
    var origins: [String: Origin] = [:]
    for sensor in sensors { origins[sensor.origin.name] = .sensor(sensor.origin) }
    for input in inputs { origins[input.origin.name] = .input(input.origin) }
    return origins
  }
}
