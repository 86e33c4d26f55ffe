import MQTT
import ServiceLifecycle

/// A client as a service of swift-service-lifecycle: a `ServiceGroup` runs it beside others, and its graceful shutdown is
/// the client's `shutDown`. In a target of its own, so that only who wants a service links what comes with one.
public struct MQTTService: Service {
  /// What runs.
  public let client: MQTTClient

  /// - Parameter client: one that has not run yet.
  public init(_ client: MQTTClient) { self.client = client }

  /// Runs the client until the group ends it, or it ends by itself.
  ///
  /// - Throws: what `MQTTClient.run` throws.
  public func run() async throws {
    try await withGracefulShutdownHandler {
      try await client.run()
    } onGracefulShutdown: {
      client.shutDown()
    }
  }
}
