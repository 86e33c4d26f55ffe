internal import Glibc
import LimpetText

/// Symbolic links are followed here component by component, each from the root: no link leads out of it.
extension FileRoot {
  /// The path inside the root without symbolic links, `.` and `..`: which device a name in /sys/class stands for.
  public func resolve(_ path: String) throws(ReadError) -> String {
    guard path.hasPrefix("/"), !path.utf8.contains(0) else { throw ReadError(.resolve, path, .invalidPath) }
    var resolved: [Substring] = []
    var remaining = Array(path.split(separator: "/").reversed())
    var links = 0
    while let component = remaining.popLast() {
      switch component {
      case ".": continue
      case "..": _ = resolved.popLast()
      default:
        switch Self.link(prefix + "/" + (resolved + [component]).joined(separator: "/")) {
        case .target(let target):
          links += 1
          guard links <= Self.linkLimit else { throw ReadError(.resolve, path, .errno(ELOOP)) }
          if target.hasPrefix("/") { resolved = [] }
          remaining += target.split(separator: "/").reversed()
        case .none: resolved.append(component)
        case .failure(let code): throw ReadError(.resolve, path, .errno(code))
        }
      }
    }
    return "/" + resolved.joined(separator: "/")
  }

  private enum Link {
    case target(String)
    case none
    case failure(CInt)
  }

  private static func link(_ path: String) -> Link {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return .failure(ENAMETOOLONG) }
      let count = readlink(path, start, buffer.count)
      guard count >= 0 else { return errno == EINVAL ? .none : .failure(errno) }
      guard count < buffer.count else { return .failure(ENAMETOOLONG) }
      return .target(String(decoding: UnsafeRawBufferPointer(buffer)[..<count], as: UTF8.self))
    }
  }
}
