import Glibc
import Testing

@testable import LimpetPlatform
@testable import Sensing

/// A folder that stands for `/`, with a small /sys and /proc in it; it goes when the test is done.
final class TemporaryTree: Sendable {
  let path: String
  var root: FileRoot { FileRoot(path) }

  init() throws {
    var template = Array("/tmp/limpet-sensing-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
    try #require(made)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  /// Writes a file and makes the folders above it.
  func write(_ path: String, _ content: String) throws {
    try write(path, bytes: Array(content.utf8))
  }

  func write(_ path: String, bytes: [UInt8]) throws {
    makeFolders(above: path)
    let descriptor = open(self.path + path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    try #require(descriptor >= 0, "\(path): errno \(errno)")
    defer { close(descriptor) }
    try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
  }

  func folder(_ path: String) {
    makeFolders(above: path + "/x")
  }

  /// Makes a symbolic link, as it stands, relative or absolute.
  func link(_ path: String, to target: String) throws {
    makeFolders(above: path)
    try #require(symlink(target, self.path + path) == 0, "\(path): errno \(errno)")
  }

  func fifo(_ path: String) throws {
    makeFolders(above: path)
    try #require(mkfifo(self.path + path, 0o600) == 0)
  }

  func move(_ path: String, to other: String) throws {
    makeFolders(above: other)
    try #require(rename(self.path + path, self.path + other) == 0, "\(path): errno \(errno)")
  }

  func remove(_ path: String) {
    Self.remove(self.path + path)
  }

  private func makeFolders(above path: String) {
    var folder = self.path
    for component in path.split(separator: "/").dropLast() {
      folder += "/\(component)"
      mkdir(folder, 0o755)
    }
  }

  private static func remove(_ path: String) {
    if unlink(path) == 0 || errno == ENOENT { return }
    for entry in (try? FileRoot().entries(of: path)) ?? [] { remove("\(path)/\(entry)") }
    rmdir(path)
  }
}

/// The description of the error a source's read throws; nil when it throws none.
func complaint(of source: some SensorSource) -> String? {
  do {
    _ = try source.read()
    return nil
  } catch {
    return "\(error)"
  }
}
