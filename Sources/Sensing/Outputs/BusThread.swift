import Glibc
import LimpetPlatform
import Synchronization

/// The thread of one chip behind I²C, SPI or USB: it may hang in the kernel, and holds up no other output then.
final class BusThread: Sendable {
  /// A chip that has not returned for so long hangs; in nanoseconds.
  static let patience: Int64 = 3_000_000_000
  private static let checkInterval = Duration.seconds(5)

  private let desk: OutputDesk
  private let record: OutputRecord
  private let hasWork = ConditionLock(false)
  /// Since when it is at work; 0: it waits.
  let busySince = Atomic<Int64>(0)

  init(desk: OutputDesk, record: OutputRecord) {
    self.desk = desk
    self.record = record
  }

  /// - Returns: why there is no thread, an errno; 0: there is one.
  func start() -> CInt { DetachedThread.start("limpet-out-bus") { self.run() } }

  func wake() {
    hasWork.withLock { $0 = true }
    hasWork.signal()
  }

  private func run() {
    var seats = OutputSeats(desk: desk, record: record)
    while true {
      busySince.store(BootTime.monotonic(), ordering: .relaxed)
      var shouldStop = serve(&seats)
      let unanswered = seats.seats.keys.filter(desk.isUnanswered)
      if !unanswered.isEmpty {
        // Orders from the time in which it hung decide what it is to be now.
        shouldStop = serve(&seats) || shouldStop
        for place in unanswered { seats.resume(place, at: BootTime.monotonic()) }
      }
      seats.lookAfter(at: BootTime.monotonic())
      desk.giveBack(seats.takeUnheld())
      busySince.store(0, ordering: .relaxed)
      if seats.isEmpty || shouldStop, desk.retire(self) { return }
      rest()
    }
  }

  /// - Returns: whether to stop.
  private func serve(_ seats: inout OutputSeats) -> Bool {
    let work = desk.takeWork(of: self)
    for (seat, found) in work.arrivals {
      seats.add(seat)
      seats.take(seat.place, found, at: BootTime.monotonic())
    }
    for (place, task) in work.tasks { seats.carryOut(task, at: place, now: BootTime.monotonic()) }
    return work.shouldStop
  }

  private func rest() {
    let end = BootTime.monotonic() + Self.checkInterval.wholeNanoseconds
    hasWork.wait { hasWork in
      let left = end - BootTime.monotonic()
      guard !hasWork, left > 0 else {
        hasWork = false
        return .ready(())
      }
      return .waitAtMost(.nanoseconds(left))
    }
  }
}
