import Configuration
import LimpetPlatform
import LimpetText
import Measuring
import Planning
import Sensing

/// What `limpet check` prints for a valid configuration: what limpet will publish where, how fast the broker publishes
/// that the device is lost, how long the buffer lasts.
public struct ConfigurationSummary: CustomStringConvertible {
  let configuration: Configuration
  let device: String
  private let deviceNote: String
  private let root: FileRoot
  /// Empty where the configuration has no lines.
  private let inventory: GPIOInventory
  private let isOffline: Bool
  /// nil: nothing is read.
  let sources: SourceCheck?

  private var guarantees: Guarantees { Guarantees(configuration, device: device, memoryShare: memoryShare) }

  /// - Parameter isOffline: no sensor is read; else each is, once, which takes as long as the slowest.
  public init(_ configuration: Configuration, root: FileRoot, isOffline: Bool) {
    sources = isOffline ? nil : SourceCheck(configuration, root: root)
    self.configuration = configuration
    self.root = root
    self.isOffline = isOffline
    let hasLines = !configuration.inputs.isEmpty || !configuration.outputs.isEmpty
    inventory = hasLines ? GPIOInventory(root: root) : GPIOInventory(chips: [])
    if case .given(let id) = configuration.device.id {
      (device, deviceNote) = (id, "as configured")
    } else if let board = BoardIdentity.read(in: root) {
      device = DeviceIdentity.identifier(for: board.text)
      deviceNote = board.source == .deviceTree ? "from the board's serial number" : "from /etc/machine-id"
    } else {
      (device, deviceNote) = ("{device}", "random, made and stored at the first start")
    }
  }

  /// All except the readings.
  var rows: [(String, String)] {
    [
      ("device", "\(device) (\(deviceNote))"), ("broker", broker), ("session", guarantees.session),
      ("status", status),
      ("presence", guarantees.presence), ("buffer", guarantees.buffer), ("storage", guarantees.storage),
      ("control", configuration.control),
    ] + health + discovery
  }

  public var description: String {
    (rows.map { Self.row($0.0, $0.1) } + ["readings"] + readings).joined(separator: "\n")
  }

  private static func row(_ name: String, _ text: String) -> String {
    name.padded(to: 9) + " " + text
  }

  private var health: [(String, String)] {
    var rows: [(String, String)] = []
    let interval = configuration.health.interval
    if interval > .zero {
      let topic = TopicTemplate.health.expanded(device: device)
      rows.append(("health", "\(topic): the agent's own health report, every \(interval.inWords)"))
    }
    if let file = configuration.metricsFile {
      let often = (interval > .zero ? interval : HealthKeys.metricsInterval).inWords
      rows.append(("metrics", "\(file): the same numbers for Prometheus, every \(often)"))
    }
    if let address = configuration.metricsAddress {
      rows.append(("metrics", "http://\(address)/metrics: numbers and last values, for Prometheus"))
    }
    return rows
  }

  private var broker: String {
    let version =
      switch configuration.broker.version {
      case .automatic: "MQTT 5, or 3.1.1 if the broker lacks 5"
      case .v5: "MQTT 5"
      case .v311: "MQTT 3.1.1"
      }
    let urls = configuration.broker.urls.map(\.description)
    let patience = configuration.firstServerPatience.inWords
    let returning =
      configuration.broker.prefersFirst
      ? "; returns to \(urls[0]) once that has been reachable for \(patience)" : ""
    return urls.joined(separator: ", ") + "; " + version + returning
  }

  private var status: String {
    let presence = configuration.presence
    return
      "\(presence.topic.expanded(device: device)): \(presence.online) or \(presence.offline), retained, QoS \(presence.qos)"
  }

  /// How much may wait in memory if the disk cannot be written, here or in the package's service.
  private var memoryShare: Int? {
    MemoryLimit.read(in: root, besides: ["/system.slice/limpet.service"])?.outboxShare
  }

  /// Differences between the configuration and this board; empty: none.
  public var warnings: [String] { tooLarge + busyBuses + claimedPins + unreadable + openMetrics + outputs.warnings }

  var outputs: OutputSummary {
    OutputSummary(
      configuration: configuration, device: device,
      board: isOffline ? nil : BoardLines(configuration, in: inventory, root: root),
      devices: isOffline ? nil : BoardDevices(configuration, root: root))
  }

  private var unreadable: [String] {
    let names = sources?.failures ?? []
    guard !names.isEmpty else { return [] }
    return [
      "\(names.count) of \(configuration.sensors.count) sensors cannot be read now (\(names.joined(separator: ", "))): see "
        + "below; `limpet scan` lists those of this board"
    ]
  }

  private var openMetrics: [String] {
    guard let address = configuration.metricsAddress, !address.isLoopback else { return [] }
    return [
      "\(Configuration.path(of: MetricsKeys.listen)) is \(address): whoever reaches this board's network can read every value there; write 127.0.0.1 "
        + "if the scraper is on this board, or let a firewall decide who may"
    ]
  }

  /// Sensors that cannot be read as often as they should.
  private var busyBuses: [String] {
    let thermometers = configuration.sensors.compactMap { sensor in
      sensor.source.thermometer.map { (id: $0, interval: sensor.interval) }
    }
    return W1Load.all(thermometers, in: root).filter { $0.share > 1 }.map { load in
      let place = load.master.map { " at \(printable($0))" } ?? ""
      return
        "\(load.sensors) 1-Wire sensors\(place) take about \(load.round.inWords) to be read one after the other, longer "
        + "than their intervals, so limpet will skip rounds (limpet status counts them); write longer intervals (or let "
        + "limpet write therm_bulk_read of the bus, where all convert at once)"
    }
  }

  /// Lines whose pin belongs to a bus.
  private var claimedPins: [String] {
    let places =
      configuration.inputs.compactMap { input in
        (try? input.gpio.place(in: inventory)).map { (name: input.name, place: $0, use: "reads") }
      }
      + configuration.outputs.compactMap { output in
        guard case .gpio(let line) = output.request, let place = try? line.place(in: inventory) else { return nil }
        return (name: output.name, place: place, use: "drives")
      }
    guard !places.isEmpty else { return [] }
    let claimed = ClaimedPins(root: root)
    return places.compactMap { name, place, use in
      claimed.user(of: place).map {
        let user = printable($0)
        return
          "\(name) is \(place), a pin that the device tree gives to \(user), which loses it when limpet \(use) it as "
          + "GPIO; use another line, or disable \(user) in the device tree"
      }
    }
  }

  private var tooLarge: [String] {
    guard let share = memoryShare, configuration.storage.maxSize > share else { return [] }
    return [
      """
      \(Configuration.path(of: StorageKeys.maxSize)) is \(Guarantees.megabytes(configuration.storage.maxSize)) MB, and a quarter of the memory that limpet \
      may take (MemoryMax= of its service, or all there is) is \(Guarantees.megabytes(share)) MB: while the disk cannot be \
      written, limpet keeps \(Guarantees.megabytes(share)) MB of readings, the newest
      """
    ]
  }

  /// What limpet publishes for home automation.
  private var discovery: [(String, String)] {
    var rows: [(String, String)] = []
    if configuration.homeAssistant.isEnabled {
      let entities = HomeAssistantComponents(configuration: configuration, device: device).all
      let count = entities.count
      rows.append(
        (
          "discovery",
          "Home Assistant: \(configuration.homeAssistant.topic(device: device)), \(count == 1 ? "1 entity" : "\(count) entities"), retained; again when "
            + "\(configuration.homeAssistant.birthTopics.joined(separator: " or ")) says online"
        ))
      rows += HomeAssistantUnits.needs(of: entities).map { ("discovery", $0) }
    }
    if configuration.homie.isEnabled {
      let nodes = configuration.sensors.count + configuration.inputs.count + configuration.outputs.count
      rows.append(
        (
          "discovery",
          "Homie 5: \(configuration.homie.base(device: device)), \(nodes == 1 ? "1 node" : "\(nodes) nodes"), over a second connection with the client "
            + "id \(configuration.homieClientIdentifier(device: device))"
        ))
    }
    return rows
  }

  /// A row each: the topic, the value now where it was read, what it is; below it, why it cannot be read.
  private var readings: [String] {
    let sensors = configuration.sensors.map { sensor in
      let topic = configuration.topic.expanded(device: device, name: sensor.name)
      switch sources?[sensor.name] {
      case .value(let text, _, _): return (topic, text, described(sensor), String?.none)
      case .failure(let reason):
        return (topic, "-", described(sensor), "cannot be read now: \(printable(reason, limit: 300))")
      case .leftAlone: return (topic, "not read", described(sensor), nil)
      case nil: return (topic, "", described(sensor), nil)
      }
    }
    let inputs = configuration.inputs.map { input in
      let topic = configuration.topic.expanded(device: device, name: input.name)
      return (
        topic, sources == nil ? "" : "-", "\(what(input)); \(Self.place(of: input, in: inventory))", String?.none
      )
    }
    let outputs = outputs.rows.map { ($0.topic, sources == nil ? "" : "-", $0.text, String?.none) }
    let rows = sensors + inputs + outputs
    guard !rows.isEmpty else { return ["  none"] }
    let table = TextTable(rows.map { sources == nil ? [$0.0, $0.2] : [$0.0, $0.1, $0.2] })
    return zip(table.lines(table.widths, cutting: false), rows).flatMap { line, row in
      ["  " + line] + (row.3.map { ["      " + $0] } ?? [])
    }
  }

  func described(_ sensor: SensorConfiguration) -> String {
    let unit = (sensor.unit ?? sensor.source.unit).map { $0.isEmpty ? "" : " in \($0)" } ?? ""
    return "\(sensor.source)\(details(of: sensor.source))\(unit), every \(sensor.interval.inWords)" + trigger(sensor)
      + conditioning(sensor) + average(sensor) + condition(sensor)
  }

  func what(_ input: InputConfiguration) -> String {
    let kind =
      switch input.gpio.mode {
      case .state: "its level when that changes"
      case .event: "every edge"
      case .counter: counter(input)
      case .frequency: frequency(input)
      case .duty: "the share of time that it is true, over the cycles in each \(input.interval.inWords), in %"
      case .pulseWidth: "how long it is true, the mean in each \(input.interval.inWords), in \(input.unit ?? "")"
      case .gesture: gesture(input.gpio.gesture)
      case .encoder: encoder(input)
      }
    let pull = input.gpio.bias == .asIs ? "" : ", pull \(input.gpio.bias.rawValue)"
    let active = input.gpio.isActiveLow ? ", low is true" : ""
    let debounce = input.gpio.debounce > .zero ? ", debounced \(input.gpio.debounce.inWords)" : ""
    return kind + pull + active + debounce
  }

  private func frequency(_ input: InputConfiguration) -> String {
    let unit = input.unit.map { $0.isEmpty ? "" : " in \($0)" } ?? ""
    let what = input.pulses == 1 ? "how often it rises" : "turns of \(input.pulses) pulses"
    return "\(what)\(unit), every \(input.interval.inWords), falling towards 0 while none comes"
  }

  private func gesture(_ times: GPIOInput.GestureTimes) -> String {
    let double =
      times.double > .zero
      ? "single (published \(times.double.inWords) after its end), double (the second press within that)" : "single"
    return "\(double), long (from \(times.long.inWords) on)"
  }

  private func encoder(_ input: InputConfiguration) -> String {
    let total =
      "steps of two lines, \(input.stepsPerPeriod) a period, every \(input.interval.inWords) in which they moved"
    guard let checkpoint = configuration.countCheckpoint else { return total + ", from zero after each start" }
    return total + ", stored every \(checkpoint.inWords)"
  }

  private func counter(_ input: InputConfiguration) -> String {
    let total = "total and rate every \(input.interval.inWords)"
    guard let checkpoint = configuration.countCheckpoint else { return total + ", from zero after each start" }
    return total + ", stored every \(checkpoint.inWords)"
  }

  /// The line as it is on this machine now.
  private static func place(of input: InputConfiguration, in inventory: GPIOInventory) -> String {
    do throws(GPIOError) {
      let place = try input.gpio.place(in: inventory)
      let second = try input.gpio.second?.place(in: inventory)
      return "\(place)" + (second.map { " and \($0)" } ?? "")
        + (place.isBehindBus || input.gpio.poll != nil ? polling(input) : "")
    } catch {
      return "cannot be read now: \(error)"
    }
  }

  /// Whether a line has an interrupt is known only when it is requested.
  private static func polling(_ input: InputConfiguration) -> String {
    let poll = (input.gpio.poll ?? GPIOInput.defaultPoll).inWords
    let missed =
      switch input.gpio.mode {
      case .state: ""
      case .frequency, .duty, .pulseWidth: ", so the value is not exact, and limpet misses shorter pulses"
      case .gesture: ", so limpet misses shorter presses"
      case .encoder: ", which is not enough for an encoder"
      case .event: ", so limpet misses edges that are closer together"
      case .counter: ", so limpet does not count shorter pulses"
      }
    return "; if that line has no interrupt, limpet looks at it every \(poll)\(missed)"
  }

  /// Further facts about the source on this machine.
  private func details(of source: SensorKind) -> String {
    let details = source.details(in: root)
    return details.isEmpty ? "" : " (\(details.joined(separator: ", ")))"
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

  private func trigger(_ sensor: SensorConfiguration) -> String {
    (sensor.source.notifies ? " and when the kernel announces a change" : "")
      + (sensor.retries == 0
        ? "" : ", tried \(sensor.retries) more \(sensor.retries == 1 ? "time" : "times") when that fails")
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
