import Core
internal import Glibc
import LimpetInstants
import LimpetPlatform

/// Finds out why the agent is stopped.
extension StopReason {
  /// How long a program that is asked may take.
  private static let limit = Duration.milliseconds(500)

  /// Finds out, on a thread of its own; `shutdown` where nobody knows better. The answer may never come: a file or a
  /// program may hang in the kernel, past any limit.
  ///
  /// - Parameter runtimeFolder: the service's; `stop-reason` in it is what who stops the service has written there.
  static func find(runtimeFolder: String?, deliver: @escaping @Sendable (StopReason) -> Void) {
    let failure = DetachedThread.start("limpet-stop") { deliver(find(runtimeFolder)) }
    if failure != 0 { deliver(.shutdown) }
  }

  private static func find(_ runtimeFolder: String?) -> StopReason {
    if let runtimeFolder, let text = try? FileRoot().text(of: runtimeFolder + "/stop-reason"),
      let reason = StopReason(rawValue: text)
    {
      return reason
    }
    // What systemd is about to do is in its queue of jobs (systemctl(1), list-jobs).
    return systemdJobs().contains { $0 == "reboot.target" || $0 == "kexec.target" } ? .reboot : .shutdown
  }

  /// The units that have jobs; none without systemd.
  private static func systemdJobs() -> [String] {
    guard access("/run/systemd/system", F_OK) == 0 else { return [] }
    return jobs(in: output(of: "/usr/bin/systemctl", ["list-jobs", "--no-legend", "--plain"]))
  }

  /// A line is `JOB UNIT TYPE STATE`.
  static func jobs(in text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      return words.count == 4 ? String(words[1]) : nil
    }
  }

  /// What a program prints, as far as it does so in time; it is ended then.
  private static func output(of program: String, _ arguments: [String]) -> String {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return "" }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process = pid_t()
    let failure = posix_spawn(&process, program, &actions, nil, &words, environ)
    close(ends[1])
    guard failure == 0 else { return "" }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    let deadline = BootClock.now + limit
    while text.count < 65_536 {
      var waiting = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
      let left = BootClock.now.duration(to: deadline) / .milliseconds(1)
      guard left > 0, poll(&waiting, 1, CInt(left)) > 0 else { break }
      let count = read(ends[0], &buffer, buffer.count)
      guard count > 0 else { break }
      text += buffer[..<count]
    }
    kill(process, SIGKILL)
    waitpid(process, nil, 0)
    return String(decoding: text, as: UTF8.self)
  }
}
