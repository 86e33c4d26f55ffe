import LimpetInstants

/// The time of a reading by the wall clock.
package struct TimeLabel: Sendable, Equatable {
  package let time: Timestamp
  /// The clock was synchronised at that time; otherwise `time` is a guess.
  let isCertain: Bool
  /// It was measured before the device was switched off last.
  var isOfEarlierBoot = false

  package init(time: Timestamp, isCertain: Bool, isOfEarlierBoot: Bool = false) {
    self.time = time
    self.isCertain = isCertain
    self.isOfEarlierBoot = isOfEarlierBoot
  }
}

/// Gives readings their times, so that certain times never go backwards: after a clock was set back a little, times
/// stand still for as long; after it was set back by more, they are uncertain.
package struct TimeLabels {
  /// By stream, in microseconds since 1970.
  private var latest: [Int64]
  /// The label of the reading that was sent as the last of its stream, in the order of their arrival.
  private var newest: [UInt64]
  private static let smallStep: Int64 = 60_000_000

  package init(streams: Int) {
    latest = Array(repeating: .min, count: streams)
    newest = Array(repeating: 0, count: streams)
  }

  /// With more streams behind those that there are.
  package mutating func adopt(streams: Int) {
    while latest.count < streams {
      latest.append(.min)
      newest.append(0)
    }
  }

  /// The label that a reading is stored with; nil: the clock does not know it yet.
  package mutating func label(of time: BootClock.Instant, stream: StreamID, _ clock: WallClock) -> TimeLabel? {
    guard clock.isSynchronized else { return nil }
    return ordered(TimeLabel(time: clock.time(of: time), isCertain: true), stream)
  }

  /// The label that a reading is sent with.
  ///
  /// - Parameter token: rises with each new reading; nil: this one is published once more.
  package mutating func label(of reading: Reading, _ token: UInt64?, _ clock: () -> WallClock) -> TimeLabel {
    // A reading that was refused, or that comes from a store that was opened late, is older than those that overtook
    // it: so is its time.
    let isOvertaken = token.map { $0 < newest[reading.stream] } ?? (reading.label != nil)
    if let token { newest[reading.stream] = max(newest[reading.stream], token) }
    if let label = reading.label { return isOvertaken ? label : ordered(label, reading.stream) }
    let clock = clock()
    let label = TimeLabel(time: clock.time(of: reading.time), isCertain: clock.isSynchronized)
    return isOvertaken ? label : ordered(label, reading.stream)
  }

  private mutating func ordered(_ label: TimeLabel, _ stream: StreamID) -> TimeLabel {
    guard label.isCertain else { return label }
    let (time, latest) = (label.time.microseconds, latest[stream])
    guard time < latest else {
      self.latest[stream] = time
      return label
    }
    let (step, overflows) = latest.subtractingReportingOverflow(time)
    let isSmall = !overflows && step <= Self.smallStep
    return TimeLabel(
      time: isSmall ? Timestamp(microseconds: latest) : label.time, isCertain: isSmall,
      isOfEarlierBoot: label.isOfEarlierBoot)
  }
}
