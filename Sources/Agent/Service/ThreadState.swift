import LimpetPlatform

/// What the kernel says of this process's threads (proc_pid_stat(5)).
enum ThreadState {
  /// Whether the thread of this name is in a wait inside the kernel that no signal ends (`D`).
  static func isUninterruptible(_ name: String, of process: String = "self", in root: FileRoot = FileRoot()) -> Bool {
    let tasks = "/proc/\(process)/task"
    guard let threads = try? root.entries(of: tasks) else { return false }
    return threads.contains { thread in
      guard let text = try? root.text(of: "\(tasks)/\(thread)/stat") else { return false }
      return state(of: name, in: text) == "D"
    }
  }

  /// `1234 (limpet-gpio) S 1 ...`: the state; nil: of another thread. A name may have brackets and blanks in it.
  static func state(of name: String, in stat: String) -> Character? {
    guard let begin = stat.firstIndex(of: "("), let end = stat.lastIndex(of: ")"), begin < end,
      stat[stat.index(after: begin)..<end] == name
    else { return nil }
    return stat[stat.index(after: end)...].first { $0 != " " }
  }
}
