internal import Glibc
import LimpetText

/// Where /sys, /proc, /dev, /etc/machine-id and the paths of `file` sensors are taken from.
///
/// Under a root other than `/` nothing leads out of it: absolute symbolic links and `..` are followed inside, as
/// openat2(2) does with RESOLVE_IN_ROOT, but in user space, since sandboxes often refuse that call. It is for trees that
/// nobody changes while they are read; it is no barrier against a hostile one.
///
/// Every path is absolute and seen from inside the root; so are the paths in errors.
public struct FileRoot: Sendable, Hashable {
  /// No more is read of one file, in bytes. A sysfs attribute is at most one page.
  public static let sizeLimit = 65_536
  package static let entryLimit = ReadError.entryLimit
  package static let linkLimit = ReadError.linkLimit

  /// The root without a slash at its end; empty for `/`.
  package let prefix: String

  /// - Parameter path: a path of the machine; slashes at its end do not count.
  public init(_ path: String = "/") {
    var prefix = path[...]
    while prefix.last == "/" { prefix.removeLast() }
    self.prefix = String(prefix)
  }

  /// The root as a path of the machine, for messages.
  public var path: String { prefix.isEmpty ? "/" : prefix }

  /// The whole content of a file.
  ///
  /// The file is opened O_NONBLOCK: a FIFO or device without data is the error EAGAIN or an empty content, not a hang.
  public func bytes(of path: String) throws(ReadError) -> [UInt8] {
    let content = try beginning(of: path)
    guard content.count <= Self.sizeLimit else { throw ReadError(.read, path, .tooLarge) }
    return content
  }

  /// What a file begins with, of one that may be longer than ``sizeLimit``: a character that is cut there is left out.
  package func textAtBeginning(of path: String) throws(ReadError) -> String {
    var content = try beginning(of: path)[...]
    if content.count > Self.sizeLimit {
      content = content.prefix(Self.sizeLimit)
      // A character has four bytes at most: its first, which is no continuation, and up to three more.
      if let last = content.suffix(4).lastIndex(where: { $0 & 0xC0 != 0x80 }), content[last] >= 0xC0 {
        content = content[..<last]
      }
    }
    guard let text = String(validating: content, as: UTF8.self) else { throw ReadError(.read, path, .notUTF8) }
    return text
  }

  /// All of a file, or somewhat more than ``sizeLimit`` of it.
  private func beginning(of path: String) throws(ReadError) -> [UInt8] {
    let flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY
    let descriptor = open(try location(of: path), prefix.isEmpty ? flags : flags | O_NOFOLLOW)
    guard descriptor >= 0 else { throw ReadError(.open, path, .errno(errno)) }
    defer { close(descriptor) }

    var content: [UInt8] = []
    while true {
      switch Self.append(from: descriptor, to: &content) {
      case .bytes: guard content.count <= Self.sizeLimit else { return content }
      case .end: return content
      case .failure(EINTR): continue
      case .failure(let code): throw ReadError(.read, path, .errno(code))
      }
    }
  }

  /// Whether something is there; what may not be looked at is not.
  package func exists(_ path: String) -> Bool {
    guard let location = try? location(of: path) else { return false }
    return access(location, F_OK) == 0
  }

  /// Writes to a file that exists, such as an attribute of sysfs; a plain file then has this text only.
  package func write(_ text: String, to path: String) throws(ReadError) {
    let descriptor = open(try location(of: path), O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else { throw ReadError(.open, path, .errno(errno)) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw ReadError(.write, path, .errno(errno))
    }
  }

  /// The content of a file without the NUL, newline and space characters around it.
  public func text(of path: String) throws(ReadError) -> String {
    let blank: (UInt8) -> Bool = { $0 == 0 || $0 == 0x20 || (0x09...0x0D).contains($0) }
    let content = try bytes(of: path).drop(while: blank)
    let end = content.lastIndex { !blank($0) }.map { $0 + 1 } ?? content.startIndex
    guard let text = String(validating: content[..<end], as: UTF8.self) else {
      throw ReadError(.read, path, .notUTF8)
    }
    return text
  }

  /// The names in a folder, `.` and `..` left out, numbers in them in their order: `hwmon2` before `hwmon10`.
  public func entries(of path: String) throws(ReadError) -> [String] {
    guard let directory = opendir(try location(of: path)) else { throw ReadError(.list, path, .errno(errno)) }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else {
        guard errno == 0 else { throw ReadError(.list, path, .errno(errno)) }
        return names.sorted(by: naturallyPrecedes)
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard name != ".", name != ".." else { continue }
      guard names.count < Self.entryLimit else { throw ReadError(.list, path, .tooManyEntries) }
      names.append(name)
    }
  }

  /// The path of the machine to hand to the kernel for a path inside the root.
  package func location(of path: String) throws(ReadError) -> String {
    guard path.hasPrefix("/"), !path.utf8.contains(0) else { throw ReadError(.open, path, .invalidPath) }
    // Under / the kernel follows the links, which takes one call and no race.
    return prefix.isEmpty ? path : prefix + (try resolve(path))
  }

  private enum Chunk {
    case bytes
    case end
    case failure(CInt)
  }

  private static func append(from descriptor: CInt, to content: inout [UInt8]) -> Chunk {
    // An attribute is a page at most, so one read and one for the end are the rule.
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      guard count > 0 else { return count == 0 ? .end : .failure(errno) }
      content += buffer[..<count]
      return .bytes
    }
  }
}
