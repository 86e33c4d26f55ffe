internal import CLimpetLinux
internal import Glibc
import LimpetInstants
import LimpetPlatform

/// The memory and processor time of this process.
struct ProcessUsage: Sendable {
  /// Memory that no other process has: Private_Clean and Private_Dirty of proc_pid_smaps(5), in bytes; 0: unknown.
  let memory: Int
  /// Of all threads, in user and kernel (getrusage(2)).
  let processorTime: Duration
  let time: BootClock.Instant

  /// Blocks: the kernel looks at each page.
  ///
  /// - Parameter trims: memory that the C library keeps for later goes back to the system first (malloc_trim(3)): a
  ///   storm leaves much of that, and it is no device's.
  static func measure(trims: Bool) -> ProcessUsage {
    if trims { malloc_trim(0) }
    var memory: Int64 = 0
    for line in ((try? FileRoot().text(of: "/proc/self/smaps_rollup")) ?? "").split(separator: "\n") {
      guard line.hasPrefix("Private_Clean:") || line.hasPrefix("Private_Dirty:") else { continue }
      memory += (line.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0) * 1024
    }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func time(_ value: timeval) -> Duration { .seconds(value.tv_sec) + .microseconds(value.tv_usec) }
    return ProcessUsage(
      memory: Int(clamping: memory), processorTime: time(usage.ru_utime) + time(usage.ru_stime), time: .now)
  }
}

/// Files that this process may have open (getrlimit(2), RLIMIT_NOFILE), sockets included.
enum OpenFiles {
  /// Of the program itself.
  static let own = 100

  /// Raises the limit to the highest one allowed.
  ///
  /// - Returns: how many there may be.
  static func raise() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
  }
}
