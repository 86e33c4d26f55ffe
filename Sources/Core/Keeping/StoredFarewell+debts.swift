import MQTTCore
import Presence
import Records

/// What is owed to brokers, as the store has it.
extension OwedFarewells {
  /// - Parameter client: the client identifier of this device.
  mutating func found(_ stored: [StoredFarewell], client: String) {
    found(stored.compactMap { Debt($0) }, client: client)
  }
}

extension OwedFarewells.Debt {
  /// nil: it says nothing.
  init?(_ stored: StoredFarewell) {
    guard let topic = try? TopicName(stored.topic), let qos = QoS(rawValue: UInt8(clamping: stored.qos)) else {
      return nil
    }
    self.init(server: stored.server, client: stored.client, topic: topic, offline: stored.offline, qos: qos)
  }

  var stored: StoredFarewell {
    StoredFarewell(server: server, client: client, topic: "\(topic)", offline: offline, qos: Int(qos.rawValue))
  }
}
