import Sensing
import Storage
import Time

/// What `limpet check` says of a configuration that is right: what will be published where, how fast a lost device is
/// seen, how long the buffer lasts.
public struct ConfigurationSummary: CustomStringConvertible {
  private let configuration: Configuration
  private let device: String
  private let deviceNote: String
  private let root: FileRoot

  public init(_ configuration: Configuration, root: FileRoot) {
    self.configuration = configuration
    self.root = root
    if case .given(let id) = configuration.device.id {
      (device, deviceNote) = (id, "as configured")
    } else if let board = BoardIdentity.read(in: root) {
      device = DeviceIdentity.identifier(for: board.text)
      deviceNote = board.source == .deviceTree ? "from the board's serial number" : "from /etc/machine-id"
    } else {
      (device, deviceNote) = ("{device}", "random, made and stored at the first start")
    }
  }

  /// For an agent that knows who it is.
  init(_ configuration: Configuration, root: FileRoot, device: String) {
    self.configuration = configuration
    self.root = root
    self.device = device
    deviceNote = "as stored"
  }

  public var description: String {
    let rows =
      [
        ("device", "\(device) (\(deviceNote))"), ("broker", broker), ("session", session), ("status", status),
        ("presence", guarantee), ("buffer", buffer), ("storage", storage), ("control", configuration.control),
      ] + health + discovery
    return (rows.map { Self.row($0.0, $0.1) } + ["readings"] + readings).joined(separator: "\n")
  }

  /// What is promised, in plain words.
  var guarantees: [String] {
    [guarantee, "the buffer: " + buffer, "the storage: " + storage, "the session: " + session]
  }

  private static func row(_ name: String, _ text: String) -> String {
    name + String(repeating: " ", count: max(1, 10 - name.count)) + text
  }

  private var health: [(String, String)] {
    var rows: [(String, String)] = []
    let interval = configuration.health.interval
    if interval > .zero {
      let topic = TopicTemplate.health.expanded(device: device)
      rows.append(("health", "\(topic): how the agent fares, every \(interval.inWords)"))
    }
    if let file = configuration.metricsFile {
      let often = (interval > .zero ? interval : HealthPlan.standardInterval).inWords
      rows.append(("metrics", "\(file): the same numbers for Prometheus, every \(often)"))
    }
    return rows
  }

  private var broker: String {
    let version =
      switch configuration.broker.version {
      case .automatic: "MQTT 5, and 3.1.1 where a server cannot"
      case .v5: "MQTT 5"
      case .v311: "MQTT 3.1.1"
      }
    return configuration.broker.urls.map(\.description).joined(separator: ", ") + "; " + version
  }

  private var session: String {
    let client = "client id \(configuration.clientIdentifier(device: device))"
    guard !configuration.broker.cleanStart else { return client + "; begins anew with each connection" + kept }
    switch configuration.broker.sessionExpiry {
    case .after(let duration): return client + "; the broker keeps it for \(duration.inWords) (MQTT 5)" + kept
    case .never: return client + "; the broker keeps it for ever" + kept
    }
  }

  /// What the next process knows of it.
  private var kept: String {
    switch configuration.storage.sync {
    case .always: "; here it is stored at once"
    case .within(let delay): "; here it is stored: QoS 1 after \(delay.inWords) without an answer, QoS 2 at once"
    case .never: "; here it ends with the process"
    }
  }

  private var status: String {
    let presence = configuration.presence
    return
      "\(presence.topic.expanded(device: device)): \(presence.online) or \(presence.offline), retained, QoS \(presence.qos)"
  }

  private var guarantee: String {
    let keepAlive = configuration.broker.keepalive
    // The slowest of the servers that may be connected to.
    let transports = configuration.broker.urls.map(\.server.transport)
    let transport = transports.contains(.secureWebSocket) ? .secureWebSocket : transports.first ?? .tcp
    guard
      let seconds = PresenceMessages.detectWithin(
        keepAlive: UInt16(clamping: keepAlive.components.seconds), willDelay: configuration.presence.willDelay, .v5,
        over: transport)
    else { return "a device that is lost without a word is never noticed: the keepalive is off" }
    let delay = configuration.presence.willDelay
    let more = delay > .zero ? " + \(delay.inWords) will delay" : ""
    return
      "a lost device is seen within \(seconds.shortestDecimal) s (keepalive \(keepAlive.inWords) × 1.5 + "
      + "\(PresenceMessages.brokerRound(transport).shortestDecimal) s for the broker\(more)), a clean stop at once"
  }

  /// How long the buffer lasts, and how long it takes to be empty again.
  private var buffer: String {
    let rate = configuration.sensors.reduce(0) { $0 + .seconds(1) / ($1.average?.window ?? $1.interval) }
    let storage = configuration.storage
    let isMemory = storage.sync == .never
    let size = isMemory ? min(storage.maxSize, memoryShare ?? .max) : storage.maxSize
    let megabytes = "\(Self.megabytes(size)) MB \(isMemory ? "in memory" : "on disk")"
    let room = size / (isMemory ? MemoryLayout<Reading>.stride : Self.typicalRow)
    let holds = "\(megabytes), about \(room) readings"
    let drain = "; a full one drains in \(Self.words(Double(room) / Double(storage.drainRate)))"
    guard rate > 0 else { return holds + drain }
    return holds + ": lasts about \(Self.words(Double(room) / rate)) without a broker, then the oldest readings go"
      + drain + ", what an hour leaves in \(Self.words(rate * 3600 / Double(storage.drainRate)))"
  }

  private static func megabytes(_ bytes: Int) -> String { (Double(bytes / 100_000) / 10).shortestDecimal }

  /// What may wait in memory where the disk cannot be written, here or in the package's service.
  private var memoryShare: Int? {
    MemoryLimit.read(in: root, besides: ["/system.slice/limpet.service"])?.outboxShare
  }

  /// What is not as the configuration has it on this board; empty: nothing.
  public var warnings: [String] {
    guard let share = memoryShare, configuration.storage.maxSize > share else { return [] }
    return [
      """
      storage.max_size is \(Self.megabytes(configuration.storage.maxSize)) MB, and a quarter of the memory that limpet \
      may take (MemoryMax= of its service, or all there is) is \(Self.megabytes(share)) MB: while the disk cannot be \
      written, the oldest readings go beyond \(Self.megabytes(share)) MB
      """
    ]
  }

  /// What a number with a unit takes as a row.
  private static var typicalRow: Int {
    let now = BootClock.now
    let reading = Reading(
      stream: 0, content: .good(.number(21.5)), unit: "°C", time: now, sequence: 100_000, restarted: false)
    let codec = ReadingCodec(boot: 1, booted: now - .seconds(1_000_000), boots: [:])
    let clock = WallClock(instant: now, sinceEpoch: .seconds(1_795_176_000), isSynchronized: true)
    return StoredReading.size(ofData: codec.encode(reading, clock).count)
  }

  private static func words(_ seconds: Double) -> String {
    Duration.seconds(min(max(1, seconds.rounded(.up)), 3.15e9)).inWords
  }

  /// What a power cut costs.
  private var storage: String {
    switch configuration.storage.sync {
    case .always: return "a reading is on disk before it is sent; a power cut loses none that was"
    case .within(let delay):
      let outage = max(delay, configuration.storage.syncOutage)
      return "a reading is on disk when it has waited for \(delay.inWords), in an outage of more than "
        + "\(Outbox.longOutage.inWords) for \(outage.inWords); a power cut loses what has waited less than that"
    case .never: return "memory only: a power cut or the end of the process loses all that waits"
    }
  }

  /// What home automation is told.
  private var discovery: [(String, String)] {
    var rows: [(String, String)] = []
    if configuration.homeAssistant.isEnabled {
      let count = HomeAssistantComponents(configuration: configuration, device: device).all.count
      rows.append(
        (
          "discovery",
          "Home Assistant: \(configuration.homeAssistant.topic(device: device)), \(count == 1 ? "1 entity" : "\(count) entities"), retained; again when "
            + "\(configuration.homeAssistant.birthTopic) says online"
        ))
    }
    if configuration.homie.isEnabled {
      let nodes = configuration.sensors.count + configuration.inputs.count
      rows.append(
        (
          "discovery",
          "Homie 5: \(configuration.homie.base(device: device)), \(nodes == 1 ? "1 node" : "\(nodes) nodes"), over a second connection with the client "
            + "id \(configuration.homieClientIdentifier(device: device))"
        ))
    }
    return rows
  }

  private var readings: [String] {
    let sensors = configuration.sensors.map { sensor in
      let topic = configuration.topic.expanded(device: device, name: sensor.name)
      let unit = (sensor.unit ?? sensor.source.unit).map { $0.isEmpty ? "" : " in \($0)" } ?? ""
      return "  \(topic): \(sensor.source)\(trips(sensor.source))\(unit), every \(sensor.interval.inWords)"
        + conditioning(sensor) + average(sensor) + condition(sensor)
    }
    let inventory = configuration.inputs.isEmpty ? nil : GPIOInventory(root: root)
    let inputs = configuration.inputs.map { input in
      let place = inventory.map { "; " + Self.place(of: input.gpio, in: $0) } ?? ""
      return "  \(configuration.topic.expanded(device: device, name: input.name)): \(what(input))\(place)"
    }
    return sensors.isEmpty && inputs.isEmpty ? ["  none"] : sensors + inputs
  }

  private func what(_ input: InputConfiguration) -> String {
    let kind =
      switch input.gpio.mode {
      case .state: "its level when that changes"
      case .event: "every edge"
      case .counter: counter(input)
      }
    let pull = input.gpio.bias == .asIs ? "" : ", pull \(input.gpio.bias.rawValue)"
    let active = input.gpio.isActiveLow ? ", low is true" : ""
    let debounce = input.gpio.debounce > .zero ? ", debounced \(input.gpio.debounce.inWords)" : ""
    return kind + pull + active + debounce
  }

  private func counter(_ input: InputConfiguration) -> String {
    let total = "total and rate every \(input.interval.inWords)"
    guard let checkpoint = configuration.countCheckpoint else { return total + ", from zero after each start" }
    return total + ", stored every \(checkpoint.inWords)"
  }

  /// The line as it is on this machine now.
  private static func place(of input: GPIOInput, in inventory: GPIOInventory) -> String {
    do throws(GPIOError) {
      return "\(try input.place(in: inventory))"
    } catch {
      return "not to be read now: \(error)"
    }
  }

  /// What the kernel does at which temperature.
  private func trips(_ source: SensorKind) -> String {
    guard case .thermal(let name) = source,
      let zone = try? ThermalZone.all(in: root).first(where: { $0.type == name })
    else { return "" }
    let points = zone.tripPoints(in: root).map { "\($0.type) \($0.temperature.shortestDecimal) °C" }
    return points.isEmpty ? "" : " (\(points.joined(separator: ", ")))"
  }

  /// What is done with each value that was read, in the order in which it is done.
  private func conditioning(_ sensor: SensorConfiguration) -> String {
    var words = sensor.map.isEmpty ? "" : ", by map"
    if sensor.scale != 1 || sensor.offset != 0 {
      let offset = "\(sensor.offset < 0 ? "-" : "+") \(abs(sensor.offset).shortestDecimal)"
      words += ", × \(sensor.scale.shortestDecimal)" + (sensor.offset == 0 ? "" : " \(offset)")
    }
    return words + (sensor.range.map { ", range \($0)" } ?? "")
  }

  private func average(_ sensor: SensorConfiguration) -> String {
    sensor.average.map { ", the \($0.statistic.rawValue) of \($0.window.inWords)" } ?? ""
  }

  private func condition(_ sensor: SensorConfiguration) -> String {
    let step: String
    switch sensor.change {
    case nil: return ""
    case .absolute(let change):
      step = change.shortestDecimal + ((sensor.unit ?? sensor.source.unit).map { " \($0)" } ?? "")
    case .percent(let change): step = change.shortestDecimal + " %"
    }
    return ", if it moved by \(step)" + (sensor.maxAge.map { " or is \($0.inWords) old" } ?? "")
  }
}
