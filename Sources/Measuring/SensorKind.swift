import Text

/// What a sensor reads, by names that stay the same when the kernel numbers its devices anew.
public indirect enum SensorKind: Sendable, Hashable {
  /// A thermal zone by its `type` file, for example `cpu-thermal` (Documentation/ABI/testing/sysfs-class-thermal).
  case thermal(zone: String)
  /// A hwmon chip by its `name` file and one of its channels (Documentation/hwmon/sysfs-interface.rst). Where several
  /// share the name, `device` is the path of the device, or the end of it.
  case hwmon(chip: String, device: String? = nil, selector: HwmonSelector)
  /// An IIO device by its name, its label or the end of its device's path, and a channel by the name that its attributes
  /// share: `in_voltage0` (Documentation/ABI/testing/sysfs-bus-iio).
  case iio(device: String, channel: String)
  /// A 1-Wire thermometer by its id, `28-0316a2795bff` (Documentation/w1/slaves/w1_therm.rst).
  case w1(id: String)
  /// A property of a power supply (Documentation/ABI/testing/sysfs-class-power).
  case powerSupply(supply: String, property: String)
  /// A value of the system as a whole.
  case system(SystemValue)
  /// Any file, and what is taken from it.
  case file(path: String, content: FileContent = FileContent())
  /// Several channels of one device, read together.
  case channels([NamedKind])

  /// One of several, under the name it has among the values.
  public struct NamedKind: Sendable, Hashable {
    public var name: String
    public var kind: SensorKind

    public init(_ name: String, _ kind: SensorKind) {
      self.name = name
      self.kind = kind
    }
  }
}

/// One channel of a hwmon chip: by number (`temp1`, `fan2`, `in0`) or by the text of its `_label` file.
public enum HwmonSelector: Sendable, Hashable {
  case channel(String)
  case label(String)
}

/// What is taken from a file: one number, or its text, of all of it or of what matches.
public struct FileContent: Sendable, Hashable {
  /// Of its first match, the first group, or all of it where there is none.
  public var match: Pattern?
  /// The text itself is the value; else it has to be a number.
  public var isText: Bool

  public init(match: Pattern? = nil, isText: Bool = false) {
    self.match = match
    self.isText = isText
  }
}

/// The values of the system.
public enum SystemValue: Sendable, Hashable {
  /// Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes; no unit (proc_loadavg(5)).
  case load1, load5, load15
  /// How busy the processors were since the last reading, in percent; at the first, since boot (proc_stat(5)).
  case cpu
  /// `MemAvailable` and `MemTotal` of /proc/meminfo, in bytes; what is not available, in percent.
  case memoryAvailable, memoryTotal, memoryUsed
  /// Seconds since boot, suspend included (proc_uptime(5)).
  case uptime
  /// When the system was booted, in seconds since 1970 (`btime` of proc_stat(5)).
  case bootTime
  /// Whether the kernel's clock is disciplined by somebody (adjtimex(2)).
  case clockSynchronized
  /// What is free for users without privilege on the file system of a path, in bytes, and what is used, in percent.
  case diskFree(path: String)
  case diskUsed(path: String)
  /// A counter of a network interface.
  case network(NetworkCounter, interface: String)
  /// The state of an interface as RFC 2863 names it: `up`, `down`, `dormant` (Documentation/networking/operstates.rst).
  case operationalState(interface: String)
  /// The signal level of a wireless interface in dBm (/proc/net/wireless).
  case wifiSignal(interface: String)
  /// The supply of a Raspberry Pi is too low now.
  case underVoltage
  /// The firmware of a Raspberry Pi holds the processor back now: capped, throttled, or at its soft temperature limit.
  case throttled
  /// How much of an eMMC's life is used, in steps of 10 percent; 110: more than was to be expected.
  case lifeTime(device: String)
}

/// The statistics of an interface that can be read (Documentation/ABI/testing/sysfs-class-net-statistics).
public enum NetworkCounter: String, Sendable, Hashable, CaseIterable {
  case receivedBytes = "rx_bytes"
  case sentBytes = "tx_bytes"
  case receivedPackets = "rx_packets"
  case sentPackets = "tx_packets"
  case receiveErrors = "rx_errors"
  case sendErrors = "tx_errors"
  case receiveDrops = "rx_dropped"
  case sendDrops = "tx_dropped"

  /// `B` for bytes.
  package var unit: String? { self == .receivedBytes || self == .sentBytes ? "B" : nil }
}
