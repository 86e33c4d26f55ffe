import Foundation

/// The servers that the client is tested on, as Debian 12 packages them.
package enum BrokerKind: String, CaseIterable, Sendable {
  case mosquitto
  case rabbitMQ = "RabbitMQ"
  case ejabberd
  case nats = "nats-server"

  /// Those of this run: the others than mosquitto take their time.
  package static let tested = othersAreTested ? allCases : [mosquitto]

  /// Whether this run is one of the long ones.
  package static let othersAreTested = Selection.isWhole
}
