import LimpetInstants
import Measuring

/// How many pulses a second there are, from the times they came.
///
/// A meter with one pulse in 36 s that is looked at every 10 s has the same rate in each look, and a motor that starts after
/// an hour has its own at once. While no pulse comes the rate is no more than one pulse in the time since the last: it falls
/// towards zero.
package struct PulseRate: Sendable {
  private var last: (count: PulseCount, time: BootClock.Instant)?
  /// The first pulse since `last`, where that is known.
  private var first: BootClock.Instant?
  /// The rate of the last pulses.
  private var rate = 0.0

  package init() {}

  /// Begins anew: at the next look the rate is 0.
  package mutating func forget() { self = PulseRate() }

  /// The pulses were read for another reason.
  package mutating func see(_ count: PulseCount) {
    guard first == nil, let last, let time = count.first, count.pulses > last.count.pulses else { return }
    // An older one was first before the look that it is to be counted from.
    if last.count.last.map({ time > $0 }) ?? true { first = time }
  }

  /// The rate after the pulses of this run; 0 at the first look.
  package mutating func look(at count: PulseCount, _ time: BootClock.Instant) -> Double {
    see(count)
    if let last, last.count.pulses <= count.pulses {
      let pulses = count.pulses - last.count.pulses
      if pulses > 0 {
        rate = rate(of: pulses, after: last.count.last, last.time, until: count.last, time)
      } else if count.last == nil {
        rate = 0
      }
    } else {
      rate = 0
    }
    last = (count, time)
    first = nil
    return rate(at: time)
  }

  private func rate(
    of pulses: UInt64, after before: BootClock.Instant?, _ lastLook: BootClock.Instant, until end: BootClock.Instant?,
    _ look: BootClock.Instant
  ) -> Double {
    // Without a pulse before these their duration is unknown: at most the time since the last look.
    var rate = Self.rate(of: pulses, in: lastLook.duration(to: look))
    if let before, let end { rate = Self.rate(of: pulses, in: before.duration(to: end)) }
    guard pulses > 1, let first, let end else { return rate }
    let among = Self.rate(of: pulses - 1, in: first.duration(to: end))
    // A first pulse after a pause says nothing of those behind it.
    guard let before else { return among }
    return before.duration(to: first) / .seconds(1) * among > Self.pause ? among : rate
  }

  /// This many times the usual period counts as a pause.
  private static let pause = 4.0

  private static func rate(of pulses: UInt64, in duration: Duration) -> Double {
    // In two steps: the compiler of Debian does not find the operators of both in one.
    let seconds: Double = duration / .seconds(1)
    return seconds > 0 ? Double(pulses) / seconds : 0
  }

  /// A line is asked for its pulses 50 times a second, so some of this time may have pulses that are not counted yet.
  package static let lateness = Duration.milliseconds(100)

  /// Towards zero, where the next pulse is overdue.
  private func rate(at time: BootClock.Instant) -> Double {
    guard let pulse = last?.count.last, rate != 0 else { return rate }
    let silence = pulse.duration(to: time)
    guard (silence - Self.lateness) / .seconds(1) > 1 / rate else { return rate }
    return min(rate, 1 / (silence / .seconds(1)))
  }
}
