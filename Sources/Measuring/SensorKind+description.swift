/// What is read, in a few words: for `limpet check`, and for people.
extension SensorKind: CustomStringConvertible {
  public var description: String {
    switch self {
    case .thermal(let zone): "thermal zone \(zone)"
    case .hwmon(let chip, let device, let selector):
      "hwmon \(chip) \(selector)" + (device.map { " at \($0)" } ?? "")
    case .iio(let device, let channel): "iio \(device) \(channel)"
    case .w1(let id): "1-Wire \(id)"
    case .powerSupply(let supply, let property): "power supply \(supply) \(property)"
    case .system(let value): "system \(value)"
    case .file(let path, let content): "file \(path)" + (content.match.map { " matching \($0)" } ?? "")
    case .channels(let members):
      members.first.map { "\($0.kind)" + members.dropFirst().map { ", \($0.name)" }.joined() } ?? ""
    }
  }

  /// The unit of its readings, where the kernel's ABI fixes one (of an iio channel: where it has a scale); a file's and
  /// several channels' is not known.
  public var unit: String? {
    switch self {
    case .thermal, .w1: "°C"
    case .hwmon(_, _, .channel(let channel)): HwmonChannel(channel)?.kind.unit
    case .iio(_, let channel): IIOQuantity(channel: channel).unit
    case .powerSupply(_, let property): PowerSupplyScale(property: property)?.unit
    case .system(let value): value.unit
    case .hwmon, .file, .channels: nil
    }
  }
}

extension HwmonSelector: CustomStringConvertible {
  public var description: String {
    switch self {
    case .channel(let channel): channel
    case .label(let label): "\"\(label)\""
    }
  }
}

extension SystemValue: CustomStringConvertible {
  /// As the configuration has it.
  public var description: String {
    switch self {
    case .load1: "load1"
    case .load5: "load5"
    case .load15: "load15"
    case .cpu: "cpu"
    case .memoryAvailable: "memory_available"
    case .memoryTotal: "memory_total"
    case .memoryUsed: "memory_used"
    case .uptime: "uptime"
    case .bootTime: "boot_time"
    case .clockSynchronized: "clock_synchronized"
    case .diskFree(let path): "disk_free \(path)"
    case .diskUsed(let path): "disk_used \(path)"
    case .network(let counter, let interface): "\(counter.rawValue) \(interface)"
    case .operationalState(let interface): "operstate \(interface)"
    case .wifiSignal(let interface): "wifi_signal \(interface)"
    case .underVoltage: "under_voltage"
    case .throttled: "throttled"
    case .lifeTime(let device): "life_time \(device)"
    }
  }

  /// The unit of its readings.
  public var unit: String? {
    switch self {
    case .load1, .load5, .load15, .clockSynchronized, .operationalState, .underVoltage, .throttled: nil
    case .cpu, .memoryUsed, .diskUsed, .lifeTime: "%"
    case .memoryAvailable, .memoryTotal, .diskFree: "B"
    case .uptime, .bootTime: "s"
    case .network(let counter, _): counter.unit
    case .wifiSignal: "dBm"
    }
  }
}
