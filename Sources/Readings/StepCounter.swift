import LimpetInstants
import LimpetText
import Measuring
import Records

/// The position of an encoder, over restarts.
///
/// At the start it counts as at rest on a step, whatever the levels of its lines are: steps are counted from there.
package struct StepCounter: Sendable {
  /// Names the totals that continue each other.
  package let generation: UInt32
  /// How many steps a period of its lines has: 1, 2 or 4.
  private let stepsPerPeriod: Int64
  private var scale: Double
  /// Steps of the runs before this one.
  private let earlier: Int64
  private var last: (steps: Int64, time: BootClock.Instant)?
  /// How many of the missed ones were reported.
  private var reportedMissed: UInt64 = 0

  /// - Parameters:
  ///   - stored: what an earlier run left; nil: it begins at zero, as a new generation.
  ///   - scale: units per step.
  package init(
    stored: StoredCount?, stepsPerPeriod: Int, scale: Double, using generator: inout some RandomNumberGenerator
  ) {
    generation = stored?.generation ?? UInt32.random(in: 1...UInt32.max, using: &generator)
    self.stepsPerPeriod = Int64(stepsPerPeriod)
    earlier = stored.map { Self.steps(stored: $0.pulses) } ?? 0
    self.scale = scale
  }

  /// The same steps, in another unit.
  package mutating func rescale(_ scale: Double) { self.scale = scale }

  /// The steps of this run. Half a step away from a step counts as that step: a knob that trembles on a step does not
  /// move.
  private func steps(_ count: PulseCount) -> Int64 { (count.position &* stepsPerPeriod + 2) >> 2 }

  /// The total after the steps of this run, and how fast it has moved since the last call.
  package mutating func total(_ count: PulseCount, at time: BootClock.Instant) -> Reading.Total {
    let steps = steps(count)
    var rate = 0.0
    if let last, last.time < time {
      rate = Double(steps - last.steps) * scale / (last.time.duration(to: time) / .seconds(1))
    }
    last = (steps, time)
    let value = Value.number(Double(earlier &+ steps)).calibrated(scale: scale, offset: 0).number ?? 0
    return Reading.Total(value: value, rate: (rate * 1e6).rounded() / 1e6, generation: generation)
  }

  /// Edges that were not seen since this was asked.
  package mutating func takeMissed(_ count: PulseCount) -> UInt64 {
    defer { reportedMissed = count.missed }
    return count.missed >= reportedMissed ? count.missed - reportedMissed : count.missed
  }

  /// What to store after the steps of this run: those below zero have the odd numbers.
  package func stored(_ count: PulseCount) -> StoredCount {
    let steps = earlier &+ steps(count)
    let number = steps >= 0 ? UInt64(steps) << 1 : (UInt64(-(steps + 1)) << 1) | 1
    return StoredCount(pulses: number, generation: generation)
  }

  private static func steps(stored number: UInt64) -> Int64 {
    let half = Int64(number >> 1)
    return number & 1 == 0 ? half : -half - 1
  }
}
