import Glibc
import LimpetPlatform

/// The process that a record of outputs is of, as its first line says. While it lives, what stands there is driven by it,
/// and nobody else may.
public struct RecordOwner: Sendable, Hashable {
  public let process: Int
  /// Since the boot, in clock ticks: field 22 of /proc/PID/stat (proc_pid_stat(5)). The kernel gives a process id again,
  /// and not with this.
  let start: UInt64
  /// The path of its control socket.
  public let socket: String

  /// This process.
  ///
  /// - Parameter socket: where it is asked; a path from where it runs.
  static func current(socket: String) -> RecordOwner? {
    guard let state = ProcessState("self", in: FileRoot()) else { return nil }
    return RecordOwner(process: Int(getpid()), start: state.start, socket: absolute(socket))
  }

  private static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return String(cString: folder) + "/" + path
  }

  /// It runs, or hangs in the kernel; one that has ended and waits for its parent does not.
  public func isAlive(in root: FileRoot) -> Bool {
    guard let state = ProcessState("\(process)", in: root) else { return false }
    return state.start == start && !state.hasEnded
  }

  init(process: Int, start: UInt64, socket: String) {
    (self.process, self.start, self.socket) = (process, start, socket)
  }
}

/// A line of /proc/PID/stat. The name in it may hold anything, brackets and spaces too.
private struct ProcessState {
  let hasEnded: Bool
  let start: UInt64

  init?(_ process: String, in root: FileRoot) {
    guard let text = try? root.text(of: "/proc/\(process)/stat"), let bracket = text.lastIndex(of: ")") else {
      return nil
    }
    // From field 3 on.
    let fields = text[text.index(after: bracket)...].split(separator: " ")
    guard fields.count > 19, let start = UInt64(fields[19]) else { return nil }
    self.start = start
    hasEnded = ["Z", "X", "x"].contains(fields[0])
  }
}
