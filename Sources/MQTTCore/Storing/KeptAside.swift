/// A damaged store that was moved away, so that a new one could begin.
public struct KeptAside: Equatable, Sendable {
  /// Where it is now; its log, when it had one, is beside it with `-wal` added.
  public let path: String
  /// What was wrong with it.
  public let reason: StorageError

  package init(path: String, reason: StorageError) {
    self.path = path
    self.reason = reason
  }
}
