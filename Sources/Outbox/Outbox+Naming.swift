import LimpetInstants
import Readings
import Records

/// Streams that a reload has brought, and for which the store has no number yet: they get one as soon as the store
/// works, and until then nothing is written, since each row needs its stream's number. The reload itself does not wait.
extension Outbox {
  /// The streams to be numbered now; `named` or `namingFailed` follows. nil: none, or not yet.
  ///
  /// - Parameter isLast: this is the last chance.
  package mutating func nextNaming(isLast: Bool = false, at now: Instant) -> [StreamID]? {
    guard let deadline = namingDeadline(at: now), isLast || deadline <= now else { return nil }
    disk.isNaming = true
    return disk.unnamed.sorted()
  }

  /// When `nextNaming` has something.
  package func namingDeadline(at now: Instant) -> Instant? {
    disk.isOpen && !disk.isNaming && !disk.unnamed.isEmpty ? max(now, disk.nameAgainAt ?? now) : nil
  }

  /// The store has these numbers.
  package mutating func named(_ numbers: [StreamID: Int]) {
    guard disk.isNaming else { return }
    disk.isNaming = false
    disk.nameAgainAt = nil
    for (stream, number) in numbers { disk.name(stream, number) }
  }

  /// The store cannot be written: readings that `sync: always` keeps back until they are stored go out all the same.
  package mutating func namingFailed(at now: Instant) {
    guard disk.isNaming else { return }
    disk.isNaming = false
    disk.failed(at: now)
    disk.nameAgainAt = disk.retryAt
  }
}
