/// What a sensor reads, by names that stay the same when the kernel numbers its devices anew.
public enum SensorKind: Sendable, Hashable {
  /// A thermal zone by its `type` file, for example `cpu-thermal` (Documentation/ABI/testing/sysfs-class-thermal).
  case thermal(zone: String)
  /// A hwmon chip by its `name` file and one of its channels (Documentation/hwmon/sysfs-interface.rst).
  case hwmon(chip: String, selector: HwmonSelector)
  /// A value of the system as a whole, from /proc.
  case system(SystemValue)
  /// Any attribute that holds one number.
  case file(path: String)
}

/// One channel of a hwmon chip: by number (`temp1`, `fan2`, `in0`) or by the text of its `_label` file.
public enum HwmonSelector: Sendable, Hashable {
  case channel(String)
  case label(String)
}

/// The values of the system that can be read, under their names in the configuration.
public enum SystemValue: String, Sendable, Hashable, CaseIterable {
  /// Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes; no unit (proc_loadavg(5)).
  case load1, load5, load15
  /// `MemAvailable` of /proc/meminfo, in bytes.
  case memoryAvailable = "memory_available"
  /// Seconds since boot, suspend included (proc_uptime(5)).
  case uptime
}
