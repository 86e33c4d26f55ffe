import MQTTCore
import MQTTStore

/// A folder that belongs to this process though no store is open there: one limpet a `storage.path`, also where nothing
/// is stored (`sync: never`).
///
/// `@unchecked`: the folder is made here, and later only released.
public final class StoreHold: @unchecked Sendable {
  private let folder: StoreFolder

  /// Makes nothing. Blocks for as long as 0.2 s.
  ///
  /// Throws `held` when another agent has the folder; other errors say that there is no folder to lock.
  public init(existing path: String) throws(StorageError) {
    folder = try inLimpetsWords { () throws(StorageError) in try StoreFolder(existing: path) }
  }
}
