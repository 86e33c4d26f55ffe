import Glibc

/// A folder of a test's own, removed with everything in it when the test lets go of it.
final class ScratchFolder: Sendable {
  let path: String
  private let isMounted: Bool

  /// A plain folder under /tmp.
  init() throws {
    path = try Self.make()
    isMounted = false
  }

  /// In memory where the system has such a place: for tests that write much and pull no plug.
  init(inMemory: Bool) throws {
    path = try Self.make(under: inMemory && access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp")
    isMounted = false
  }

  /// A file system of its own that holds `bytes`; nil where the test may not mount one.
  init?(tmpfsOf bytes: Int) throws {
    path = try Self.make()
    isMounted = mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0
    guard !isMounted else { return }
    rmdir(path)
    return nil
  }

  /// Whether tests may mount file systems here (root, in a container that allows it).
  static let canMount: Bool = (try? ScratchFolder(tmpfsOf: 65536)).flatMap { $0 } != nil

  /// Makes a mounted folder read-only, or writable again.
  func remount(readOnly: Bool) -> Bool {
    let flags = UInt(MS_REMOUNT) | (readOnly ? UInt(MS_RDONLY) : 0)
    return mount("tmpfs", path, "tmpfs", flags, nil) == 0
  }

  deinit {
    if isMounted { umount2(path, Int32(MNT_DETACH)) } else { Self.empty(path) }
    rmdir(path)
  }

  /// The names in it, sorted.
  var names: [String] { Self.names(path) }

  func bytes(_ name: String) throws -> [UInt8] {
    let descriptor = try Self.check(open("\(path)/\(name)", O_RDONLY))
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer.prefix(count) }
    return bytes
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let descriptor = try Self.check(open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600))
    defer { close(descriptor) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw CannotPrepare(errno: errno) }
  }

  /// Takes all the room that is left.
  func fill() throws {
    let descriptor = try Self.check(open("\(path)/filler", O_WRONLY | O_CREAT, 0o600))
    defer { close(descriptor) }
    let block = [UInt8](repeating: 0x55, count: 4096)
    while Glibc.write(descriptor, block, block.count) > 0 {}
  }

  func makeRoom() { unlink(path + "/filler") }

  func remove(_ name: String) { unlink("\(path)/\(name)") }

  /// The permission bits of `name`; of the folder itself for "".
  func mode(_ name: String) -> mode_t {
    var status = stat()
    return stat("\(path)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  struct CannotPrepare: Error { let errno: Int32 }

  private static func check(_ result: Int32) throws -> Int32 {
    guard result >= 0 else { throw CannotPrepare(errno: errno) }
    return result
  }

  private static func make(under parent: String = "/tmp") throws -> String {
    var template = Array("\(parent)/limpet-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CannotPrepare(errno: errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func names(_ path: String) -> [String] {
    guard let listing = opendir(path) else { return [] }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private static func empty(_ path: String) {
    for name in names(path) where unlink("\(path)/\(name)") != 0 {
      empty("\(path)/\(name)")
      rmdir("\(path)/\(name)")
    }
  }
}
