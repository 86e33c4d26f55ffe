import Foundation
import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

/// Two RabbitMQ nodes in one cluster, and a client that knows both.
@Suite(
  "The client on a RabbitMQ cluster", .enabled(if: BrokerKind.othersAreTested), .serialized, .showsLogs, .timed,
  .timeLimit(.minutes(4 * Patience.factor)))
struct RabbitMQClusterTests {
  private struct Cluster {
    let nodes: [BrokerProgram]
    let addresses: [ServerAddress]
  }

  /// - Parameter policy: of the queues that sessions are kept in, as JSON.
  private func cluster(_ scene: Scene, policy: String? = nil) async throws -> Cluster {
    let nodes = try await scene.rabbitMQCluster(try await scene.certificates(), policy: policy)
    return Cluster(nodes: nodes, addresses: try nodes.map { try $0.address(.tcp) })
  }

  /// A client that is connected to the first of its servers.
  private func peer(_ scene: Scene, _ name: String, _ servers: [ServerAddress]) async throws -> Peer {
    var configuration = MQTTClient.Configuration(servers: servers, clientIdentifier: name)
    configuration.connection.version = .v311
    configuration.connection.reconnect.minimum = .milliseconds(100)
    configuration.connection.reconnect.maximum = .seconds(1)
    let peer = Peer(configuration)
    scene.atEnd { await peer.end() }
    peer.start()
    try await peer.connection(1)
    #expect(peer.servers == [servers[0]])
    return peer
  }

  @Test("the client's node is killed, the sessions are mirrored: it goes on through the other, and hears what is sent")
  func goesOnWithMirrors() async throws {
    try await withScene { scene in
      let cluster = try await cluster(scene, policy: #"{"ha-mode":"all","ha-sync-mode":"automatic"}"#)
      let peer = try await peer(scene, "device", cluster.addresses)
      let other = try await self.peer(scene, "other", [cluster.addresses[1]])
      try await peer.subscribe("to/device", qos: .atLeastOnce)
      try await other.subscribe("from/device", qos: .atLeastOnce)
      try await peer.publish("before", to: "from/device")
      try await other.arrival(of: "before", to: "from/device")

      try await cluster.nodes[0].stop(SIGKILL)
      try await peer.publish("after", to: "from/device")
      try await other.arrival(of: "after", to: "from/device")
      // What is published before the subscription is made again is for the old session, which nobody trusts: the
      // client's state is that of another server.
      try await until("the device hears the other", within: .seconds(60)) {
        peer.servers.last == cluster.addresses[1] && peer.connections.last?.sessionPresent == false
      }
      let publishing = Task {
        while peer.payloads(of: "to/device").isEmpty { try await other.publish("hello", to: "to/device") }
      }
      try await peer.arrival(of: "hello", to: "to/device", within: .seconds(30))
      publishing.cancel()
      _ = await publishing.result
      #expect(other.losses.isEmpty)
    }
  }

  /// A session's queue lives on one node. While that is away, the others agree to the client's CONNECT and close on its
  /// SUBSCRIBE ("home node of durable queue is down"): a CONNACK is no reason to begin the back-off anew. (It is not
  /// waited for: 3.10.8 did not take clients again within 90 s where one node of two had been killed.)
  @Test("the client's node is killed, nothing is mirrored: who publishes goes on, who subscribes waits")
  func subscriberWaits() async throws {
    try await withScene { scene in
      let cluster = try await cluster(scene)
      let publisher = try await peer(scene, "publisher", cluster.addresses)
      let subscriber = try await peer(scene, "subscriber", cluster.addresses)
      let other = try await peer(scene, "other", [cluster.addresses[1]])
      try await subscriber.subscribe("t", qos: .atLeastOnce)
      try await other.subscribe("t", qos: .atLeastOnce)
      try await publisher.publish("before", to: "t")
      for listener in [subscriber, other] { try await listener.arrival(of: "before", to: "t") }

      try await cluster.nodes[0].stop(SIGKILL)
      try await publisher.publish("meanwhile", to: "t")
      try await other.arrival(of: "meanwhile", to: "t")
      #expect(publisher.servers.last == cluster.addresses[1])
      try await until("the other node agreed and closed, three times", within: .seconds(60)) {
        subscriber.servers.count { $0 == cluster.addresses[1] } > 3
      }
      #expect(subscriber.payloads(of: "t") == ["before"])
      #expect(other.losses.isEmpty)
    }
  }
}
