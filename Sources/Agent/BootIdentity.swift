import LimpetInstants
import LimpetPlatform

/// Which boot this is, and when it began: the times of readings that were measured before the clock was set hang on it.
enum BootIdentity {
  /// The kernel's random name of this boot (random(4)); empty where it cannot be read.
  static func read(in root: FileRoot) -> String {
    let path = "/proc/sys/kernel/random/boot_id"
    return (try? root.text(of: path)) ?? (try? FileRoot().text(of: path)) ?? ""
  }

  /// The moment at which CLOCK_BOOTTIME was zero.
  static let booted = BootClock.Instant(nanoseconds: 0)
}
