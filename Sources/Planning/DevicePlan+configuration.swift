import Configuration
import Discovery
import MQTTCore
import Measuring
import Outbox
import Plan
import Readings

extension Configuration {
  /// What an agent of this configuration is to do.
  ///
  /// - Parameters:
  ///   - instance: the name of this run.
  ///   - model: of the board, for people; nil: nobody knows.
  ///   - memoryShare: bytes that may wait in memory while they cannot be written; nil: nobody knows what there is.
  package func devicePlan(
    device: String, instance: String, model: String?, memoryShare: Int?
  ) throws(PlanError) -> DevicePlan {
    var streams: [Stream] = []
    var sensorPlans: [SensorPlan] = []
    for sensor in sensors {
      sensorPlans.append(sensor.plan(stream: streams.count))
      streams.append(try stream(sensor.name, isRetained: sensor.isRetained, device: device))
    }
    var inputPlans: [LinePlan] = []
    for input in inputs {
      inputPlans.append(input.plan(stream: streams.count))
      var stream = try stream(input.name, isRetained: input.isRetained, device: device)
      stream.levels = input.levels
      stream.timePrecision = .microseconds
      streams.append(stream)
    }
    return DevicePlan(
      link: link, connect: connectPacket(device: device), cleanStart: broker.cleanStart,
      presence: try presenceMessages(device: device, instance: instance), streams: streams, sensors: sensorPlans,
      inputs: inputPlans,
      homeAssistant: try homeAssistant.isEnabled ? homeAssistantDevice(device: device, model: model) : nil,
      homie: try homiePlan(device: device), countCheckpoint: countCheckpoint,
      health: HealthPlan(
        topic: try Self.topicName(TopicTemplate.health.expanded(device: device)), interval: health.interval,
        metricsFile: metricsFile,
        metricsInterval: health.interval > .zero ? health.interval : HealthKeys.metricsInterval, device: device),
      outbox: outboxRules(memoryShare), qos: QoS(rawValue: UInt8(clamping: qos)) ?? .atLeastOnce,
      shutdownTimeout: broker.shutdownTimeout, device: device)
  }

  /// Of the names that are configured, in the order of their streams.
  private func outboxRules(_ memoryShare: Int?) -> Outbox.Rules {
    let writing: Outbox.Writing =
      switch storage.sync {
      case .always: .always
      case .never: .never
      case .within(let delay): .after(delay, outage: storage.syncOutage)
      }
    return Outbox.Rules(
      limit: storage.maxSize, memoryLimit: memoryShare.map { min(storage.maxSize, $0) }, writing: writing,
      drainRate: storage.drainRate,
      keepsLatest: sensors.map { $0.keep == .latest } + inputs.map { $0.keep == .latest }, expiry: expiry)
  }

  /// The stream of a name that is not configured any more, and has readings that wait.
  package func formerStream(_ name: String, device: String) throws(PlanError) -> Stream {
    var former = try stream(name, isRetained: false, device: device)
    former.isRemoved = true
    return former
  }

  private func stream(_ name: String, isRetained: Bool, device: String) throws(PlanError) -> Stream {
    Stream(
      name: name, topic: try Self.topicName(topic.expanded(device: device, name: name)),
      qos: QoS(rawValue: UInt8(clamping: qos)) ?? .atLeastOnce, isRetained: isRetained, format: format)
  }

  private func homiePlan(device: String) throws(PlanError) -> HomiePlan? {
    guard homie.isEnabled else { return nil }
    let homieDevice = HomieDevice(self, device: device)
    do { _ = try HomieLifecycle(homieDevice, removed: []) } catch { throw .topic(homieDevice.base, error) }
    var connect = connectPacket(device: device)
    connect.clientIdentifier = homieClientIdentifier(device: device)
    // All it says is said anew with each connection.
    connect.cleanStart = true
    connect.properties.sessionExpiryInterval = 0
    return HomiePlan(device: homieDevice, link: link, connect: connect)
  }

  private func homeAssistantDevice(device: String, model: String?) throws(PlanError) -> HomeAssistantDevice {
    do { return try HomeAssistantDevice(self, device: device, model: model) } catch {
      throw .topic(homeAssistant.topic(device: device), error)
    }
  }
}

extension SensorConfiguration {
  fileprivate func plan(stream: Int) -> SensorPlan {
    SensorPlan(
      id: SensorID(name), name: name, stream: stream, interval: interval, change: change, maxAge: maxAge, unit: unit,
      conditioning: Conditioning(map: map, scale: scale, offset: offset, range: range), average: average,
      decimals: decimals, timeout: timeout, retries: retries)
  }
}

extension InputConfiguration {
  fileprivate func plan(stream: Int) -> LinePlan {
    LinePlan(
      name: name, stream: stream, request: gpio,
      counter: gpio.mode == .counter ? LinePlan.Counter(interval: interval, scale: scale, unit: unit) : nil)
  }
}
