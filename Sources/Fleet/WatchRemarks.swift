import LimpetPlatform
import Synchronization

/// What a watch has to say beside the changes: on standard error or, where a table is on the same terminal, in it.
final class WatchRemarks: Sendable {
  private let log: LogWriter?
  private let last = Mutex<String?>(nil)

  /// - Parameter log: nil: they are for the table.
  init(log: LogWriter?) { self.log = log }

  var areLogged: Bool { log != nil }

  /// For the table, the last one; nil: there is none.
  var newest: String? { last.withLock { $0 } }

  /// On any thread.
  @Sendable func say(_ text: String) {
    guard let log else { return last.withLock { $0 = text } }
    log.write("limpet watch: \(text)\n")
  }
}
