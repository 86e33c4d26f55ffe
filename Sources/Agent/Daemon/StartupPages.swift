internal import Glibc
import Sensing

/// Gives the pages of code back that only the start needed: reading the configuration, and the runtime's one look at
/// every type of the program. Measured: 4 of 19 MB resident.
enum StartupPages {
  /// Drops the program's executable mappings from memory. They are clean copies of the file and never written to, so
  /// what is needed again comes back from the page cache by itself (madvise(2), MADV_DONTNEED).
  static func release() {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &path, path.count)
    guard length > 0, let maps = try? FileRoot().text(of: "/proc/self/maps") else { return }
    let program = String(decoding: path.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for range in ranges(in: maps, of: program) {
      madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
    }
  }

  /// The executable mappings of a file that cannot be written, from proc_pid_maps(5):
  /// `55d0c0000000-55d0c164e000 r-xp 00000000 fd:00 1234    /usr/bin/limpet`.
  static func ranges(in maps: String, of file: String) -> [Range<UInt>] {
    maps.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
      guard fields.count == 6, fields[1] == "r-xp", fields[5].drop(while: { $0 == " " }) == file else { return nil }
      let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard ends.count == 2, ends[0] < ends[1] else { return nil }
      return ends[0]..<ends[1]
    }
  }
}
