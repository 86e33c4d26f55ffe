internal import Glibc
import LimpetInstants

/// When this device was last known to run: the time of an empty file in the service's runtime folder, which is memory
/// and no card. What is left of it after a crash says how long the device was gone.
struct AliveMark {
  private let path: String?
  private var last: BootClock.Instant?

  private static let interval = Duration.seconds(60)

  /// - Parameter runtimeFolder: nil: there is none, and no mark.
  init(runtimeFolder: String?) { path = runtimeFolder.map { $0 + "/alive" } }

  /// When the mark was made last, in seconds since 1970; nil: never.
  var time: Int64? {
    var status = stat()
    guard let path, stat(path, &status) == 0 else { return nil }
    return Int64(status.st_mtim.tv_sec)
  }

  /// Makes it, unless that was a moment ago. In memory, so it does not block.
  mutating func make(at now: BootClock.Instant) {
    guard let path, last.map({ $0.duration(to: now) >= Self.interval }) ?? true else { return }
    last = now
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    futimens(descriptor, nil)
    close(descriptor)
  }
}
