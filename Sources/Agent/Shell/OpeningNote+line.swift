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
        "\(error) The agent runs on in memory: identity, epoch and sequence numbers will not survive a restart"
      )
    case .waits(let cause, let patience): (.notice, "\(cause); waiting \(patience.inWords) for it to end")
    case .sessionIsUnreadable(let rows):
      (
        .error,
        "\(rows) rows of the stored session are unreadable: limpet sets them aside, and goes on with the rest"
      )
    case .cannotBeWritten(let error): (.error, "\(error)")
    case .sessionSetAside(let count, let owner):
      (.warning, "\(count) messages that were under way as \(owner) are set aside, not sent")
    case .sessionIsLeft(let error, let owner):
      (.error, "\(error) limpet leaves the session of \(owner) alone, and keeps none of this process")
    case .readingsSetAside(let count):
      (.warning, "\(count) readings of another identity waited here; they are set aside, not sent")
    case .readingsWait(let count): (.info, "\(count) readings wait in the storage")
    case .readingsAreInMemory(let error):
      (.error, "\(error) Until limpet can open it, waiting readings are in memory only")
    }
  }
}
