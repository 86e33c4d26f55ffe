import MQTT
import TestScene

/// What the tests of the client's interface share: a broker in this process, and a client of it.
func settings(_ broker: FakeBroker, _ name: String = "a") -> MQTTClient.Configuration {
  var configuration = MQTTClient.Configuration(
    servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: broker.port)], clientIdentifier: name)
  configuration.connection.version = .v5
  configuration.connection.reconnect.minimum = .milliseconds(20)
  configuration.connection.reconnect.maximum = .milliseconds(50)
  return configuration
}

func settings(_ broker: Mosquitto, _ name: String = "a") throws -> MQTTClient.Configuration {
  var configuration = try MQTTClient.Configuration(url: "mqtt://127.0.0.1:\(broker.port)", clientIdentifier: name)
  configuration.connection.reconnect.minimum = .milliseconds(50)
  configuration.connection.reconnect.maximum = .milliseconds(200)
  return configuration
}

/// Agrees with these properties; for the rest it is obliging.
func agreeing(_ change: @escaping @Sendable (inout Properties) -> Void) -> FakeBroker.Answer {
  { packet, connection in
    guard case .connect = packet else { return FakeBroker.obliging(packet, connection) }
    var connack = ConnAck(sessionPresent: false, reasonCode: .success)
    change(&connack.properties)
    connection.send(.connack(connack))
  }
}

extension FakeConnection {
  /// A message of the broker's.
  func publish(_ text: String, to topic: TopicName = "t", qos: QoS, _ identifier: UInt16, duplicate: Bool = false) {
    var publish = Publish(
      Message(topic: topic, text: text, qos: qos), packetIdentifier: PacketIdentifier(rawValue: identifier))
    publish.duplicate = duplicate
    send(.publish(publish))
  }
}
