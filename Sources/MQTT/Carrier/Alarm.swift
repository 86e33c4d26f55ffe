import LimpetInstants
import NIOCore

/// One timer for a deadline that moves all the time.
///
/// Moved forward at once. Moved back only by a second or more, since what fires early just asks again; and not while it
/// goes back and forth quickly, or taking it back and setting it again would be the most of what each message costs. On
/// a quiet device each message would wake it up twice if it never moved back.
///
/// The timers of NIO do not count a suspend, as the deadlines do: the owner looks at the clock when it hears of one.
package struct Alarm {
  private static let worthMoving = Duration.seconds(1)

  private var timer: (at: BootClock.Instant, task: Scheduled<Void>)?
  /// When it was moved forward last, and whether the time before was shortly before.
  private var lastForward: BootClock.Instant?
  private var isBusy = false

  package init() {}

  /// `tick`, the same one each time, is called at the deadline or before it.
  ///
  /// - Parameter tick: kept until it is called, or the timer taken back. It is made for each call of this, which is each
  ///   turn: one that captures a single object spares an allocation.
  package mutating func set(
    _ deadline: BootClock.Instant?, at now: BootClock.Instant, on eventLoop: any EventLoop,
    _ tick: @escaping @Sendable () -> Void
  ) {
    // What is past has fired, or does so in a moment; after a suspend it does not.
    if let timer, timer.at > now {
      if deadline.map({ $0 >= timer.at }) ?? true {
        if isBusy { return }
        if let deadline, deadline.nanoseconds - timer.at.nanoseconds < Self.worthMoving.wholeNanoseconds { return }
      } else {
        movesForward(at: now)
      }
    } else if deadline != nil {
      movesForward(at: now)
    }
    timer?.task.cancel()
    timer = nil
    guard let deadline else { return }
    timer = (deadline, eventLoop.scheduleTask(in: TimeAmount(max(.zero, now.duration(to: deadline))), tick))
  }

  private mutating func movesForward(at now: BootClock.Instant) {
    isBusy = lastForward.map { now < $0 + Self.worthMoving } ?? false
    lastForward = now
  }
}
