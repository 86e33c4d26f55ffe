import Core
import LimpetText
import Logging

extension OpeningNote {
  /// What happened, what it means, what to do.
  var line: (level: Logger.Level, text: String) {
    switch self {
    case .isLate(let error):
      (.error, "\(error) Identity, epoch and sequence numbers may not survive a restart before that")
    case .fails(let error):
      (
        .error,
        "\(error) limpet goes on in memory: identity, epoch and sequence numbers will not survive a restart"
      )
    case .waits(let cause, let patience): (.notice, "\(cause); waiting \(patience.inWords) for it to end")
    case .sessionIsUnreadable(let rows):
      (
        .error,
        "\(rows) rows of the stored session are unreadable: limpet sets them aside, and goes on with the rest"
      )
    case .cannotBeWritten(let error): (.error, "\(error)")
    case .sessionSetAside(let count, let owner):
      (.warning, "limpet sets aside \(count) messages that were under way as \(owner), and does not send them")
    case .sessionIsLeft(let error, let owner):
      (.error, "\(error) limpet does not touch the stored session of \(owner), and keeps its own in memory only")
    case .readingsSetAside(let count):
      (.warning, "limpet sets aside \(count) readings that waited here under another device id, and does not send them")
    case .readingsWait(let count): (.info, "\(count) readings wait in the storage")
    case .readingsAreInMemory(let error):
      (.error, "\(error) Until limpet can open it, waiting readings are in memory only")
    }
  }
}
