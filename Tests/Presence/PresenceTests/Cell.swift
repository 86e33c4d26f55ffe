import MQTT
import MQTTCore
import TestScene

/// One fault on one way to one broker.
struct Cell: Sendable, CustomStringConvertible {
  let fault: Fault
  let broker: BrokerKind
  let version: MQTTCore.ProtocolVersion
  let transport: ServerAddress.Transport

  var description: String { "\(fault.rawValue): \(broker.rawValue), \(versionText), \(transport.scheme)" }

  var versionText: String { version == .v5 ? "5" : "3.1.1" }

  static let transports: [ServerAddress.Transport] = [.tcp, .tls, .webSocket, .secureWebSocket]
  static let versions: [MQTTCore.ProtocolVersion] = [.v5, .v311]

  /// The whole matrix of a broker.
  static func all(_ broker: BrokerKind) -> [Cell] {
    Fault.matrix.flatMap { fault in
      versions.flatMap { version in
        transports.map { Cell(fault: fault, broker: broker, version: version, transport: $0) }
      }
    }
  }

  /// Each fault on both versions, each time over other transports.
  static func selection(_ broker: BrokerKind) -> [Cell] {
    Fault.matrix.enumerated().filter { !$1.isSlow }.flatMap { number, fault in
      versions.enumerated().map { shift, version in
        Cell(fault: fault, broker: broker, version: version, transport: transports[(number + 2 * shift) % 4])
      }
    }
  }

  /// The cells of this run.
  static func chosen(_ broker: BrokerKind) -> [Cell] {
    // What has nothing to do with the broker is shown on one.
    (Selection.isWhole ? all(broker) : selection(broker))
      .filter { $0.isChosen && (broker == .mosquitto || !$0.fault.isSlow && !$0.fault.needsGuest) }
  }

  var isChosen: Bool { Run.text.isEmpty || description.contains(Run.text) }

  /// Those of them that can be played here.
  static func played(_ broker: BrokerKind, inGuest: Bool = false) -> [Cell] {
    chosen(broker).filter { $0.fault.needsGuest == inGuest && $0.hindrance == nil && $0.missingRight == nil }
  }
}

extension ServerAddress.Transport {
  /// As in broker.url.
  var scheme: String {
    switch self {
    case .tcp: "mqtt"
    case .tls: "mqtts"
    case .webSocket: "ws"
    case .secureWebSocket: "wss"
    case .unix: "unix"
    }
  }
}

extension Cell {
  /// Why nothing that an agent does can make the status right on this broker; nil: it can.
  var hindrance: String? {
    let traits = broker.traits
    guard traits.versions.contains(version) else { return "\(broker.rawValue) does not speak MQTT \(versionText)" }
    if version == .v311, fault.needsVersion5 {
      return "MQTT 3.1.1 has neither an expiry nor a will delay"
    }
    if fault.needsOldState, broker != .mosquitto { return "\(broker.rawValue) saves what it takes at once" }
    return nil
  }

  /// What this machine does not let the test do; nil: it lets it.
  var missingRight: String? {
    fault.needsNetwork && !Run.hasNetworks ? "network namespaces and veth need root" : nil
  }
}
