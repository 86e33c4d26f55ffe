import Logging
import MQTTCore
import NIOCore
import NIOPosix

/// What lives for as long as a block of code.
extension MQTTClient {
  /// Runs a client while `body` runs, then sends DISCONNECT, within `Configuration.shutdownLimit`.
  ///
  /// If `body` throws or its task is cancelled, the client closes the connection without DISCONNECT, and the server
  /// publishes the will. If the client ends by itself (`Configuration.stopsAfter`), calls that wait for it in `body`
  /// fail, and this function throws the loss in place of the result.
  @discardableResult
  public static func withClient<Success>(
    _ configuration: Configuration, eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
    logger: Logger = Logger(label: "mqtt"), _ body: (MQTTClient) async throws -> Success
  ) async throws -> Success {
    let client = MQTTClient(configuration, eventLoop: eventLoop, logger: logger)
    async let run: Void = client.run()
    let result: Success
    do { result = try await body(client) } catch {
      await client.abort()
      _ = try? await run
      throw error
    }
    await client.disconnect(within: configuration.shutdownLimit)
    // A body that has not waited for anything may have been through before the client began.
    do { try await run } catch MQTTClientError.hasRun {}
    return result
  }

  /// Subscribes while `body` runs, and returns once the server has confirmed UNSUBSCRIBE.
  @discardableResult
  public nonisolated func withSubscription<Success>(
    _ filters: [Subscription], properties: Properties = Properties(),
    _ body: (MessageStream) async throws -> Success
  ) async throws -> Success {
    let stream = try await subscribe(filters, properties: properties)
    let result: Success
    do { result = try await body(stream) } catch {
      // Also where the task was cancelled.
      await giveBack(stream)
      throw error
    }
    // A client that ends meanwhile has given everything back.
    do { try await unsubscribe(stream) } catch {
      guard case .closed = error else { throw error }
    }
    return result
  }

  /// Subscribes to one filter for as long as `body` takes.
  @discardableResult
  public nonisolated func withSubscription<Success>(
    to filter: TopicFilter, qos: QoS = .atLeastOnce,
    _ body: (MessageStream) async throws -> Success
  ) async throws -> Success {
    try await withSubscription([Subscription(filter, qos: qos)], body)
  }
}
