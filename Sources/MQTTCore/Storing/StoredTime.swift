/// When something was stored, for the time that has passed since.
///
/// A board without a clock begins in 1970, or where it was switched off, and jumps by days when a time server sets it:
/// within a boot the uptime counts, and between boots the wall clock only if something kept it.
package struct StoredTime: Sendable, Hashable {
  /// 2024-01-01: before it no clock that shows it has been set.
  private static let earliest: Int64 = 1_704_067_200

  /// Seconds since 1970.
  package let wall: Int64
  /// Seconds since the boot, suspends included.
  package let uptime: Int64
  /// Which boot; empty: unknown.
  package let boot: String
  /// The wall clock was kept by somebody.
  package let isCertain: Bool

  package init(wall: Int64, uptime: Int64 = 0, boot: String = "", isCertain: Bool = true) {
    self.wall = wall
    self.uptime = uptime
    self.boot = boot
    self.isCertain = isCertain && wall >= Self.earliest
  }

  /// Seconds that have passed for certain; 0 where nothing is known.
  package func elapsed(until now: StoredTime) -> Int64 {
    if !boot.isEmpty, boot == now.boot { return Self.difference(now.uptime, uptime) }
    guard isCertain, now.isCertain else { return 0 }
    return Self.difference(now.wall, wall)
  }

  /// A clock that was set back says nothing.
  private static func difference(_ later: Int64, _ earlier: Int64) -> Int64 {
    let (difference, overflows) = later.subtractingReportingOverflow(earlier)
    return overflows ? 0 : max(0, difference)
  }
}
