import Configuration
import MQTTCore

/// Where the agent tells how it fares.
package struct HealthPlan: Sendable, Equatable {
  package let topic: TopicName
  /// Zero: never.
  package let interval: Duration
  /// For Prometheus; nil: nowhere.
  package let metricsFile: String?
  /// A label of every number there.
  package let device: String

  package init(topic: TopicName, interval: Duration, metricsFile: String?, device: String) {
    self.topic = topic
    self.interval = interval
    self.metricsFile = metricsFile
    self.device = device
  }

  /// How often the file is written.
  package var metricsInterval: Duration { interval > .zero ? interval : HealthKeys.metricsInterval }
}
