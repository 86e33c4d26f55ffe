internal import Glibc

/// The files a configuration names. An input, so that tests need none.
public struct ConfigurationFiles: Sendable {
  public struct Found: Sendable {
    public var bytes: [UInt8]
    /// The permission bits of stat(2).
    public var mode: UInt32

    public init(bytes: [UInt8], mode: UInt32) {
      self.bytes = bytes
      self.mode = mode
    }

    /// Anyone on the device may read it.
    var isReadableByOthers: Bool { mode & 0o004 != 0 }
  }

  /// An errno.
  public struct Failure: Error, Sendable, Equatable {
    public var code: Int32

    public init(code: Int32) {
      self.code = code
    }

    /// strerror(3).
    package var text: String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }
    var isMissing: Bool { code == ENOENT }
    package var isDenied: Bool { code == EACCES }
  }

  /// Opens a path and reads at most so many bytes; with 0, only opens it (folders too).
  public var open: @Sendable (_ path: String, _ limit: Int) -> Result<Found, Failure>

  /// The names in a folder, in any order; at most a few thousand.
  public var list: @Sendable (_ folder: String) -> Result<[String], Failure>

  public init(
    open: @escaping @Sendable (_ path: String, _ limit: Int) -> Result<Found, Failure>,
    list: @escaping @Sendable (_ folder: String) -> Result<[String], Failure> = { _ in .success([]) }
  ) {
    self.open = open
    self.list = list
  }

  /// This machine's.
  public static let real = ConfigurationFiles(open: read, list: names)

  private static func names(in folder: String) -> Result<[String], Failure> {
    guard let stream = opendir(folder) else { return .failure(Failure(code: errno)) }
    defer { closedir(stream) }
    var names: [String] = []
    while names.count < 4096, let entry = Glibc.readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return .success(names)
  }

  private static func read(_ path: String, _ limit: Int) -> Result<Found, Failure> {
    // O_NONBLOCK: a FIFO without a writer must not block the start.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { return .failure(Failure(code: errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return .failure(Failure(code: errno)) }
    var bytes: [UInt8] = []
    while bytes.count < limit {
      var code: Int32 = 0
      let chunk = [UInt8](unsafeUninitializedCapacity: min(65536, limit - bytes.count)) { buffer, count in
        let got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if got < 0 { code = errno }
        count = max(0, got)
      }
      if code == EINTR { continue }
      guard code == 0 else { return .failure(Failure(code: code)) }
      if chunk.isEmpty { break }
      bytes += chunk
    }
    return .success(Found(bytes: bytes, mode: status.st_mode & 0o7777))
  }
}
