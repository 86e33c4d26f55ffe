@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Readings

/// A row of the outbox as the agent writes it: a number with a unit and its time.
func row(sequence: Int) -> [UInt8] {
  let now = BootClock.now
  let clock = WallClock(instant: now, sinceEpoch: .seconds(1_795_176_000), isSynchronized: true)
  let reading = Reading(
    stream: 0, content: .good(.number(21.5)), unit: "°C", time: now, sequence: UInt64(sequence), restarted: false,
    label: TimeLabel(time: clock.time(of: now), isCertain: true))
  return ReadingCodec(boot: 1, booted: now - .seconds(1_000_000), boots: [:]).encode(reading, clock)
}
