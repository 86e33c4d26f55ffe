import MQTT
import MQTTCore
import TestScene

/// One way to reach one broker.
struct Lane: Sendable, CustomStringConvertible {
  let broker: BrokerKind
  /// nil: auto.
  let version: MQTTCore.ProtocolVersion?
  let transport: ServerAddress.Transport

  var traits: BrokerTraits { broker.traits }

  var description: String {
    let version = version.map { $0 == .v5 ? "5" : "3.1.1" } ?? "auto"
    return "\(broker.rawValue), \(version), \(transport.rawValue)"
  }

  /// Each version on each transport.
  static func all(
    _ brokers: [BrokerKind], _ condition: (Lane) -> Bool = { _ in true }
  ) -> [Lane] {
    brokers.flatMap { broker in
      broker.traits.versions.flatMap { version in
        broker.traits.transports.map { Lane(broker: broker, version: version, transport: $0) }
      }
    }.filter(condition)
  }

  /// Each version, for what has nothing to do with the transport.
  static func versions(
    _ brokers: [BrokerKind], _ condition: (Lane) -> Bool = { _ in true }
  ) -> [Lane] {
    all(brokers) { $0.transport == .tcp && condition($0) }
  }

  /// Each transport, with the version left to client and server.
  static func auto(_ brokers: [BrokerKind]) -> [Lane] {
    brokers.flatMap { broker in
      broker.traits.transports.map { Lane(broker: broker, version: nil, transport: $0) }
    }
  }

  /// MQTT 5, for what 3.1.1 does not have.
  static func v5(
    _ brokers: [BrokerKind], _ condition: (BrokerTraits) -> Bool = { _ in true }
  ) -> [Lane] {
    versions(brokers) { $0.version == .v5 && condition($0.traits) }
  }

  static func sharing(_ brokers: [BrokerKind]) -> [Lane] {
    versions(brokers) { lane in lane.traits.sharedSubscriptions.contains { $0 == lane.version } }
  }

  static func webSockets(_ brokers: [BrokerKind]) -> [Lane] { all(brokers) { $0.isWebSocket } }
  static func streams(_ brokers: [BrokerKind]) -> [Lane] { all(brokers) { !$0.isWebSocket } }

  private var isWebSocket: Bool { transport == .webSocket || transport == .secureWebSocket }
}
