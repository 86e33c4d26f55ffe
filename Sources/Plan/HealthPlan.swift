import LimpetText
import MQTTCore

/// Where the agent publishes its health.
package struct HealthPlan: Sendable, Equatable {
  package let topic: TopicName
  /// Zero: never.
  package let interval: Duration
  /// For Prometheus; nil: nowhere.
  package let metricsFile: String?
  /// The address for Prometheus to scrape; nil: none.
  package let metricsAddress: ListenAddress?
  /// A label of every number there.
  package let device: String

  /// How often the file is written.
  package let metricsInterval: Duration

  package init(
    topic: TopicName, interval: Duration, metricsFile: String?, metricsAddress: ListenAddress? = nil,
    metricsInterval: Duration, device: String
  ) {
    self.topic = topic
    self.interval = interval
    self.metricsFile = metricsFile
    self.metricsAddress = metricsAddress
    self.metricsInterval = metricsInterval
    self.device = device
  }
}
