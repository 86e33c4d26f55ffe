import LimpetInstants
import MQTT
import TestScene
import Testing

/// What there is to see of one status topic: by somebody who has been watching all the time, and by somebody who comes.
final class Witness: Sendable {
  private let topic: String
  private let port: Int
  private let version: MQTTCore.ProtocolVersion
  private let username: String?
  private let watcher: Subscriber

  /// - Parameter port: of the broker, for plain TCP.
  init(_ topic: String, _ broker: BrokerKind, port: Int, _ scene: Scene) async throws {
    self.topic = topic
    self.port = port
    version = broker.traits.versions.contains(.v5) ? .v5 : .v311
    username = broker.traits.username
    let watcher = try Subscriber([topic], username: username)
    self.watcher = watcher
    scene.atEnd { await watcher.end() }
    await watcher.start(port: port, version: version)
    try await until("the watcher is subscribed") { watcher.isSubscribed }
  }

  /// What the watcher has heard, the last of it.
  var last: Subscriber.Record? { watcher.records.last }

  /// What the watcher knows: nobody is told when a retained message expires, so it keeps the time itself.
  func status(at now: ContinuousClock.Instant) -> String? {
    guard let last = watcher.records.last else { return nil }
    if let expiry = last.expiry, last.received + expiry <= now { return nil }
    return last.payload.isEmpty ? nil : last.payload
  }

  /// The last moment before `now`, and after `start`, at which the watcher did not know the truth; nil: it always did.
  func lastWrong(
    _ truth: Truth, since start: ContinuousClock.Instant, at now: ContinuousClock.Instant
  ) -> ContinuousClock.Instant? {
    guard truth.holds(status(at: now)) else { return now }
    let records = watcher.records
    // Each record is what was known until the next one came, or until it expired.
    for (index, record) in records.enumerated().reversed() {
      let next = index + 1 < records.count ? records[index + 1].received : now
      let end = min(next, record.expiry.map { record.received + $0 } ?? next)
      if !truth.holds(record.payload), end > start { return end }
      if record.received <= start { break }
    }
    return nil
  }

  enum Look: Equatable {
    case noAnswer
    /// nil: nothing is retained.
    case saw(String?)
  }

  /// What who subscribes now is told first.
  func look() async throws -> Look {
    let marker = "marker/\(UInt64.random(in: 0 ... .max))"
    let visitor = try Subscriber([topic, marker], username: username)
    await visitor.start(port: port, version: version)
    let look = await look(of: visitor, marker)
    await visitor.end()
    return look
  }

  private func look(of visitor: Subscriber, _ marker: String) async -> Look {
    guard await happens({ visitor.isSubscribed }) else { return .noAnswer }
    // What the broker keeps comes before what is published now.
    try? await visitor.publish("", to: marker)
    guard await happens({ !visitor.records(of: marker).isEmpty }) else { return .noAnswer }
    let status = visitor.records(of: topic).last?.payload ?? ""
    return .saw(status.isEmpty ? nil : status)
  }

  private func happens(_ condition: () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(2) * Patience.factor
    while ContinuousClock.now < deadline {
      if condition() { return true }
      try? await pause(for: .milliseconds(5))
    }
    return false
  }
}
