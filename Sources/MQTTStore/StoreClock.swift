import Glibc
import LimpetInstants
import LimpetPlatform
import MQTTCore

/// This machine's time, as the store writes it down.
package enum StoreClock {
  package static func system() -> @Sendable () -> StoredTime {
    let boot = boot()
    return {
      StoredTime(
        wall: Int64(time(nil)), uptime: BootClock.now.nanoseconds / 1_000_000_000, boot: boot,
        isCertain: ClockState.isSynchronized)
    }
  }

  /// Nothing but a wall clock.
  package static func wall(_ now: @escaping @Sendable () -> Int64) -> @Sendable () -> StoredTime {
    { StoredTime(wall: now()) }
  }

  /// proc_sys_kernel(5); empty where it cannot be read.
  private static func boot() -> String {
    guard let file = fopen("/proc/sys/kernel/random/boot_id", "re") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count).prefix { $0 > 0x20 }, as: UTF8.self)
  }
}
