internal import CLimpetLinux
internal import Glibc

/// Whether the kernel's clock is right.
public enum ClockState {
  /// Somebody disciplines it (NTP, PTP, GPS).
  ///
  /// adjtimex(2) says TIME_ERROR while it is not synchronised; reading needs no privilege. A sandbox that keeps a service
  /// from the clock (systemd.exec(5), ProtectClock=) refuses that as well: then it is systemd-timesyncd's word, a file
  /// that is there since the clock was synchronised first (systemd-timesyncd.service(8)).
  public static var isSynchronized: Bool {
    var state = timex()
    let answer = adjtimex(&state)
    if answer >= 0 { return answer != TIME_ERROR && state.status & STA_UNSYNC == 0 }
    return errno == EPERM && access("/run/systemd/timesync/synchronized", F_OK) == 0
  }
}
