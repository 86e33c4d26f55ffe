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
  private var last: (pulses: UInt64, time: BootClock.Instant)?

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
  }

  /// The total after `pulses` of this run; the rate is that since the last call, and 0 at the first.
  package mutating func total(_ pulses: UInt64, at time: BootClock.Instant) -> Reading.Total {
    let value = Value.number(Double(earlier &+ pulses)).calibrated(scale: scale, offset: 0).number ?? 0
    var rate = 0.0
    if let last, last.time < time, last.pulses <= pulses {
      let perSecond = Double(pulses - last.pulses) * scale / (last.time.duration(to: time) / .seconds(1))
      // Microunits a second are beyond what the time of a reading is good for.
      rate = (perSecond * 1e6).rounded() / 1e6
    }
    last = (pulses, time)
    return Reading.Total(value: value, rate: rate, generation: generation)
  }

  /// What to store after `pulses` of this run.
  package func stored(_ pulses: UInt64) -> StoredCount {
    StoredCount(pulses: earlier &+ pulses, generation: generation)
  }
}
