import LimpetInstants
import LimpetText
import Measuring
import Records

/// The total of a counter, over restarts, and its rate.
package struct PulseCounter {
  /// Names the totals that continue each other.
  package let generation: UInt32
  private var scale: Double
  /// Pulses of the runs before this one.
  private let earlier: UInt64
  private var rate = PulseRate()

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
    rate.forget()
  }

  /// The pulses were read for another reason.
  package mutating func see(_ count: PulseCount) { rate.see(count) }

  /// The total after the pulses of this run; the rate is 0 at the first call.
  package mutating func total(_ count: PulseCount, at time: BootClock.Instant) -> Reading.Total {
    let value = Value.number(Double(earlier &+ count.pulses)).calibrated(scale: scale, offset: 0).number ?? 0
    return Reading.Total(
      value: value, rate: rounded(rate.look(at: count, time) * scale), generation: generation)
  }

  /// The time of a reading is not precise enough for more digits than microunits a second.
  private func rounded(_ rate: Double) -> Double { (rate * 1e6).rounded() / 1e6 }

  /// What to store after `pulses` of this run.
  package func stored(_ pulses: UInt64) -> StoredCount {
    StoredCount(pulses: earlier &+ pulses, generation: generation)
  }
}
