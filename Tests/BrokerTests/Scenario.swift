import Foundation
import MQTT
import MQTTCore
import NIOCore
import Synchronization
import TestScene
import Testing

/// One course of events between clients and a broker. What it does is in extensions, one for each subject.
final class Scenario: Sendable {
  let lane: Lane
  let broker: any Broker
  private let certificates: Certificates
  /// In front of every topic and identifier: the broker is shared with the scenarios before it.
  private let prefix = UUID().uuidString.prefix(8).lowercased()
  private let peers = Mutex<[Peer]>([])

  var traits: BrokerTraits { lane.traits }

  fileprivate init(_ lane: Lane) async throws {
    self.lane = lane
    let brokers = try #require(Brokers.current)
    (broker, certificates) = try await brokers.broker(lane.broker)
  }

  func topic(_ name: String) -> String { "\(prefix)/\(name)" }

  func configuration(_ name: String) throws -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(
      servers: [try broker.address(lane.transport)], clientIdentifier: "\(prefix)-\(name)")
    configuration.connection.version = lane.version
    configuration.connection.tls.authorities = certificates.authority
    configuration.connection.reconnect.minimum = .milliseconds(50)
    configuration.connection.reconnect.maximum = .milliseconds(400)
    configuration.connect.username = traits.username
    configuration.connect.password = traits.username.map { _ in ByteBuffer(string: "anything") }
    configuration.messageBufferLimit = 10_000
    return configuration
  }

  /// A client that is not started.
  func idlePeer(_ name: String, _ change: (inout MQTTClient.Configuration) throws -> Void = { _ in }) throws -> Peer {
    var configuration = try configuration(name)
    try change(&configuration)
    let peer = Peer(configuration)
    peers.withLock { $0.append(peer) }
    return peer
  }

  /// A client that is connected.
  func peer(
    _ name: String, _ change: (inout MQTTClient.Configuration) throws -> Void = { _ in }
  ) async throws -> Peer {
    let peer = try idlePeer(name, change)
    peer.start()
    try await peer.connection(1)
    return peer
  }

  /// A client that hears a topic.
  func listener(_ topic: String) async throws -> Peer {
    let peer = try await peer("listener") { $0.endsItsSession() }
    try await peer.subscribe(topic)
    return peer
  }

  fileprivate func end() async {
    for peer in peers.withLock({ $0 }) { await peer.end() }
  }
}

extension Lane {
  func play(_ act: (Scenario) async throws -> Void) async throws {
    let scenario = try await Scenario(self)
    do { try await act(scenario) } catch is Abandoned {
      // It has been recorded where it happened.
    } catch { Issue.record(error) }
    await scenario.end()
  }
}

extension MQTTClient.Configuration {
  /// The session ends with each connection.
  mutating func endsItsSession() {
    connect.cleanStart = true
    connect.properties.sessionExpiryInterval = nil
  }

  /// The server's session is this client's own, from another process say.
  mutating func knowsItsSession(on server: ServerAddress) {
    connection.session.owner = SessionOwner(
      server: server.description, clientIdentifier: connect.clientIdentifier)
  }

  mutating func leaves(_ will: String, to topic: String, delay: UInt32? = nil) throws {
    var message = Message(topic: try TopicName(topic), payload: ByteBuffer(string: will))
    message.properties.willDelayInterval = delay
    connect.will = message
  }
}
