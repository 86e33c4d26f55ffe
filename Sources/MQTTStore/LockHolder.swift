import Glibc
import MQTTCore

/// Which process holds a lock, from proc_locks(5): for a person who wants to end that process.
enum LockHolder {
  /// The process that holds a lock on the file; nil: none that is visible from here, as from within a container.
  static func process(of inode: UInt64) -> Int32? {
    read("/proc/locks").flatMap { process(of: inode, in: $0) }
  }

  /// - Parameter text: one lock a line: `1: FLOCK  ADVISORY  WRITE 1234 08:01:524290 0 EOF`. Those that wait for a lock
  ///   have `->` behind the number. The device is left out: overlay and btrfs have another one there than in stat(2).
  static func process(of inode: UInt64, in text: String) -> Int32? {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count >= 8, words[1] != "->", words[3] == "WRITE", let process = Int32(words[4]), process > 0,
        words[5].split(separator: ":").last.flatMap({ UInt64($0) }) == inode
      else { continue }
      return process
    }
    return nil
  }

  /// Files of proc(5) have no size. At most 1 MiB is read.
  private static func read(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < 1 << 20 {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      bytes += buffer.prefix(count)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
