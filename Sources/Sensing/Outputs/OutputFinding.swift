import Glibc
import LimpetPlatform
import Measuring

/// An output besides GPIO lines as the driver would find it now, without taking it: for `limpet check`.
public struct OutputFinding: Sendable {
  /// Whose processes write: the service's.
  public struct Account: Sendable {
    public var user: UInt32
    public var groups: Set<UInt32>

    public init(user: UInt32, groups: Set<UInt32>) { (self.user, self.groups) = (user, groups) }

    /// nil: this machine has no such user.
    public init?(named name: String) {
      var (entry, found) = (passwd(), UnsafeMutablePointer<passwd>?.none)
      var buffer = [CChar](repeating: 0, count: 4096)
      guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
      // getgrouplist(3): the primary group, and those that the package or its owner has added.
      var groups = [gid_t](repeating: entry.pw_gid, count: 64)
      var count = CInt(groups.count)
      let isWhole = getgrouplist(name, entry.pw_gid, &groups, &count) >= 0
      self.init(user: entry.pw_uid, groups: Set(isWhole ? groups.prefix(Int(count)) : groups[...]))
    }
  }

  /// What it is, for people.
  public let description: String
  /// Files that it writes, and that the account may not.
  public let denied: [String]

  /// - Parameter account: nil: this process's own rights count.
  /// - Returns: nil: it is a line.
  public static func of(
    _ request: OutputRequest, root: FileRoot, account: Account?
  ) -> Result<OutputFinding, Failure>? {
    if case .gpio = request { return nil }
    do throws(OutputError) {
      let found = try OutputThread.finder(root: root)(request) { GPIOInventory(chips: []) }
      return .success(
        OutputFinding(
          description: "\(found)", denied: found.attributes.filter { !root.mayWrite($0, account) }))
    } catch {
      return .failure(Failure(description: "\(error)"))
    }
  }

  /// Why it cannot be driven, for people.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }
}

extension FileRoot {
  fileprivate func mayWrite(_ path: String, _ account: OutputFinding.Account?) -> Bool {
    var status = stat()
    guard let location = try? location(of: path), stat(location, &status) == 0 else { return true }
    guard let account else { return access(location, W_OK) == 0 }
    if account.user == 0 || status.st_mode & S_IWOTH != 0 { return true }
    if status.st_uid == account.user { return status.st_mode & S_IWUSR != 0 }
    return account.groups.contains(status.st_gid) && status.st_mode & S_IWGRP != 0
  }
}
