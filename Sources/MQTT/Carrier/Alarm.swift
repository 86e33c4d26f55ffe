import LimpetInstants
import NIOCore

/// One timer for a deadline that moves all the time.
///
/// It moves to an earlier time at once. It moves to a later time only by a second or more, since a timer that fires
/// early does no harm, and not while the deadline goes back and forth quickly: setting it again would then be most of
/// the cost of each message. If it never moved to a later time, each message would wake a quiet device twice.
///
/// The timers of NIO do not count a suspend, but the deadlines do: the owner looks at the clock after each suspend.
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
