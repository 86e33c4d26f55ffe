internal import Glibc

/// Why a file or folder could not be read: what was tried, on what, what happened.
public struct ReadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was tried; the raw value is the verb in the error's description.
  public enum Attempt: String, Sendable, Hashable {
    case open, read, write, list, resolve
  }

  /// What came of it.
  public enum Reason: Sendable, Hashable {
    /// The kernel's own answer (errno(3)).
    case errno(CInt)
    /// More bytes than 64 KiB.
    case tooLarge
    /// More entries than ``entryLimit``.
    case tooManyEntries
    case notUTF8
    /// Relative, empty or with a NUL in it.
    case invalidPath
  }

  /// No more entries are read of one folder.
  public static let entryLimit = 10_000
  /// As many symbolic links are followed in one path as the kernel would (path_resolution(7)).
  public static let linkLimit = 40

  /// What was tried.
  public var attempt: Attempt
  /// The path as it was given, inside the root.
  public var path: String
  /// Why it failed.
  public var reason: Reason

  /// - Parameter path: as it was given, inside the root.
  public init(_ attempt: Attempt, _ path: String, _ reason: Reason) {
    self.attempt = attempt
    self.path = path
    self.reason = reason
  }

  /// The file, or the device behind it, is not there (any more).
  package var isAbsence: Bool {
    reason == .errno(ENOENT) || reason == .errno(ENODEV)
  }

  /// For a person: what was tried, on which path, what happened and, for known errnos, what to do.
  public var description: String {
    "cannot \(attempt.rawValue) \(printable(path, limit: 256)): \(what)"
  }

  private var what: String {
    switch reason {
    case .errno(let code):
      let text = Self.text(of: code)
      return Self.advice(code).map { "\(text); \($0)" } ?? text
    case .tooLarge: return "larger than 64 KiB"
    case .tooManyEntries: return "more than \(ReadError.entryLimit) entries"
    case .notUTF8: return "not UTF-8 text"
    case .invalidPath: return "not an absolute path; write it from the root, as /sys/..."
    }
  }

  package static func text(of code: CInt) -> String {
    // glibc keeps this text per thread (since 2.32).
    String(cString: strerror(code))
  }

  /// What the kernel's drivers mean by it (Documentation/driver-api, include/uapi/asm-generic/errno.h), and what to do.
  private static func advice(_ code: CInt) -> String? {
    switch code {
    case EACCES, EPERM: "let limpet's user read it (a group or a udev rule)"
    case EAGAIN: "the driver has no value ready (EAGAIN)"
    case EBUSY: "another program uses the device (EBUSY)"
    case EIO, EREMOTEIO: "the device did not answer, check its wiring and power (\(code == EIO ? "EIO" : "EREMOTEIO"))"
    case EISDIR: "name a file in this folder"
    case ENODATA: "the driver has no valid reading at the moment (ENODATA)"
    case ENODEV, ENXIO: "the device is gone (\(code == ENODEV ? "ENODEV" : "ENXIO"))"
    case ELOOP: "at most \(ReadError.linkLimit) are followed"
    case EOPNOTSUPP: "the driver does not offer this attribute (EOPNOTSUPP)"
    case ETIMEDOUT: "the device did not answer in time (ETIMEDOUT)"
    default: nil
    }
  }
}
