import Measuring
import Platform
import Text

/// A sensor that a board has, as `limpet scan` lists it.
public struct FoundSensor: Sendable, Hashable {
  /// What its readings may be called: unique among all that were found, and the same after the next boot.
  public var name: String
  public var kind: SensorKind
  /// What turns the value into `unit`, where `kind` does not do it by itself.
  public var scale = 1.0
  public var unit: String?

  /// Names to choose from, the shortest first; a longer one is taken where several want the same.
  fileprivate let names: [String]

  fileprivate init(_ kind: SensorKind, named names: [[String]], scale: Double = 1, unit: String? = nil) {
    self.kind = kind
    self.scale = scale
    self.unit = unit
    self.names = names.map { Self.name(of: $0) }
    name = self.names.first ?? ""
  }

  /// Letters and digits of the words, and `_` and `-` between them.
  private static func name(of words: [String]) -> String {
    var name = ""
    for character in words.joined(separator: "_").lowercased() {
      if character.isASCII, character.isLetter || character.isNumber || character == "-" {
        name.append(character)
      } else if name.last != "_" {
        name.append("_")
      }
    }
    while name.last == "_" { name.removeLast() }
    return String(name.drop { $0 == "_" }.prefix(60))
  }
}

extension FoundSensor {
  /// Every sensor below a root, in the order of their kinds. What cannot be listed is left out.
  public static func all(in root: FileRoot) -> [FoundSensor] {
    let found = [
      thermal(root), hwmon(root), iio(root), thermometers(root), powerSupplies(root), system(root),
    ].flatMap { $0.sorted { naturallyPrecedes("\($0.kind)", "\($1.kind)") } }
    return named(found)
  }

  /// Reads each once, beside each other, and waits for all; one that hangs is given up after `timeout`.
  public static func read(
    _ sensors: [FoundSensor], in root: FileRoot, timeout: Duration = .seconds(3)
  ) -> [Result<Measurement, SensorError>] {
    let conversions = W1Conversions()
    let results = ConditionLock<[String: Result<Measurement, SensorError>]>([:])
    let reader = BlockingReader { batch in
      // The first result counts: a read that was given up may still come back.
      results.withLock { results in
        for result in batch where results[result.id] == nil { results[result.id] = result.outcome }
      }
      results.signal()
    }
    let jobs = sensors.map {
      ReadJob(id: $0.name, source: $0.kind.source(in: root, thermometers: conversions), timeout: timeout)
    }
    // There is one round only, and who may block here: no thermometer waits for another master's.
    conversions.locate(in: root)
    let refused = reader.submit(jobs)
    results.withLock { results in
      for result in refused { results[result.id] = result.outcome }
    }
    let all = results.wait { $0.count < Set(jobs.map(\.id)).count ? .wait : .ready($0) }
    reader.shutdown()
    return sensors.map { all[$0.name] ?? .failure(.stopped) }
  }

  // MARK: Names

  /// Longer names where short ones are taken, and numbers where that does not help.
  private static func named(_ found: [FoundSensor]) -> [FoundSensor] {
    var found = found
    for level in 1..<4 {
      let counts = Dictionary(grouping: found, by: \.name).mapValues(\.count)
      for index in found.indices where counts[found[index].name] ?? 0 > 1 {
        found[index].name = found[index].names.dropFirst(level).first ?? found[index].name
      }
    }
    var taken: Set<String> = []
    for index in found.indices {
      let base = found[index].name
      var number = 1
      while !taken.insert(found[index].name).inserted {
        number += 1
        found[index].name = "\(base)_\(number)"
      }
    }
    return found
  }

  // MARK: Kinds

  private static func thermal(_ root: FileRoot) -> [FoundSensor] {
    let zones = (try? ThermalZone.all(in: root)) ?? []
    return zones.map { zone in
      guard zones.count(where: { $0.type == zone.type }) > 1 else {
        return FoundSensor(.thermal(zone: zone.type), named: [[zone.type], [zone.type, "zone"]])
      }
      // Nothing but their numbers tells them apart.
      let number = String(zone.folder.drop { !$0.isNumber })
      return FoundSensor(
        .file(path: zone.temperaturePath), named: [[zone.type, number]], scale: 0.001, unit: "°C")
    }
  }

  private static func hwmon(_ root: FileRoot) -> [FoundSensor] {
    let chips = ((try? HwmonChip.all(in: root)) ?? []).map { (chip: $0, device: $0.device(in: root)) }
    return chips.flatMap { chip, device -> [FoundSensor] in
      // The same values as those of the thermal zone, the power supply or the 1-Wire sensor it belongs to.
      let isMirror =
        device.contains("/thermal_zone") || device.contains("/power_supply/") || chip.name == "w1_slave_temp"
      guard !isMirror else { return [] }
      let namesakes = chips.filter { $0.chip.name == chip.name }.map(\.device)
      let end = shortEnd(of: device, components: 1, among: namesakes)
      return ((try? chip.channels(in: root)) ?? []).map { input in
        let channel = "\(input.channel)"
        let label = input.label ?? channel
        return FoundSensor(
          .hwmon(chip: chip.name, device: namesakes.count > 1 ? end : nil, selector: .channel(channel)),
          named: [
            [chip.name, label], [chip.name, label, channel], [chip.name, end, channel], [chip.name, device, channel],
          ])
      }
    }
  }

  private static func iio(_ root: FileRoot) -> [FoundSensor] {
    let devices = (try? IIODevice.all(in: root)) ?? []
    return devices.flatMap { device -> [FoundSensor] in
      let namesakes = devices.filter { $0.name == device.name }
      let path = device.device(in: root)
      var wanted = device.name
      if namesakes.count > 1 {
        wanted = shortEnd(of: path, components: 2, among: namesakes.map { $0.device(in: root) })
        if let label = device.label, namesakes.count(where: { $0.label == label }) == 1 { wanted = label }
      }
      return ((try? device.channels(in: root)) ?? [])
        .filter { !$0.isMeanOfAnother && $0.name.hasPrefix("in_") && !$0.name.hasPrefix("in_timestamp") }
        .map { channel in
          let short = String(channel.name.dropFirst("in_".count))
          return FoundSensor(
            .iio(device: wanted, channel: channel.name),
            named: [[device.name, short], [wanted, short], [device.name, path, short]])
        }
    }
  }

  private static func thermometers(_ root: FileRoot) -> [FoundSensor] {
    W1Source.ids(in: root).map { FoundSensor(.w1(id: $0), named: [["w1", $0]]) }
  }

  private static func powerSupplies(_ root: FileRoot) -> [FoundSensor] {
    let folder = PowerSupplySource.classFolder
    return ((try? root.entries(of: folder)) ?? []).flatMap { supply in
      PowerSupplySource.properties(in: "\(folder)/\(supply)", root: root)
        .filter { !PowerSupplySource.isIdentity($0) }
        .map {
          FoundSensor(.powerSupply(supply: supply, property: $0), named: [[supply, $0], [supply, "supply", $0]])
        }
    }
  }

  private static func system(_ root: FileRoot) -> [FoundSensor] {
    var values: [SystemValue] = [
      .load1, .load5, .load15, .cpu, .memoryAvailable, .memoryTotal, .memoryUsed, .uptime, .bootTime,
      .clockSynchronized, .diskFree(path: "/"), .diskUsed(path: "/"),
    ]
    for interface in interfaces(root) {
      let counters: [NetworkCounter] = [.receivedBytes, .sentBytes, .receiveErrors, .sendErrors]
      values += counters.map { .network($0, interface: interface) }
      values.append(.operationalState(interface: interface))
      if root.exists("\(SystemSource.networkFolder)/\(interface)/wireless") {
        values.append(.wifiSignal(interface: interface))
      }
    }
    let raspberryPi = RaspberryPi(root: root)
    if raspberryPi.flagsPath != nil { values.append(.throttled) }
    let chips = (try? HwmonChip.all(in: root)) ?? []
    if raspberryPi.flagsPath != nil || chips.contains(where: { $0.name == RaspberryPi.voltageChip }) {
      values.append(.underVoltage)
    }
    for device in (try? root.entries(of: SystemSource.blockFolder)) ?? []
    where root.exists("\(SystemSource.blockFolder)/\(device)/device/life_time") {
      values.append(.lifeTime(device: device))
    }
    return values.map { value in
      switch value {
      case .diskFree: FoundSensor(.system(value), named: [["disk_free"], ["system", "disk_free"]])
      case .diskUsed: FoundSensor(.system(value), named: [["disk_used"], ["system", "disk_used"]])
      default: FoundSensor(.system(value), named: [["\(value)"], ["system", "\(value)"]])
      }
    }
  }

  /// Interfaces that a device is behind; where there is none, all but the loopback.
  private static func interfaces(_ root: FileRoot) -> [String] {
    let all = ((try? root.entries(of: SystemSource.networkFolder)) ?? [])
      .filter { root.exists("\(SystemSource.networkFolder)/\($0)/operstate") && $0 != "lo" }
    let real = all.filter { root.exists("\(SystemSource.networkFolder)/\($0)/device") }
    return real.isEmpty ? all : real
  }

  /// The last components of a path, where no other path ends in them; else all of it.
  private static func shortEnd(of path: String, components: Int, among paths: [String]) -> String {
    let end = path.split(separator: "/").suffix(components).joined(separator: "/")
    return paths.count { $0.isPath(endingIn: end) } == 1 ? end : path
  }
}
