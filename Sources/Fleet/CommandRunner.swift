internal import CLimpetLinux
import DequeModule
internal import Glibc
import LimpetInstants
import LimpetPlatform
import LimpetText
import Synchronization

/// Runs a shell command for each change, a few at once, without delaying anything else. The changes of one device run
/// in their order, one after the other.
final class CommandRunner: Sendable {
  struct Job: Sendable {
    let device: String
    /// Beside those of this process.
    let variables: [(name: String, value: String)]
  }

  static let atOnce = 8
  /// Jobs that may wait.
  static let limit = 1000
  static let timeLimit = Duration.seconds(60)

  private struct State {
    var waiting = Deque<Job>()
    /// Devices whose command runs.
    var running: Set<String> = []
    var lost: UInt64 = 0
  }

  private let command: String
  private let timeLimit: Duration
  private let isQuiet: Bool
  private let report: @Sendable (String) -> Void
  private let state = Mutex(State())

  /// - Parameters:
  ///   - command: for `/bin/sh -c`, unchanged: the change is in environment variables.
  ///   - isQuiet: its output is thrown away; otherwise it goes to standard error.
  ///   - report: called with what went wrong.
  init(
    _ command: String, timeLimit: Duration = CommandRunner.timeLimit, isQuiet: Bool,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.command = command
    self.timeLimit = timeLimit
    self.isQuiet = isQuiet
    self.report = report
  }

  /// Nothing runs and nothing waits.
  var isIdle: Bool { state.withLock { $0.running.isEmpty && $0.waiting.isEmpty } }

  func run(_ job: Job) {
    let (next, lost) = state.withLock { state -> (Job?, UInt64) in
      guard state.waiting.count < Self.limit else {
        state.lost += 1
        return (nil, state.lost)
      }
      state.waiting.append(job)
      return (Self.takeNext(&state), 0)
    }
    // Reported at 1, 10, 100 and so on.
    if lost > 0, String(lost).allSatisfy({ $0 == "0" || $0 == "1" }), String(lost).count(where: { $0 == "1" }) == 1 {
      report("limpet watch did not run \(lost) commands, since \(Self.limit) wait already")
    }
    guard let next else { return }
    let failure = DetachedThread.start("exec") { self.work(next) }
    if failure != 0 {
      state.withLock { state in
        state.running.remove(next.device)
        state.waiting.prepend(next)
      }
      report("the system has no thread left for a command: \(String(cString: strerror(failure)))")
    }
  }

  /// The next job that may begin, if another may.
  private static func takeNext(_ state: inout State) -> Job? {
    guard state.running.count < atOnce,
      let index = state.waiting.firstIndex(where: { !state.running.contains($0.device) })
    else { return nil }
    let job = state.waiting.remove(at: index)
    state.running.insert(job.device)
    return job
  }

  private func work(_ first: Job) {
    var next: Job? = first
    while let job = next {
      if let problem = execute(job) { report("the command for \(job.device) \(problem)") }
      next = state.withLock { state in
        state.running.remove(job.device)
        return Self.takeNext(&state)
      }
    }
  }

  /// - Returns: what went wrong, in words.
  private func execute(_ job: Job) -> String? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    if isQuiet { posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) }
    // Standard output is this program's own, which another program may read.
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // This thread blocks all signals, and the process ignores SIGPIPE: a command begins with neither. Its own process
    // group, so that all of it can be ended.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

    var environment: [UnsafeMutablePointer<CChar>?] = job.variables.map { strdup("\($0.name)=\($0.value)") }
    var inherited = limpet_environment()
    while let variable = inherited?.pointee {
      environment.append(strdup(variable))
      inherited = inherited?.advanced(by: 1)
    }
    let words: [UnsafeMutablePointer<CChar>?] = ["/bin/sh", "-c", command].map { (word: String) in strdup(word) }
    defer { for text in words + environment { free(text) } }
    var process = pid_t()
    let failure = posix_spawn(&process, "/bin/sh", &actions, &attributes, words + [nil], environment + [nil])
    guard failure == 0 else { return "could not be started: \(String(cString: strerror(failure)))" }
    return wait(for: process)
  }

  private func wait(for process: pid_t) -> String? {
    let descriptor = limpet_pidfd_open(process)
    var isLate = false
    if descriptor >= 0 {
      var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      isLate = poll(&end, 1, timeLimit.wholeMilliseconds) == 0
      close(descriptor)
      if isLate { kill(-process, SIGKILL) }
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    if isLate { return "ran for \(timeLimit.inWords), so limpet watch ended it" }
    if status & 0x7F != 0 { return "was ended by signal \(status & 0x7F)" }
    let code = status >> 8 & 0xFF
    return code == 0 ? nil : "ended with status \(code)"
  }
}
