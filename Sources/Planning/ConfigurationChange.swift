import Configuration

/// What of a new configuration can replace the running one.
package struct ConfigurationChange: Equatable {
  /// Keys whose change needs a restart.
  package let needsRestart: [String]
  /// CONNECT, its will or the way to the broker has changed.
  package let renewsConnection: Bool
  /// When attempts are made and given up.
  package let changesAttempts: Bool

  /// Names of sensors and inputs that are in both, and configured differently.
  package let names: Set<String>

  package init(from old: Configuration, to new: Configuration) {
    let fixed: [(String, Bool)] = [
      (Configuration.path(of: DeviceKeys.id), old.device.id == new.device.id),
      (Configuration.path(of: BrokerKeys.clientID), old.broker.clientID == new.broker.clientID),
      (Configuration.path(of: BrokerKeys.cleanStart), old.broker.cleanStart == new.broker.cleanStart),
      ("storage", old.storage == new.storage),
      (Configuration.path(of: ConfigurationKeys.control), old.control == new.control),
    ]
    needsRestart = fixed.filter { !$0.1 }.map { $0.0 }
    renewsConnection =
      Self.connecting(old.broker) != Self.connecting(new.broker)
      || Self.connecting(old.presence) != Self.connecting(new.presence)
    let sensors = Dictionary(old.sensors.map { ($0.name, $0) }) { first, _ in first }
    let inputs = Dictionary(old.inputs.map { ($0.name, $0) }) { first, _ in first }
    names = Set(
      new.sensors.filter { (sensors[$0.name].map(Origin.sensor) ?? inputs[$0.name].map(Origin.input)) != .sensor($0) }
        .map(\.name)
        + new.inputs.filter { (inputs[$0.name].map(Origin.input) ?? sensors[$0.name].map(Origin.sensor)) != .input($0) }
        .map(\.name)
        + new.outputs.filter { output in old.outputs.contains { $0.name == output.name && $0 != output } }.map(\.name))
    changesAttempts =
      old.broker.reconnect != new.broker.reconnect || old.broker.connectTimeout != new.broker.connectTimeout
      || old.broker.prefersFirst != new.broker.prefersFirst
  }

  private enum Origin: Equatable {
    case sensor(SensorConfiguration)
    case input(InputConfiguration)
  }

  /// The keys of a connection; all others are set to one value.
  private static func connecting(_ broker: Configuration.Broker) -> Configuration.Broker {
    var broker = broker
    broker.reconnect = Configuration.Reconnect(min: .zero, max: .zero, stableAfter: .zero)
    broker.connectTimeout = .zero
    broker.prefersFirst = false
    broker.shutdownTimeout = .zero
    return broker
  }

  private static func connecting(_ presence: Configuration.Presence) -> Configuration.Presence {
    var presence = presence
    presence.lease = .zero
    presence.isLeaseWritten = false
    return presence
  }
}
