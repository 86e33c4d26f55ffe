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
  ///   - board: facts about the board, for people.
  ///   - memoryShare: bytes that may wait in memory while they cannot be written; nil: the size of the memory is
  ///     unknown.
  package func devicePlan(
    device: String, instance: String, board: BoardFacts, memoryShare: Int?
  ) throws(PlanError) -> DevicePlan {
    var streams: [Stream] = []
    var sensorPlans: [SensorPlan] = []
    for sensor in sensors {
      sensorPlans.append(sensor.plan(stream: StreamID(streams.count)))
      streams.append(try stream(sensor.name, isRetained: sensor.isRetained, device: device))
    }
    var inputPlans: [LinePlan] = []
    for input in inputs {
      inputPlans.append(input.plan(stream: StreamID(streams.count)))
      var stream = try stream(input.name, isRetained: input.isRetained, device: device)
      stream.levels = input.levels
      stream.timePrecision = .microseconds
      stream.isEvent = input.isEvent
      streams.append(stream)
    }
    var outputPlans: [OutputPlan] = []
    for output in outputs {
      outputPlans.append(output.plan(stream: StreamID(streams.count), device: device))
      streams.append(try stream(output.name, isRetained: true, device: device))
    }
    return DevicePlan(
      link: link, connect: connectPacket(device: device), cleanStart: broker.cleanStart,
      presence: try presenceMessages(device: device, instance: instance), streams: streams, sensors: sensorPlans,
      inputs: inputPlans, outputs: outputPlans, commands: try commandsPlan(device: device),
      homeAssistant: try homeAssistant.isEnabled ? homeAssistantDevice(device: device, board: board) : nil,
      homie: try described(by: board).homiePlan(device: device), countCheckpoint: countCheckpoint,
      health: HealthPlan(
        topic: try Self.topicName(TopicTemplate.health.expanded(device: device)), interval: health.interval,
        metricsFile: metricsFile, metricsAddress: metricsAddress,
        metricsInterval: health.interval > .zero ? health.interval : HealthKeys.metricsInterval, device: device),
      outbox: outboxRules(memoryShare), qos: QoS(rawValue: UInt8(clamping: qos)) ?? .atLeastOnce,
      shutdownTimeout: broker.shutdownTimeout, device: device)
  }

  /// nil: there are no outputs, or commands are switched off.
  private func commandsPlan(device: String) throws(PlanError) -> CommandsPlan? {
    guard takesCommands, !outputs.isEmpty else { return nil }
    func text(_ name: String) -> String { "\(topic.expanded(device: device, name: name))/set" }
    let fence = text(Self.fenceName)
    var names: [TopicName: String] = [:]
    for output in outputs { names[try Self.topicName(text(output.name))] = output.name }
    // One filter for all of them, the fence included: messages that a broker has kept for another filter may overtake
    // it.
    let filters = [try Self.topicFilter(text("+"))]
    let heartbeats = Set(outputs.compactMap { $0.heartbeat?.expanded(device: device) }).sorted()
    return CommandsPlan(
      filters: filters, heartbeats: try heartbeats.map { topic throws(PlanError) in try Self.topicFilter(topic) },
      fence: try Self.topicName(fence), names: names,
      ownPrefixes: ownPrefixes(device: device),
      ownTopics: [presence.topic.expanded(device: device)]
        + (homeAssistant.isEnabled ? [homeAssistant.topic(device: device)] : []),
      areFiltersOwn: topic.expanded(device: "a", name: "+") != topic.expanded(device: "b", name: "+"))
  }

  private static let fenceName = "fence"

  /// Where this device publishes: readings, presence, health, and descriptions for home automation.
  private func ownPrefixes(device: String) -> [String] {
    var prefixes = ["limpet/\(device)/"]
    // What stands before the name, and before the last level of the presence topic, where it is this device's alone.
    let readings = topic.expanded(device: device, name: "\u{0}").prefix { $0 != "\u{0}" }
    if readings.contains(device) { prefixes.append(String(readings)) }
    let status = presence.topic.expanded(device: device)
    let folder = status.lastIndex(of: "/").map { status[...$0] } ?? ""
    if folder.split(separator: "/").contains(device[...]) { prefixes.append(String(folder)) }
    if homie.isEnabled { prefixes.append(homie.base(device: device) + "/") }
    return prefixes.filter { !$0.isEmpty }
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
      keepsLatest: sensors.map { $0.keep == .latest } + inputs.map { $0.keep == .latest }
        + outputs.map { _ in false }, expiry: expiry)
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
    // Each connection publishes everything again.
    connect.cleanStart = true
    connect.properties.sessionExpiryInterval = 0
    return HomiePlan(device: homieDevice, link: link, connect: connect)
  }

  private func homeAssistantDevice(device: String, board: BoardFacts) throws(PlanError) -> HomeAssistantDevice {
    do { return try HomeAssistantDevice(self, device: device, board: board) } catch {
      throw .topic(homeAssistant.topic(device: device), error)
    }
  }

  /// Channels by the kernel's names for them, which say what their values are, in place of labels.
  func described(by board: BoardFacts) -> Configuration {
    var described = self
    for index in sensors.indices {
      guard let channel = board.channels[sensors[index].name] else { continue }
      described.sensors[index].source = sensors[index].source.reading(channel: channel)
    }
    return described
  }
}

extension SensorConfiguration {
  fileprivate func plan(stream: StreamID) -> SensorPlan {
    SensorPlan(
      id: SensorID(name), name: name, stream: stream, interval: interval, change: change, maxAge: maxAge, unit: unit,
      conditioning: Conditioning(map: map, scale: scale, offset: offset, range: range), average: average,
      decimals: decimals, timeout: timeout, retries: retries)
  }
}

extension InputConfiguration {
  fileprivate func plan(stream: StreamID) -> LinePlan {
    LinePlan(name: name, stream: stream, request: gpio, measure: measure)
  }

  private var measure: LinePlan.Measure? {
    let (quantity, factor): (LinePlan.Measure.Quantity, Double)
    switch gpio.mode {
    case .counter: (quantity, factor) = (.total, 1)
    case .frequency: (quantity, factor) = (.frequency, (unit == "rpm" ? 60 : 1) / Double(pulses))
    case .duty: (quantity, factor) = (.duty, 1)
    case .pulseWidth: (quantity, factor) = (.width, PulseWidthUnit(rawValue: unit ?? "")?.perSecond ?? 1)
    case .encoder: (quantity, factor) = (.position(stepsPerPeriod: stepsPerPeriod), 1)
    case .state, .event, .gesture: return nil
    }
    return LinePlan.Measure(quantity, interval: interval, scale: scale * factor, unit: unit)
  }
}

extension OutputConfiguration {
  fileprivate func plan(stream: StreamID, device: String) -> OutputPlan {
    var rules = rules
    rules.lost?.heartbeat = heartbeat?.expanded(device: device)
    return OutputPlan(name: name, stream: stream, request: request, rules: rules)
  }
}
