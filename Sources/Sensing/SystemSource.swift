import Glibc
import LimpetPlatform
import LimpetText
import Measuring

/// Reads a value of the system as a whole, from /proc, /sys or the kernel itself.
struct SystemSource: SensorSource {
  static let networkFolder = "/sys/class/net"
  static let blockFolder = "/sys/block"

  let value: SystemValue
  let root: FileRoot

  /// A file system may hang, as a network mount does; the rest is in memory.
  var bus: Bus {
    switch value.word {
    case .diskFree, .diskUsed, .inodesFree, .readOnly: Bus("disk \(subject)")
    default: Bus("system")
    }
  }

  var notifies: Bool { value.word == .underVoltage }

  func notifyingPath() -> String? { notifies ? RaspberryPi(root: root).alarmPath : nil }

  /// The path, interface or device, where the word has one.
  private var subject: String { value.subject ?? "" }

  func read() throws(SensorError) -> Measurement { try Measurement(value: current(), unit: value.unit, time: .now) }

  private func current() throws(SensorError) -> Value {
    switch value.word {
    case .load1: try word(0, of: "/proc/loadavg", name: "load1")
    case .load5: try word(1, of: "/proc/loadavg", name: "load5")
    case .load15: try word(2, of: "/proc/loadavg", name: "load15")
    case .uptime: try word(0, of: "/proc/uptime", name: "uptime")
    case .bootTime: try bootTime()
    case .cpu: try ProcessorSource(root: root).read().value
    case .memoryAvailable: .integer(try memory("MemAvailable"))
    case .memoryTotal: .integer(try memory("MemTotal"))
    case .memoryUsed: .number(try memoryUsed())
    case .clockSynchronized: .flag(ClockState.isSynchronized)
    case .diskFree: .integer(try disk(subject).free)
    case .diskUsed: .number(try disk(subject).used)
    case .receivedBytes, .sentBytes, .receivedPackets, .sentPackets, .receiveErrors, .sendErrors, .receiveDrops,
      .sendDrops:
      try ofInterface(subject) { folder throws(SensorError) in
        .integer(try root.integer(of: "\(folder)/statistics/\(value.word.rawValue)"))
      }
    case .operationalState:
      try ofInterface(subject) { folder throws(SensorError) in .text(try text(of: folder + "/operstate")) }
    case .wifiSignal: try wifiSignal(subject)
    case .addresses: try ofInterface(subject) { _ throws(SensorError) in .text(try InterfaceAddresses.text(subject)) }
    case .underVoltage: .flag(try RaspberryPi(root: root).isUnderVoltage())
    case .throttled: .flag(try RaspberryPi(root: root).isThrottled())
    case .lifeTime: .integer(try lifeTime(subject))
    case .spareBlocks, .fileSystemErrors, .processorPressure, .memoryPressure, .diskPressure, .processorFrequency,
      .watchdogReset, .clockBattery, .linkSpeed, .inodesFree, .readOnly:
      try BoardHealth(root: root).value(value.word, of: subject)
    }
  }

  // MARK: /proc

  /// One of the numbers on the one line of proc_loadavg(5) and proc_uptime(5).
  private func word(_ index: Int, of path: String, name: String) throws(SensorError) -> Value {
    let words = try text(of: path).split(separator: " ")
    guard words.indices.contains(index) else { throw .missingField(name, path: path) }
    return try number(in: words[index], of: path)
  }

  private func bootTime() throws(SensorError) -> Value {
    let path = "/proc/stat"
    let line = try text(of: path).split(separator: "\n").first { $0.hasPrefix("btime ") }
    guard let line else { throw .missingField("btime", path: path) }
    return try number(in: line.dropFirst("btime ".count), of: path)
  }

  /// A field of proc_meminfo(5) in bytes: `MemAvailable:    3419980 kB`, where the kernel's kB is 1024 bytes.
  private func memory(_ field: String) throws(SensorError) -> Int64 {
    let path = "/proc/meminfo"
    let line = try text(of: path).split(separator: "\n").first { $0.hasPrefix(field + ":") }
    guard let word = line?.split(separator: " ").dropFirst().first else { throw .missingField(field, path: path) }
    let kilobytes = try integer(in: word, of: path)
    let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1024)
    guard !overflow else { throw .notOneNumber(path: path, content: String(word), flaw: .tooLarge) }
    return bytes
  }

  private func memoryUsed() throws(SensorError) -> Double {
    let (total, available) = (try memory("MemTotal"), try memory("MemAvailable"))
    guard total > 0 else { throw .missingField("MemTotal", path: "/proc/meminfo") }
    return (100 * (1 - Double(available) / Double(total))).rounded(decimals: 2)
  }

  /// The level of /proc/net/wireless: ` wlan0: 0000   58.  -52.  -256        0 ...`, link quality, level and noise.
  private func wifiSignal(_ interface: String) throws(SensorError) -> Value {
    let path = "/proc/net/wireless"
    let lines = try text(of: path).split(separator: "\n").dropFirst(2)
    var interfaces: [String] = []
    for line in lines {
      let words = line.split(separator: " ")
      guard let name = words.first?.dropLast(), words.first?.last == ":" else { continue }
      interfaces.append(String(name))
      guard name == interface else { continue }
      guard words.count > 3 else { throw .missingField("level of \(interface)", path: path) }
      // A dot says that the value is new since the last look.
      let values = words[2...3].map { $0.last == "." ? $0.dropLast() : $0 }
      let (quality, level) = (try number(in: values[0], of: path), try number(in: values[1], of: path))
      // What the kernel prints for an interface that has no station, and so no signal.
      if quality == .integer(0), level == .integer(0) {
        throw .noValue("\(interface) is not connected to a network", path: path)
      }
      if let number = level.number, number > 0 {
        throw .noValue("the driver gives the level in percent, not in dBm", path: path)
      }
      return level
    }
    // Drivers of cfg80211 are not in the table at all before they have a station.
    if root.exists("\(Self.networkFolder)/\(interface)/phy80211") {
      throw .noValue("\(interface) is not connected to a network", path: path)
    }
    throw .noSuchName(interface, what: "wireless interface", place: path, existing: interfaces)
  }

  // MARK: The kernel

  /// statvfs(3): what users without privilege may still write, and of all that they may have, the part in use.
  private func disk(_ path: String) throws(SensorError) -> (free: Int64, used: Double) {
    let status = try Self.fileSystem(of: path, in: root)
    let (free, isOver) = Int64(clamping: status.f_bavail).multipliedReportingOverflow(
      by: Int64(clamping: status.f_frsize))
    let used = Double(status.f_blocks) - Double(status.f_bfree)
    let all = used + Double(status.f_bavail)
    guard !isOver, all > 0 else { throw .noValue("a file system without blocks of its own", path: path) }
    return (free, (100 * used / all).rounded(decimals: 2))
  }

  /// statvfs(3) of the file system that is meant: not of the one below a mount point where nothing is mounted.
  static func fileSystem(of path: String, in root: FileRoot) throws(SensorError) -> statvfs {
    if let missing = MountTable(root)?.missingMountPoint(of: path) {
      throw .noValue("nothing is mounted at \(printable(missing, limit: 256))", path: path)
    }
    var status = statvfs()
    let location = try reading { () throws(ReadError) in try root.location(of: path) }
    guard statvfs(location, &status) == 0 else { throw .unreadable(ReadError(.read, path, .errno(errno))) }
    return status
  }

  // MARK: /sys

  /// Reads of an interface; one that is not there is named, with those that are.
  private func ofInterface(
    _ interface: String, _ read: (String) throws(SensorError) -> Value
  ) throws(SensorError) -> Value {
    let folder = "\(Self.networkFolder)/\(interface)"
    do {
      return try read(folder)
    } catch {
      guard error.meansGone, !root.exists(folder) else { throw error }
      throw .noSuchName(
        interface, what: "network interface", place: Self.networkFolder,
        existing: (try? root.entries(of: Self.networkFolder)) ?? [])
    }
  }

  /// `life_time` of an eMMC (JEDEC JESD84-B50, 7.4.39): `0x02 0x01`, of two kinds of cells, in tenths begun; 0x0b is
  /// past the end. The worse of them.
  private func lifeTime(_ device: String) throws(SensorError) -> Int64 {
    let path = "\(Self.blockFolder)/\(device)/device/life_time"
    let text = try text(of: path)
    let tenths = text.split(separator: " ").compactMap { word in
      word.hasPrefix("0x") ? Int64(word.dropFirst(2), radix: 16) : nil
    }
    guard tenths.count == 2, let worse = tenths.max(), (1...11).contains(worse) else {
      throw .noValue("the device does not report its life time: \(printable(text))", path: path)
    }
    return worse * 10
  }

  private func text(of path: String) throws(SensorError) -> String {
    try reading { () throws(ReadError) in try root.text(of: path) }
  }
}

extension SensorDriver {
  static let system = SensorDriver(
    source: { settings, root, _ in
      let value = SystemValue(settings)
      return value == .cpu ? ProcessorSource(root: root) : SystemSource(value: value, root: root)
    },
    sensors: { values($0) })

  private static func values(_ root: FileRoot) -> [FoundSensor] {
    var values: [SystemValue] = [
      .load1, .load5, .load15, .cpu, .memoryAvailable, .memoryTotal, .memoryUsed, .uptime, .bootTime,
      .clockSynchronized, .diskFree(path: "/"), .diskUsed(path: "/"),
      SystemValue(.readOnly, of: "/"),
    ]
    for interface in interfaces(root) {
      let counters: [SystemWord] = [.receivedBytes, .sentBytes, .receiveErrors, .sendErrors]
      values += counters.map { .network($0, interface: interface) }
      values.append(.operationalState(interface: interface))
      // Those of another root's interfaces nobody can ask for.
      if root.path == "/" { values.append(SystemValue(.addresses, of: interface)) }
      if root.exists("\(SystemSource.networkFolder)/\(interface)/phy80211")
        || root.exists("\(SystemSource.networkFolder)/\(interface)/wireless")
      {
        values.append(.wifiSignal(interface: interface))
      }
    }
    values += BoardHealth(root: root).values
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
      // Of one path only, so that the name need not say of which.
      let name = value.word.subject == .path ? value.word.rawValue : "\(value)"
      var sensor = FoundSensor(.system(value), named: [[name], ["system", name]])
      sensor.isReadByScan = !raspberryPi.needsFlags(value.word)
      return sensor
    }
  }

  /// Interfaces that a device is behind; where there is none, all but the loopback.
  private static func interfaces(_ root: FileRoot) -> [String] {
    let all = ((try? root.entries(of: SystemSource.networkFolder)) ?? [])
      .filter { root.exists("\(SystemSource.networkFolder)/\($0)/operstate") && $0 != "lo" }
    let real = all.filter { root.exists("\(SystemSource.networkFolder)/\($0)/device") }
    return real.isEmpty ? all : real
  }
}
