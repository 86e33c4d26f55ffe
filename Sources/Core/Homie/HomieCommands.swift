import DequeModule
import Discovery
import MQTTCore
import Measuring
import NIOCore

/// Commands to a Homie device's properties, on their `set` topics ("Property Command Topic").
///
/// Its connection has no session at the broker, so no command waits there. It recognises commands that waited in the
/// socket while the process stood still as the agent does: by a nonce of its own that comes back behind them.
struct HomieCommands: Sendable {
  struct Heard: Sendable {
    /// The output's.
    let name: String
    /// nil: it is nothing that the property could be.
    let wanted: Value?
    let delivery: Session.Delivery
    /// It may be old.
    let arrival: Arrival
    /// Why it is refused whatever it asks for.
    let objection: Objection?
  }

  /// Of one turn.
  private static let limit = 64

  var gate = Commanding()
  private(set) var filter: TopicFilter?
  private(set) var fence: TopicName?
  private var properties: [String: (name: String, property: HomieDevice.Property)] = [:]
  private var waiting: Deque<Heard> = []

  init(_ device: HomieDevice) { adopt(device) }

  var isSettable: Bool { !properties.isEmpty }

  mutating func adopt(_ device: HomieDevice) {
    properties = [:]
    for node in device.nodes {
      for property in node.properties where property.isSettable {
        properties["\(device.base)/\(node.id)/\(property.id)/set"] = (node.name, property)
      }
    }
    filter = isSettable ? try? TopicFilter("\(device.base)/+/+/set") : nil
    fence = isSettable ? try? TopicName("\(device.base)/fence/value/set") : nil
  }

  mutating func lost() {
    gate.disconnected()
    waiting = []
  }

  /// - Returns: false: it asks for nothing.
  mutating func hear(_ delivery: Session.Delivery) -> Bool {
    let message = delivery.message
    if message.topic == fence {
      if !message.retain { gate.heardFence(String(buffer: message.payload)) }
      return false
    }
    guard let (name, property) = properties["\(message.topic)"], message.payload.readableBytes > 0,
      waiting.count < Self.limit
    else { return false }
    var objection: Objection?
    if message.retain {
      objection = .retained
    } else if case .refused(let reason) = gate.gate {
      objection = Objection(.fence, reason)
    }
    let value = message.payload.readableBytes <= Command.limit ? property.wanted(message.payload) : nil
    let arrival: Arrival = delivery.duplicate ? .redelivered : gate.gate == .open ? .live : .queued
    waiting.append(Heard(name: name, wanted: value, delivery: delivery, arrival: arrival, objection: objection))
    return true
  }

  mutating func takeHeard() -> [Heard] {
    defer { waiting = [] }
    return Array(waiting)
  }
}
