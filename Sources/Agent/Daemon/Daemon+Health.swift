import MQTT
import NIOCore

/// Where the agent tells how it fares.
struct HealthPlan: Sendable, Equatable {
  let topic: TopicName
  /// Zero: never.
  let interval: Duration
  /// For Prometheus; nil: nowhere.
  let metricsFile: String?
  /// A label of every number there.
  let device: String

  /// How often the file is written.
  var metricsInterval: Duration { interval > .zero ? interval : Self.standardInterval }

  static let standardInterval = Duration.seconds(60)
}

extension Daemon {
  /// Publishes the health reading. It tells of now, so one that cannot be sent is left out: the next one tells more.
  func tellHealth() {
    guard plan.health.interval > .zero, connection != nil, !farewell.isUnderWay, !departure.isLeaving, let client
    else { return }
    var object = JSONObject(capacity: 2048)
    object.add("time", WallClock.now().time(of: .now).description)
    Figure.add(figures, to: &object)
    let message = Message(topic: plan.health.topic, payload: object.finish(), qos: .atMostOnce, retain: false)
    do { try client.assumeIsolated { try $0.publish(message, token: FirstToken.health) } } catch {
      logger.warning("the health reading cannot be sent: \(error)")
    }
  }

  func writeMetrics() {
    metricsFile?.write(Prometheus.text(figures, labels: [("device", plan.health.device)]))
  }
}
