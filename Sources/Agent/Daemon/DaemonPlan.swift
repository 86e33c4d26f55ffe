import MQTT
import NIOCore
import Sensing
import Storage

/// Why a configuration that is right by itself cannot be run here.
public enum PlanError: Error, CustomStringConvertible {
  case topic(String, TopicError)

  public var description: String {
    switch self {
    case .topic(let topic, let error): "topic \"\(topic)\": \(error)"
    }
  }
}

extension Configuration {
  /// The client identifier of a device.
  func clientIdentifier(device: String) -> String {
    if case .given(let given) = broker.clientID { given } else { device }
  }

  func clientConfiguration() -> Client.Configuration {
    var client = Client.Configuration(servers: broker.urls.map(\.server))
    switch broker.version {
    case .automatic: client.version = nil
    case .v5: client.version = .v5
    case .v311: client.version = .v311
    }
    client.tls.authorities = broker.tls.ca
    client.tls.certificate = broker.tls.certificate
    client.tls.privateKey = broker.tls.key
    client.tls.serverName = broker.tls.serverName
    client.tls.isInsecure = broker.tls.insecure
    client.connectTimeout = broker.connectTimeout
    client.reconnect.minimum = broker.reconnect.min
    client.reconnect.maximum = broker.reconnect.max
    client.reconnect.stableAfter = broker.reconnect.stableAfter
    return client
  }

  /// CONNECT without its will.
  func connectPacket(device: String) -> Connect {
    var properties = Properties()
    // A session that is never asked for again need not be kept.
    properties.sessionExpiryInterval =
      switch broker.sessionExpiry {
      case _ where broker.cleanStart: 0
      case .after(let duration): UInt32(clamping: duration.components.seconds)
      case .never: .max
      }
    return Connect(
      clientIdentifier: clientIdentifier(device: device), cleanStart: broker.cleanStart,
      keepAlive: UInt16(clamping: broker.keepalive.components.seconds), username: broker.username,
      password: broker.password.map { ByteBuffer(bytes: $0.exposed) }, properties: properties)
  }

  func presenceMessages(device: String, instance: String) throws(PlanError) -> PresenceMessages {
    PresenceMessages(
      status: try Self.topicName(presence.topic.expanded(device: device)),
      presence: try Self.topicName("limpet/\(device)/presence"),
      online: presence.online, offline: presence.offline,
      qos: QoS(rawValue: UInt8(clamping: presence.qos)) ?? .atLeastOnce, willDelay: presence.willDelay,
      lease: presence.lease,
      instance: instance, version: limpetVersion)
  }

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
    thermometers.keep(only: sensors.compactMap { if case .w1(let id) = $0.source { id } else { nil } })
    var plannedInputs: [PlannedInput] = []
    for (place, input) in inputs.enumerated() {
      plannedInputs.append(input.planned(stream: streams.count, place: place))
      var stream = try stream(input.name, isRetained: input.isRetained, device: device)
      stream.levels = input.levels
      stream.timePrecision = .microseconds
      streams.append(stream)
    }
    let told = try homeAssistant.isEnabled ? homeAssistantDevice(device: device, root: root) : nil
    return Daemon.Plan(
      client: clientConfiguration(), connect: connectPacket(device: device),
      presence: try presenceMessages(device: device, instance: instance), streams: streams,
      sensors: plannedSensors, inputs: plannedInputs, places: plannedInputs.count,
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

  /// How often counters that moved are stored; nil: never.
  var countCheckpoint: Duration? {
    switch storage.sync {
    case .always: .seconds(1)
    case .within: .seconds(60)
    case .never: nil
    }
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

  /// The client identifier of the Homie device's connection. One that the agent made has 22 letters and digits: with
  /// another it is still one that every server of 3.1.1 must take ([MQTT-3.1.3-5]).
  func homieClientIdentifier(device: String) -> String {
    let own = clientIdentifier(device: device)
    guard !own.isEmpty else { return own }
    let isMade = own.utf8.count == 22 && own.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    return isMade ? "h" + own : own + "-homie"
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
    return HomieLink.Plan(device: homieDevice, client: clientConfiguration(), connect: connect)
  }

  private func homeAssistantDevice(device: String, root: FileRoot) throws(PlanError) -> HomeAssistantDevice {
    let model = try? root.text(of: "/proc/device-tree/model")
    do { return try HomeAssistantDevice(self, device: device, model: model) } catch {
      throw .topic(homeAssistant.topic(device: device), error)
    }
  }

  private static func topicName(_ text: String) throws(PlanError) -> TopicName {
    do { return try TopicName(text) } catch { throw .topic(text, error) }
  }
}

extension Daemon.Plan {
  /// What is to be done again and again.
  var scheduled: [ScheduledWork] {
    var work = sensors.enumerated().map { ScheduledWork(interval: $1.interval, action: .read(sensor: $0)) }
    var counts = false
    for input in inputs {
      guard let counter = input.counter else { continue }
      counts = true
      work.append(ScheduledWork(interval: counter.interval, action: .publishTotal(input: input.place)))
    }
    if counts, let countCheckpoint { work.append(ScheduledWork(interval: countCheckpoint, action: .storeCounts)) }
    if health.interval > .zero { work.append(ScheduledWork(interval: health.interval, action: .tellHealth)) }
    if health.metricsFile != nil {
      work.append(ScheduledWork(interval: health.metricsInterval, action: .writeMetrics))
    }
    return work
  }
}

extension SensorConfiguration {
  fileprivate func planned(stream: Int, root: FileRoot, thermometers: W1Conversions) -> PlannedSensor {
    PlannedSensor(
      origin: self, stream: stream,
      job: ReadJob(id: name, source: source.source(in: root, thermometers: thermometers), timeout: timeout),
      interval: interval, change: change, maxAge: maxAge, unit: unit,
      conditioning: Conditioning(map: map, scale: scale, offset: offset, range: range), average: average,
      decimals: decimals)
  }
}

extension InputConfiguration {
  fileprivate func planned(stream: Int, place: Int) -> PlannedInput {
    PlannedInput(
      origin: self, stream: stream, place: place, gpio: gpio,
      counter: gpio.mode == .counter ? PlannedInput.Counter(interval: interval, scale: scale, unit: unit) : nil)
  }
}

extension BrokerURL {
  /// The same for the client.
  var server: ServerAddress {
    let transport: ServerAddress.Transport =
      switch scheme {
      case .mqtt: .tcp
      case .mqtts: .tls
      case .ws: .webSocket
      case .wss: .secureWebSocket
      case .unix: .unix
      }
    return ServerAddress(transport: transport, host: host, port: port, path: path)
  }
}
