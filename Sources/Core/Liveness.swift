import LimpetInstants

/// Whether all that has to move moves: what `WATCHDOG=1` stands for.
///
/// The watchdog restarts the whole agent, so only what a restart would heal counts: a lost wake-up, a dead thread, a
/// timer that is never armed again. The event loop is the first of these: it is where this is asked, so a loop that
/// hangs asks nothing and reports nothing. Then
///
/// - GPIO: its thread makes a turn every 5 s at the least. One that hangs in the kernel (a driver, an expander that holds
///   its bus) is not judged: no signal would end it, and the sensors that do work would be lost with it.
/// - sensors: each read is answered, or reported late by the thread that watches the readers; all of them one after the
///   other take their timeouts together at the most. A read that hangs in the kernel has been reported, and is no stall.
/// - sending: a session with room takes a waiting reading within a turn of the loop. A broker that acknowledges nothing
///   leaves no room, and is the keepalive's to judge.
/// - outputs: what is ordered of one that is held is done within a second, and so is what its own rules want at a moment.
///   A chip that hangs is reported as a failure; until then nothing else ends what is on for longer than it may.
/// - connecting: an attempt succeeds or fails within `connect_timeout`, and the next one begins when its delay is over.
///
/// The disk is not here: an fsync that hangs comes back the same after a restart. Times do not count a suspend, and
/// neither does systemd's watchdog.
package struct Liveness {
  /// CLOCK_MONOTONIC: it stands still in a suspend.
  package typealias Instant = Duration

  package enum Stall: Equatable, CustomStringConvertible {
    case gpio, sensors, sending, connecting
    /// This one is not driven.
    case output(String)

    package var description: String {
      switch self {
      case .gpio: "the GPIO thread"
      case .sensors: "reading sensors"
      case .sending: "sending"
      case .connecting: "connecting"
      case .output(let name): "driving the output \(name)"
      }
    }
  }

  /// What there is to see at one moment.
  package struct Look {
    /// Turns of the GPIO thread; nil: there is none.
    var gpioTurns: Int?
    /// Since when the read that has waited longest is without an answer.
    var oldestRead: Instant?
    /// The timeouts of all sensors together.
    var readLimit = Duration.zero
    /// Messages handed to the session; nil: nothing waits, or it has no room.
    package var sent: UInt64?
    /// When the next thing has to have happened to the connection; nil: there is one.
    var connectionDue: Instant?
    /// An output that was not driven in time.
    var overdueOutput: String?
  }

  private var gpio = Progress()
  private var sending = Progress()

  /// Far above what a busy machine makes of any of these.
  static let grace = Duration.seconds(30)

  package mutating func look(_ look: Look, at now: Instant) -> Stall? {
    if let name = look.overdueOutput { return .output(name) }
    let gpioRests = gpio.rests(look.gpioTurns.map(UInt64.init), at: now)
    let sendingRests = sending.rests(look.sent, at: now)
    if let since = look.oldestRead, now - since > look.readLimit + Self.grace { return .sensors }
    if sendingRests > Self.grace { return .sending }
    if let due = look.connectionDue, now - due > Self.grace { return .connecting }
    // Last, since it may be the kernel's.
    return gpioRests > Self.grace ? .gpio : nil
  }

  /// A count that is to change as long as there is one.
  private struct Progress {
    private var last: (count: UInt64, since: Instant)?

    /// How long it has not changed, as far as was seen.
    mutating func rests(_ count: UInt64?, at now: Instant) -> Duration {
      guard let count else {
        last = nil
        return .zero
      }
      if let last, last.count == count { return now - last.since }
      last = (count, now)
      return .zero
    }
  }
}
