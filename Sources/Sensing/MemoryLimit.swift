import LimpetPlatform

/// How much memory this process may take before the kernel ends it: the machine's, or less where a control group says
/// so (`MemoryMax=` of systemd.resource-control(5), memory.max of the kernel's cgroup v2).
package struct MemoryLimit: Sendable, Equatable {
  package let bytes: Int

  /// How much of it readings may take while they cannot go to the disk: the rest is for the program and others.
  package var outboxShare: Int { bytes / 4 }

  /// - Parameters:
  ///   - memoryInformation: what /proc/meminfo says (proc_meminfo(5)).
  ///   - groups: what memory.max of each group says that the process is in: bytes, or `max`.
  package init?(memoryInformation: String, groups: [String]) {
    let total = memoryInformation.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }.flatMap { line in
      line.split(separator: " ").dropFirst().first.flatMap { Int64($0) }
    }.map { $0.multipliedReportingOverflow(by: 1024) }.flatMap { $0.overflow ? nil : $0.partialValue }
    let limits = groups.compactMap { Int64($0) } + [total].compactMap { $0 }
    guard let least = limits.min(), least > 0 else { return nil }
    // A 32-bit process on a board with 8 GB.
    bytes = Int(clamping: least)
  }

  /// The limit of this process; nil: there is none.
  ///
  /// - Parameter services: further control groups, such as that of a service which is not this process.
  package static func read(in root: FileRoot, besides services: [String] = []) -> MemoryLimit? {
    // One line for v2 (cgroups(7)): `0::/system.slice/limpet.service`.
    let own = (try? root.text(of: "/proc/self/cgroup")).flatMap { text in
      text.split(separator: "\n").first { $0.hasPrefix("0::/") }.map { String($0.dropFirst(3)) }
    }
    let groups = ([own].compactMap { $0 } + services).flatMap(withParents).compactMap {
      try? root.text(of: "/sys/fs/cgroup\($0)/memory.max")
    }
    return MemoryLimit(memoryInformation: (try? root.text(of: "/proc/meminfo")) ?? "", groups: groups)
  }

  /// The limit of a group holds for all below it.
  private static func withParents(_ group: String) -> [String] {
    var paths: [String] = []
    var path = group[...]
    while path.count > 1 {
      paths.append(String(path))
      path = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
    }
    return paths
  }
}
