import Configuration
import Core
import Discovery
import MQTT
import MQTTCore
import NIOCore
import Outbox
import Planning
import Platform
import Readings
import Sensing

extension Configuration {
  /// - Parameter thermometers: the same for every plan of one agent, since a conversion is of all sensors of a bus, also
  ///   of those that were there before a reload.
  func daemonPlan(
    device: String, instance: String, root: FileRoot, runtimeFolder: String?, memory: MemoryLimit?,
    thermometers: W1Conversions = W1Conversions()
  ) throws(PlanError) -> Daemon.Plan {
    var streams: [Stream] = []
    var plannedSensors: [PlannedSensor] = []
    for sensor in sensors {
      plannedSensors.append(sensor.planned(stream: streams.count, root: root, thermometers: thermometers))
      streams.append(try stream(sensor.name, isRetained: sensor.isRetained, device: device))
    }
    thermometers.keep(only: sensors.compactMap(\.source.thermometer))
    var plannedInputs: [PlannedInput] = []
    for input in inputs {
      plannedInputs.append(input.planned(stream: streams.count))
      var stream = try stream(input.name, isRetained: input.isRetained, device: device)
      stream.levels = input.levels
      stream.timePrecision = .microseconds
      streams.append(stream)
    }
    let told = try homeAssistant.isEnabled ? homeAssistantDevice(device: device, root: root) : nil
    return Daemon.Plan(
      client: Client.Configuration(link, tls: tls), connect: connectPacket(device: device),
      presence: try presenceMessages(device: device, instance: instance), streams: streams,
      sensors: plannedSensors, inputs: plannedInputs,
      homeAssistant: told, homie: try homiePlan(device: device), root: root,
      countCheckpoint: countCheckpoint,
      health: HealthPlan(
        topic: try Self.topicName(TopicTemplate.health.expanded(device: device)), interval: health.interval,
        metricsFile: metricsFile, device: device),
      outbox: outboxRules(memory), qos: QoS(rawValue: UInt8(clamping: qos)) ?? .atLeastOnce,
      shutdownTimeout: broker.shutdownTimeout, runtimeFolder: runtimeFolder, cleanStart: broker.cleanStart,
      device: device)
  }

  /// Of the names that are configured, in the order of their streams.
  private func outboxRules(_ memory: MemoryLimit?) -> Outbox.Rules {
    let writing: Outbox.Writing =
      switch storage.sync {
      case .always: .always
      case .never: .never
      case .within(let delay): .after(delay, outage: storage.syncOutage)
      }
    return Outbox.Rules(
      limit: storage.maxSize, memoryLimit: memory.map { min(storage.maxSize, $0.outboxShare) }, writing: writing,
      drainRate: storage.drainRate,
      keepsLatest: sensors.map { $0.keep == .latest } + inputs.map { $0.keep == .latest }, expiry: expiry)
  }

  /// The stream of a name that is not configured any more, and has readings that wait.
  func formerStream(_ name: String, device: String) throws(PlanError) -> Stream {
    var former = try stream(name, isRetained: false, device: device)
    former.isRemoved = true
    return former
  }

  private func stream(_ name: String, isRetained: Bool, device: String) throws(PlanError) -> Stream {
    Stream(
      name: name, topic: try Self.topicName(topic.expanded(device: device, name: name)),
      qos: QoS(rawValue: UInt8(clamping: qos)) ?? .atLeastOnce, isRetained: isRetained, format: format)
  }

  private func homiePlan(device: String) throws(PlanError) -> HomieLink.Plan? {
    guard homie.isEnabled else { return nil }
    let homieDevice = HomieDevice(self, device: device)
    do { _ = try HomieLifecycle(homieDevice, removed: []) } catch { throw .topic(homieDevice.base, error) }
    var connect = connectPacket(device: device)
    connect.clientIdentifier = homieClientIdentifier(device: device)
    // All it says is said anew with each connection.
    connect.cleanStart = true
    connect.properties.sessionExpiryInterval = 0
    return HomieLink.Plan(device: homieDevice, client: Client.Configuration(link, tls: tls), connect: connect)
  }

  private func homeAssistantDevice(device: String, root: FileRoot) throws(PlanError) -> HomeAssistantDevice {
    let model = try? root.text(of: "/proc/device-tree/model")
    do { return try HomeAssistantDevice(self, device: device, model: model) } catch {
      throw .topic(homeAssistant.topic(device: device), error)
    }
  }
}

extension Daemon.Plan {
  /// What is to be done again and again, besides reading sensors.
  func chores(_ lines: Lines) -> [Chore] {
    let counters = lines.counters
    var chores = counters.map { Chore(interval: $0.interval, action: .publishTotal($0.line)) }
    if !counters.isEmpty, let countCheckpoint { chores.append(Chore(interval: countCheckpoint, action: .storeCounts)) }
    if health.interval > .zero { chores.append(Chore(interval: health.interval, action: .tellHealth)) }
    if health.metricsFile != nil { chores.append(Chore(interval: health.metricsInterval, action: .writeMetrics)) }
    return chores
  }

  /// How each sensor is read.
  var jobs: [SensorID: ReadJob] { Dictionary(sensors.map { ($0.plan.id, $0.job) }) { first, _ in first } }
}

/// A sensor of the configuration, ready to be read.
package struct PlannedSensor: Sendable {
  /// What it was made of: as long as that is the same, it goes on.
  package let origin: SensorConfiguration
  package var plan: SensorPlan
  /// Under the id of the plan.
  package private(set) var job: ReadJob

  fileprivate init(origin: SensorConfiguration, plan: SensorPlan, job: ReadJob) {
    self.origin = origin
    self.plan = plan
    self.job = job
  }

  /// Another sensor under the same name: what an earlier source still reads is none of this one's.
  mutating func becomeAnother(_ number: UInt64) {
    job.id += "#\(number)"
    plan.id = SensorID(job.id)
  }

  /// The same sensor as before: its source may know something from its last read, or be in the middle of one.
  mutating func goOn(as before: PlannedSensor) {
    job = before.job
    plan.id = before.plan.id
  }
}

/// A GPIO line of the configuration, ready to be watched.
package struct PlannedInput: Sendable {
  /// What it was made of.
  package let origin: InputConfiguration
  package var plan: LinePlan
}

extension SensorConfiguration {
  fileprivate func planned(stream: Int, root: FileRoot, thermometers: W1Conversions) -> PlannedSensor {
    PlannedSensor(
      origin: self,
      plan: SensorPlan(
        id: SensorID(name), name: name, stream: stream, interval: interval, change: change, maxAge: maxAge, unit: unit,
        conditioning: Conditioning(map: map, scale: scale, offset: offset, range: range), average: average,
        decimals: decimals),
      job: ReadJob(id: name, source: source.source(in: root, thermometers: thermometers), timeout: timeout))
  }
}

extension InputConfiguration {
  fileprivate func planned(stream: Int) -> PlannedInput {
    PlannedInput(
      origin: self,
      plan: LinePlan(
        name: name, stream: stream, request: gpio,
        counter: gpio.mode == .counter ? LinePlan.Counter(interval: interval, scale: scale, unit: unit) : nil))
  }
}
