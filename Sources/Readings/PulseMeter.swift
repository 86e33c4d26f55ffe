import LimpetInstants
import Measuring

/// What a line's pulses measure in each interval.
///
/// - `frequency`: pulses a second (``PulseRate``), falling towards zero while none comes.
/// - `duty`: for which part of the cycles that ended the line was high, in %. While none ends, the last stands for as long as
///   such a cycle takes; then the level does, as 0 or 100 %.
/// - `width`: the mean of the pulses that ended, in seconds. While none ends, the last stands for as long as a cycle takes;
///   then a pulse that goes on has its length so far, and no pulse has 0.
package struct PulseMeter: Sendable {
  package enum Quantity: Sendable, Equatable {
    case frequency, duty, width
  }

  package let quantity: Quantity
  private var scale: Double
  private var rate = PulseRate()
  /// The pulses at the last look, and its time; nil: the line was not found yet.
  private var last: (count: PulseCount, time: BootClock.Instant)?
  /// The value of the last cycles or pulses.
  private var value: Double?
  /// How long the last cycles were.
  private var cycle: Duration?

  /// - Parameter scale: units per Hz, % or second.
  package init(_ quantity: Quantity, scale: Double) {
    self.quantity = quantity
    self.scale = scale
  }

  /// The same pulses, in another unit.
  package mutating func rescale(_ scale: Double) { self.scale = scale }

  /// The line is read from now on; what happened before is unknown.
  package mutating func begin(_ count: PulseCount, at time: BootClock.Instant) {
    rate.forget()
    _ = rate.look(at: count, time)
    last = (count, time)
    (value, cycle) = (nil, nil)
  }

  /// The pulses were read for another reason.
  package mutating func see(_ count: PulseCount) { rate.see(count) }

  /// - Returns: nil: there is no value yet.
  package mutating func measure(_ count: PulseCount, at time: BootClock.Instant) -> Double? {
    guard let last else { return nil }
    defer { self.last = (count, time) }
    let measured: Double?
    switch quantity {
    case .frequency:
      let frequency = rate.look(at: count, time)
      // The first pulse of all gives no value.
      measured = count.pulses == 1 ? nil : frequency
    case .duty, .width:
      let isNew = take(count, since: last.count)
      measured = isNew ? value : held(count, at: time) ?? level(count, since: last.time, at: time)
    }
    return measured.map { ($0 * scale * 1e6).rounded() / 1e6 }
  }

  /// - Returns: whether a cycle or pulse that gives a value has ended since.
  private mutating func take(_ count: PulseCount, since earlier: PulseCount) -> Bool {
    let (cycles, widths) = (count.cycles - earlier.cycles, count.widths - earlier.widths)
    if cycles.count > 0 { cycle = .nanoseconds(cycles.total) / Double(cycles.count) }
    if quantity == .duty {
      guard cycles.total > 0 else { return false }
      value = Double(count.highTime &- earlier.highTime) / Double(cycles.total) * 100
    } else {
      guard widths.count > 0 else { return false }
      value = Double(widths.total) / Double(widths.count) / 1e9
    }
    return true
  }

  /// The last value, for as long as another such cycle or pulse may come.
  private mutating func held(_ count: PulseCount, at time: BootClock.Instant) -> Double? {
    if let value, let cycle, let since = count.since, since.duration(to: time) <= cycle + PulseRate.lateness {
      return value
    }
    value = nil
    return nil
  }

  /// The value of the level alone.
  private func level(_ count: PulseCount, since look: BootClock.Instant, at time: BootClock.Instant) -> Double? {
    guard let since = count.since else { return nil }
    // The line may have risen after the time that counts was taken.
    if quantity == .width { return count.isHigh ? max(.zero, since.duration(to: time)) / .seconds(1) : 0 }
    // An edge since the last look belongs to a cycle that is not known yet.
    guard since <= look else { return nil }
    return count.isHigh ? 100 : 0
  }
}
