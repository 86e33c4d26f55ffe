import Instants
import JSON
import MQTTCore
import NIOCore
import Platform
import Status

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
