import CoreMetrics
import MQTTCore

/// The numbers that a client gives to swift-metrics, if its configuration says so.
///
/// | label | what |
/// |---|---|
/// | `mqtt_connections` | connections that servers agreed to: all but the first are reconnects |
/// | `mqtt_connections_lost` | connections and attempts that ended but on request |
/// | `mqtt_messages_published`, `mqtt_messages_received` | messages given to the session, and from it |
/// | `mqtt_bytes_sent`, `mqtt_bytes_received` | bytes of MQTT, below TLS and WebSocket there are more |
/// | `mqtt_publish_failures` | messages that servers refused, or that could not be sent |
/// | `mqtt_messages_in_flight` | messages sent and not acknowledged (a gauge) |
public struct MQTTMetrics: Sendable {
  /// nil: the one that the application has bootstrapped swift-metrics with.
  public var factory: (any MetricsFactory)?
  /// Dimensions of every metric, such as a name that distinguishes two clients.
  public var dimensions: [(String, String)]

  /// By default the factory of swift-metrics, without dimensions.
  public init(factory: (any MetricsFactory)? = nil, dimensions: [(String, String)] = []) {
    self.factory = factory
    self.dimensions = dimensions
  }
}

/// The counters of one client.
final class Meters {
  private let connections: Counter
  private let losses: Counter
  private let published: Counter
  private let messagesReceived: Counter
  private let bytesSent: Counter
  private let bytesReceived: Counter
  private let failures: Counter
  private let inFlight: Gauge
  /// What has been counted of the transports' bytes.
  private var counted = (sent: UInt64(0), received: UInt64(0))
  private var lastInFlight = -1

  init(_ metrics: MQTTMetrics) {
    let factory = metrics.factory ?? MetricsSystem.factory
    func counter(_ label: String) -> Counter {
      Counter(label: label, dimensions: metrics.dimensions, factory: factory)
    }
    connections = counter("mqtt_connections")
    losses = counter("mqtt_connections_lost")
    published = counter("mqtt_messages_published")
    messagesReceived = counter("mqtt_messages_received")
    bytesSent = counter("mqtt_bytes_sent")
    bytesReceived = counter("mqtt_bytes_received")
    failures = counter("mqtt_publish_failures")
    inFlight = Gauge(label: "mqtt_messages_in_flight", dimensions: metrics.dimensions, factory: factory)
  }

  func connected() { connections.increment() }

  func publishes() { published.increment() }

  func received() { messagesReceived.increment() }

  func settled(_ result: Result<PublishResult, PublishError>) { if case .failure = result { failures.increment() } }

  func lost(_ loss: ConnectionLoss, _ client: MQTTSessionDriver?) {
    switch loss {
    case .session(.requested), .aborted: break
    default: losses.increment()
    }
    count(client, underWay: max(lastInFlight, 0))
  }

  /// At the end of a turn.
  func count(_ client: MQTTSessionDriver?, underWay: Int) {
    if underWay != lastInFlight {
      lastInFlight = underWay
      inFlight.record(underWay)
    }
    guard let bytes = client?.assumeIsolated({ $0.carrier.traffic }), bytes != counted else { return }
    bytesSent.increment(by: bytes.sent - counted.sent)
    bytesReceived.increment(by: bytes.received - counted.received)
    counted = bytes
  }
}
