import Instants
import Measuring
import Records
import Text

/// What a counter stands at, over restarts, and how fast it runs.
package struct PulseCounter {
  /// Names the row of totals that go on from each other.
  package let generation: UInt32
  private var scale: Double
  /// Pulses of the runs before this one.
  private let earlier: UInt64
  private var last: (count: PulseCount, time: BootClock.Instant)?
  /// Units a second, as pulses last said.
  private var rate = 0.0

  /// - Parameters:
  ///   - stored: what an earlier run left; nil: the counter begins at zero, as a new generation.
  ///   - scale: units per pulse.
  package init(stored: StoredCount?, scale: Double, using generator: inout some RandomNumberGenerator) {
    generation = stored?.generation ?? UInt32.random(in: 1...UInt32.max, using: &generator)
    earlier = stored?.pulses ?? 0
    self.scale = scale
  }

  /// The same pulses, in another unit.
  package mutating func rescale(_ scale: Double) {
    self.scale = scale
    last = nil
    rate = 0
  }

  /// The total after the pulses of this run; the rate is 0 at the first call.
  ///
  /// The rate is that of the pulses since the last call, by the times they came: a meter with one pulse in 36 s and a total
  /// every 10 s has the same rate in each. While none comes it is no more than one pulse in the time since the last.
  package mutating func total(_ count: PulseCount, at time: BootClock.Instant) -> Reading.Total {
    let value = Value.number(Double(earlier &+ count.pulses)).calibrated(scale: scale, offset: 0).number ?? 0
    if let last, last.count.pulses <= count.pulses {
      let pulses = count.pulses - last.count.pulses
      if pulses > 0 {
        // Without a pulse before these nobody knows how long they took: no longer than since the last call.
        var duration = last.time.duration(to: time)
        if let from = last.count.last, let to = count.last { duration = from.duration(to: to) }
        rate = duration > .zero ? Double(pulses) * scale / (duration / .seconds(1)) : 0
      } else if count.last == nil {
        rate = 0
      }
    } else {
      rate = 0
    }
    last = (count, time)
    return Reading.Total(value: value, rate: rounded(rate(at: time)), generation: generation)
  }

  /// A line is asked for its pulses 50 times a second, so some of this time may have pulses that are not counted yet.
  private static let lateness = Duration.milliseconds(100)

  /// Towards zero, where the next pulse is overdue.
  private func rate(at time: BootClock.Instant) -> Double {
    guard let pulse = last?.count.last, rate != 0 else { return rate }
    let silence = pulse.duration(to: time)
    guard (silence - Self.lateness) / .seconds(1) > abs(scale / rate) else { return rate }
    let most = abs(scale) / (silence / .seconds(1))
    return min(max(rate, -most), most)
  }

  /// Microunits a second are beyond what the time of a reading is good for.
  private func rounded(_ rate: Double) -> Double { (rate * 1e6).rounded() / 1e6 }

  /// What to store after `pulses` of this run.
  package func stored(_ pulses: UInt64) -> StoredCount {
    StoredCount(pulses: earlier &+ pulses, generation: generation)
  }
}
