/// The `value` of a sensor of type system.
public enum SystemWord: String, Sendable, Hashable, CaseIterable {
  /// Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes; no unit (proc_loadavg(5)).
  case load1, load5, load15
  /// How busy the processors were since the last reading, in percent; for the first one since boot (proc_stat(5)).
  case cpu
  /// `MemAvailable` and `MemTotal` of /proc/meminfo, in bytes; what is not available, in percent.
  case memoryAvailable = "memory_available"
  case memoryTotal = "memory_total"
  case memoryUsed = "memory_used"
  /// Seconds since boot, suspend included (proc_uptime(5)).
  case uptime
  /// When the system was booted, in seconds since 1970 (`btime` of proc_stat(5)).
  case bootTime = "boot_time"
  /// Whether something keeps the kernel's clock synchronised (adjtimex(2)).
  case clockSynchronized = "clock_synchronized"
  /// What is free for users without privilege on the file system of a path, in bytes, and what is used, in percent.
  case diskFree = "disk_free"
  case diskUsed = "disk_used"
  /// The statistics of an interface (Documentation/ABI/testing/sysfs-class-net-statistics).
  case receivedBytes = "rx_bytes"
  case sentBytes = "tx_bytes"
  case receivedPackets = "rx_packets"
  case sentPackets = "tx_packets"
  case receiveErrors = "rx_errors"
  case sendErrors = "tx_errors"
  case receiveDrops = "rx_dropped"
  case sendDrops = "tx_dropped"
  /// The state of an interface as RFC 2863 names it: `up`, `down`, `dormant` (Documentation/networking/operstates.rst).
  case operationalState = "operstate"
  /// The signal level of a wireless interface in dBm (/proc/net/wireless).
  case wifiSignal = "wifi_signal"
  /// The supply of a Raspberry Pi is too low now.
  case underVoltage = "under_voltage"
  /// The firmware of a Raspberry Pi holds the processor back now: capped, throttled, or at its soft temperature limit.
  case throttled
  /// How much of an eMMC's life is used, in steps of 10 percent; 110: more than expected.
  case lifeTime = "life_time"
  /// How much of an eMMC's spare blocks is used: `normal`, `warning` (80 %), `urgent` (90 %).
  case spareBlocks = "pre_eol_info"
  /// Files that users without privilege may still make on the file system of a path.
  case inodesFree = "inodes_free"
  /// The file system of a path cannot be written: the kernel does that to one with errors.
  case readOnly = "read_only"
  /// Errors that ext4 has found on a block device since it was last checked.
  case fileSystemErrors = "fs_errors"
  /// How long some task had to wait for it, in percent of the last 10 s (Documentation/accounting/psi.rst).
  case processorPressure = "pressure_cpu"
  case memoryPressure = "pressure_memory"
  case diskPressure = "pressure_io"
  /// Of the first processors, now (Documentation/admin-guide/pm/cpufreq.rst).
  case processorFrequency = "cpu_frequency"
  /// The watchdog started the board: it had hung before.
  case watchdogReset = "watchdog_reset"
  /// The battery of the clock, of a Raspberry Pi 5.
  case clockBattery = "rtc_battery"
  /// Of an interface, as negotiated with the other end.
  case linkSpeed = "link_speed"
  /// The addresses of an interface, without those that only its own link knows, where it has others.
  case addresses

  /// In their order, the first is 1 (JEDEC JESD84-B50, 7.4.38).
  package static let spareBlockStates = ["normal", "warning", "urgent"]

  /// Those that count what goes through an interface.
  package static let networkCounters: [SystemWord] = [
    .receivedBytes, .sentBytes, .receivedPackets, .sentPackets, .receiveErrors, .sendErrors, .receiveDrops, .sendDrops,
  ]

  /// The key that says of what the value is.
  package enum Subject: String, Sendable, CaseIterable {
    case path, interface, device

    /// The words that need that key.
    package var words: [String] { SystemWord.allCases.filter { $0.subject == self }.map(\.rawValue) }
  }

  package var subject: Subject? {
    switch self {
    case .diskFree, .diskUsed, .inodesFree, .readOnly: .path
    case .operationalState, .wifiSignal, .linkSpeed, .addresses: .interface
    case .lifeTime, .spareBlocks, .fileSystemErrors: .device
    default: Self.networkCounters.contains(self) ? .interface : nil
    }
  }

  /// The unit of its readings.
  var unit: String? {
    switch self {
    case .cpu, .memoryUsed, .diskUsed, .lifeTime, .processorPressure, .memoryPressure, .diskPressure: "%"
    case .processorFrequency: "MHz"
    case .clockBattery: "V"
    case .linkSpeed: "Mbit/s"
    case .memoryAvailable, .memoryTotal, .diskFree, .receivedBytes, .sentBytes: "B"
    case .uptime, .bootTime: "s"
    case .wifiSignal: "dBm"
    default: nil
    }
  }

  var shape: ValueShape {
    switch self {
    case .clockSynchronized, .underVoltage, .throttled, .readOnly, .watchdogReset: .flag
    case .operationalState, .addresses: .text
    case .spareBlocks: .choice(Self.spareBlockStates)
    default: .number
    }
  }

  var meaning: ValueMeaning {
    switch self {
    case .underVoltage, .throttled, .readOnly, .watchdogReset: .problem
    case .bootTime: .moment
    case .fileSystemErrors: .total
    default: Self.networkCounters.contains(self) ? .total : .level
    }
  }
}

/// A value of the system, and of what, as configured.
public struct SystemValue: Sendable, Hashable, CustomStringConvertible {
  public let word: SystemWord
  /// A path, an interface or a device, for those that are of one.
  public let subject: String?

  package init(_ word: SystemWord, of subject: String? = nil) {
    self.word = word
    self.subject = subject
  }

  public var description: String { word.rawValue + (subject.map { " " + $0 } ?? "") }

  /// The unit of its readings.
  public var unit: String? { word.unit }
}

extension SystemValue {
  public static let load1 = SystemValue(.load1)
  public static let load5 = SystemValue(.load5)
  public static let load15 = SystemValue(.load15)
  public static let cpu = SystemValue(.cpu)
  public static let memoryAvailable = SystemValue(.memoryAvailable)
  public static let memoryTotal = SystemValue(.memoryTotal)
  public static let memoryUsed = SystemValue(.memoryUsed)
  public static let uptime = SystemValue(.uptime)
  public static let bootTime = SystemValue(.bootTime)
  public static let clockSynchronized = SystemValue(.clockSynchronized)
  public static let underVoltage = SystemValue(.underVoltage)
  public static let throttled = SystemValue(.throttled)

  public static func diskFree(path: String) -> SystemValue { SystemValue(.diskFree, of: path) }
  public static func diskUsed(path: String) -> SystemValue { SystemValue(.diskUsed, of: path) }
  /// One of ``SystemWord/networkCounters``.
  public static func network(_ counter: SystemWord, interface: String) -> SystemValue {
    SystemValue(counter, of: interface)
  }
  public static func operationalState(interface: String) -> SystemValue {
    SystemValue(.operationalState, of: interface)
  }
  public static func wifiSignal(interface: String) -> SystemValue { SystemValue(.wifiSignal, of: interface) }
  public static func lifeTime(device: String) -> SystemValue { SystemValue(.lifeTime, of: device) }
}
