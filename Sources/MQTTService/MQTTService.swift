import MQTT
import ServiceLifecycle

/// A client as a service of swift-service-lifecycle: a `ServiceGroup` runs it beside others, and the group's graceful
/// shutdown calls the client's `shutDown`. It is a target of its own, so that only programs that want a service link
/// swift-service-lifecycle.
public struct MQTTService: Service {
  /// The client that runs.
  public let client: MQTTClient

  /// - Parameter client: one that has not run yet.
  public init(_ client: MQTTClient) { self.client = client }

  /// Runs the client until the group ends it, or it ends by itself.
  ///
  /// - Throws: as `MQTTClient.run`.
  public func run() async throws {
    try await withGracefulShutdownHandler {
      try await client.run()
    } onGracefulShutdown: {
      client.shutDown()
    }
  }
}
