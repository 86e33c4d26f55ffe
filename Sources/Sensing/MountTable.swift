import LimpetPlatform
import LimpetText

/// What is mounted where, and what should be: a folder whose disk is missing is part of the root's file system, and its
/// free space would be the root's.
struct MountTable {
  private let mounted: Set<String>
  /// The mount points of fstab(5).
  private let wanted: [String]

  /// Below these, nothing but mount points is expected (the Filesystem Hierarchy Standard).
  private static let places = ["/mnt", "/media", "/run/media"]

  /// nil: this kernel or this tree does not say what is mounted.
  init?(_ root: FileRoot) {
    guard let table = try? root.text(of: "/proc/self/mountinfo") else { return nil }
    mounted = Set(Self.column(4, of: table))
    wanted = Self.column(1, of: (try? root.text(of: "/etc/fstab")) ?? "").filter { $0.hasPrefix("/") && $0 != "/" }
  }

  /// The words at one place of each line, their escapes taken off: `\\040` is a space.
  private static func column(_ index: Int, of table: String) -> [String] {
    table.split(separator: "\n").compactMap { line in
      let words = line.split { $0 == " " || $0 == "\t" }
      guard words.first?.hasPrefix("#") == false, words.indices.contains(index) else { return nil }
      return plain(words[index])
    }
  }

  private static func plain(_ word: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(word.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3,
        let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Where something should be mounted that a path is on, and nothing is; nil: the path is where it should be.
  func missingMountPoint(of path: String) -> String? {
    let folders = Self.withParents(path)
    if let missing = folders.first(where: { wanted.contains($0) && !mounted.contains($0) }) { return missing }
    guard let place = Self.places.first(where: { path == $0 || path.hasPrefix($0 + "/") }), path != place else {
      return nil
    }
    return folders.contains { $0 != "/" && mounted.contains($0) } ? nil : path
  }

  /// `/a/b`, `/a` and `/`.
  private static func withParents(_ path: String) -> [String] {
    let components = path.split(separator: "/")
    return (0...components.count).reversed().map { "/" + components.prefix($0).joined(separator: "/") }
  }
}
