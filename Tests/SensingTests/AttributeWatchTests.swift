import Glibc
import LimpetInstants
import Testing

@testable import LimpetPlatform
@testable import Measuring
@testable import Sensing

/// On an attribute of the kernel that anybody may make and that notifies: `cgroup.events` of a group of control groups,
/// which tells when processes come into it and when the last has left.
@Suite(.enabled(if: ControlGroup.isPossible)) struct AttributeWatchTests {
  private struct Source: SensorSource {
    let path: String
    var bus: Bus { Bus("test") }
    var notifies: Bool { true }
    func notifyingPath() -> String? { path }
    func read() throws(SensorError) -> Measurement { throw .stopped }
  }

  @Test("a change is told at once, each of them, and nothing while nothing happens")
  func changes() throws {
    let group = try ControlGroup()
    let told = ConditionLock(0)
    let watch = AttributeWatch([(id: "alarm", source: Source(path: group.path + "/cgroup.events"))], root: FileRoot()) {
      ids in
      #expect(ids == ["alarm"])
      told.withLock { $0 += ids.count }
      told.signal()
    }
    watch.start()
    defer { watch.stop() }
    // Until the thread polls, a change shows in its first read.
    let deadline = BootClock.now + .seconds(10)
    while !isPolling, BootClock.now < deadline { usleep(1_000) }
    try #require(isPolling)
    #expect(told.withLock { $0 } == 0)
    for count in stride(from: 1, through: 9, by: 2) {
      let began = BootClock.now
      let process = try group.start()
      told.wait { $0 >= count ? .ready(()) : .wait }
      group.end(process)
      told.wait { $0 >= count + 1 ? .ready(()) : .wait }
      #expect(BootClock.now - began < .seconds(2))
    }
  }

  /// Its thread is in poll(2).
  private var isPolling: Bool {
    let tasks = (try? FileRoot().entries(of: "/proc/self/task")) ?? []
    return tasks.contains { task in
      (try? FileRoot().text(of: "/proc/self/task/\(task)/comm")) == "limpet-alarms"
        && (try? FileRoot().text(of: "/proc/self/task/\(task)/wchan"))?.contains("poll") == true
    }
  }
}

private final class ControlGroup {
  let path: String

  static let isPossible: Bool = {
    let path = "/sys/fs/cgroup/limpet-probe-\(getpid())"
    guard access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0, mkdir(path, 0o755) == 0 else { return false }
    defer { rmdir(path) }
    return access(path + "/cgroup.events", R_OK) == 0
  }()

  init() throws {
    path = "/sys/fs/cgroup/limpet-test-\(getpid())"
    try #require(mkdir(path, 0o755) == 0)
  }

  deinit { rmdir(path) }

  /// A process in the group.
  func start() throws -> pid_t {
    var process: pid_t = 0
    let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
    defer { for argument in arguments { free(argument) } }
    try #require(posix_spawn(&process, "/bin/sleep", nil, nil, arguments, environ) == 0)
    try FileRoot().write("\(process)", to: path + "/cgroup.procs")
    return process
  }

  func end(_ process: pid_t) {
    kill(process, SIGKILL)
    waitpid(process, nil, 0)
  }
}
