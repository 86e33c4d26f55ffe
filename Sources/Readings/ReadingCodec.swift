import LimpetInstants
import Measuring

/// Readings as rows: numbers as varints, times as nanoseconds since the boot (CLOCK_BOOTTIME) beside the wall's, each
/// text behind its length. The first byte has the kind and flags for the rest.
package struct ReadingCodec {
  /// The store's number of this boot.
  package let boot: Int
  /// When it began, on this clock.
  package let booted: BootClock.Instant
  /// When earlier boots began, in microseconds since 1970, if known.
  package let boots: [Int: Int64]

  package init(boot: Int, booted: BootClock.Instant, boots: [Int: Int64]) {
    self.boot = boot
    self.booted = booted
    self.boots = boots
  }

  fileprivate enum Kind: UInt8 { case good, doubtful, edge, total, gap, bad, output }
  private enum ValueKind: UInt8 { case number, integer, text, flag, channels, nothing }

  private static let restarted: UInt8 = 0x10
  private static let hasUnit: UInt8 = 0x20
  private static let isCertain: UInt8 = 0x40

  // MARK: Encoding

  /// - Parameter clock: labels a reading without a time of its own, as a guess.
  package func encode(_ reading: Reading, _ clock: WallClock) -> [UInt8] {
    var row = RowWriter()
    var first = reading.content.kind.rawValue
    if reading.restarted { first |= Self.restarted }
    if reading.unit != nil { first |= Self.hasUnit }
    if reading.label?.isCertain == true { first |= Self.isCertain }
    row.write(byte: first)
    row.write(varint: reading.sequence)
    // The time of a reading of an earlier boot means nothing on this boot's clock.
    let isForeign = reading.label?.isOfEarlierBoot == true
    row.write(varint: UInt64(isForeign ? 0 : boot))
    row.write(varint: UInt64(clamping: isForeign ? 0 : booted.duration(to: reading.time).attoseconds / 1_000_000_000))
    row.write(signed: (reading.label?.time ?? clock.time(of: reading.time)).microseconds)
    if let unit = reading.unit { row.write(unit) }
    write(reading.content, to: &row)
    return row.bytes
  }

  private func write(_ content: Reading.Content, to row: inout RowWriter) {
    switch content {
    case .good(let value): Self.write(value, to: &row)
    case .doubtful(let value, let doubt):
      row.write(byte: UInt8(Doubt.Grade.allCases.firstIndex(of: doubt.grade) ?? 0))
      row.write(doubt.reason)
      Self.write(value, to: &row)
    case .edge(let edge): row.write(byte: (edge.isRising ? 1 : 0) | (edge.isSuspect ? 2 : 0))
    case .total(let total):
      row.write(total.value)
      row.write(total.rate)
      row.write(varint: UInt64(total.generation))
    case .gap(let lost): row.write(varint: lost)
    case .output(let output):
      row.write(byte: UInt8(OutputCause.allCases.firstIndex(of: output.cause) ?? 0) | (output.doubt == nil ? 0 : 0x80))
      if let doubt = output.doubt {
        row.write(byte: UInt8(Doubt.Grade.allCases.firstIndex(of: doubt.grade) ?? 0))
        row.write(doubt.reason)
      }
      Self.write(output.value, to: &row)
    case .bad(let reason): row.write(reason)
    }
  }

  private static func write(_ value: Value?, to row: inout RowWriter) {
    switch value {
    case .number(let number):
      row.write(byte: ValueKind.number.rawValue)
      row.write(number)
    case .integer(let integer):
      row.write(byte: ValueKind.integer.rawValue)
      row.write(signed: integer)
    case .text(let text):
      row.write(byte: ValueKind.text.rawValue)
      row.write(text)
    case .flag(let flag):
      row.write(byte: ValueKind.flag.rawValue)
      row.write(byte: flag ? 1 : 0)
    case .channels(let channels):
      row.write(byte: ValueKind.channels.rawValue)
      row.write(varint: UInt64(channels.count))
      for channel in channels {
        row.write(channel.name)
        row.write(byte: channel.unit == nil ? 0 : 1)
        if let unit = channel.unit { row.write(unit) }
        write(channel.value, to: &row)
      }
    case nil: row.write(byte: ValueKind.nothing.rawValue)
    }
  }

  // MARK: Decoding

  /// Every JSON reader represents it exactly; a row with a larger one has lost bits.
  private static let largestSequence: UInt64 = (1 << 53) - 1

  /// nil: the row is unreadable.
  package func decode(_ data: [UInt8], stream: StreamID, _ clock: WallClock, at now: BootClock.Instant) -> Reading? {
    var row = RowReader(data)
    guard let first = row.byte(), let sequence = row.varint(), let number = row.varint(),
      let nanoseconds = row.varint(), let microseconds = row.signed(),
      sequence <= Self.largestSequence, Timestamp(microseconds: microseconds).isWritable
    else { return nil }
    var unit: String?
    if first & Self.hasUnit != 0 {
      guard let text = row.text() else { return nil }
      unit = text
    }
    guard let kind = Kind(rawValue: first & 0xF), let content = Self.content(kind, from: &row), row.isAtEnd else {
      return nil
    }
    let isOfThisBoot = boot != 0 && number == UInt64(boot)
    let sinceBoot = Duration.nanoseconds(Int64(clamping: nanoseconds))
    let label = label(
      first & Self.isCertain != 0, microseconds, boot: Int(clamping: number), sinceBoot, isOfThisBoot: isOfThisBoot)
    return Reading(
      stream: stream, content: content, unit: unit,
      time: isOfThisBoot ? booted + sinceBoot : Self.instant(of: label, clock, now), sequence: sequence,
      restarted: first & Self.restarted != 0, label: label)
  }

  /// A reading's time by now: for one of this boot the clock may have become right since.
  private func label(
    _ isCertain: Bool, _ microseconds: Int64, boot: Int, _ sinceBoot: Duration, isOfThisBoot: Bool
  ) -> TimeLabel? {
    if isCertain {
      return TimeLabel(time: Timestamp(microseconds: microseconds), isCertain: true, isOfEarlierBoot: !isOfThisBoot)
    }
    guard !isOfThisBoot else { return nil }
    if boot != 0, let start = boots[boot],
      case let time = Timestamp(sinceEpoch: .microseconds(start) + sinceBoot), time.isWritable
    {
      return TimeLabel(time: time, isCertain: true, isOfEarlierBoot: true)
    }
    return TimeLabel(time: Timestamp(microseconds: microseconds), isCertain: false, isOfEarlierBoot: true)
  }

  /// Where a time of an earlier boot is on this one's clock, before its beginning; without two times that are right, now.
  private static func instant(
    of label: TimeLabel?, _ clock: WallClock, _ now: BootClock.Instant
  ) -> BootClock.Instant {
    guard let label, label.isCertain, clock.isSynchronized else { return now }
    return min(now, clock.instant(of: label.time))
  }

  private static func content(_ kind: Kind, from row: inout RowReader) -> Reading.Content? {
    switch kind {
    case .good: return value(from: &row).flatMap { $0 }.map { .good($0) }
    case .doubtful:
      guard let grade = row.byte(), grade < Doubt.Grade.allCases.count, let reason = row.text(),
        case .some(.some(let value)) = value(from: &row)
      else { return nil }
      return .doubtful(value, Doubt(Doubt.Grade.allCases[Int(grade)], reason))
    case .edge: return row.byte().map { .edge(Reading.Edge(isRising: $0 & 1 != 0, isSuspect: $0 & 2 != 0)) }
    case .total:
      guard let value = row.number(), let rate = row.number(), let generation = row.varint() else { return nil }
      return .total(Reading.Total(value: value, rate: rate, generation: UInt32(truncatingIfNeeded: generation)))
    case .gap: return row.varint().map { .gap(lost: $0) }
    case .output: return output(from: &row).map { .output($0) }
    case .bad: return row.text().map { .bad($0) }
    }
  }

  private static func output(from row: inout RowReader) -> Reading.Output? {
    guard let first = row.byte(), Int(first & 0x7F) < OutputCause.allCases.count else { return nil }
    var doubt: Doubt?
    if first & 0x80 != 0 {
      guard let grade = row.byte(), grade < Doubt.Grade.allCases.count, let reason = row.text() else { return nil }
      doubt = Doubt(Doubt.Grade.allCases[Int(grade)], reason)
    }
    guard case .some(.some(let value)) = value(from: &row) else { return nil }
    return Reading.Output(value: value, cause: OutputCause.allCases[Int(first & 0x7F)], doubt: doubt)
  }

  /// nil: it is unreadable; `.some(nil)`: the row says that there is none.
  private static func value(from row: inout RowReader) -> Value?? {
    switch row.byte().flatMap(ValueKind.init(rawValue:)) {
    case .number: row.number().map { .some(.number($0)) }
    case .integer: row.signed().map { .some(.integer($0)) }
    case .text: row.text().map { .some(.text($0)) }
    case .flag: row.byte().map { .some(.flag($0 != 0)) }
    case .channels: channels(from: &row).map { .some(.channels($0)) }
    case .nothing: .some(nil)
    case nil: nil
    }
  }

  private static func channels(from row: inout RowReader) -> [ChannelValue]? {
    guard let count = row.varint(), count <= 4096 else { return nil }
    var channels: [ChannelValue] = []
    for _ in 0..<count {
      guard let name = row.text(), let hasUnit = row.byte() else { return nil }
      var unit: String?
      if hasUnit != 0 {
        guard let text = row.text() else { return nil }
        unit = text
      }
      guard let value = value(from: &row) else { return nil }
      if case .channels? = value { return nil }
      channels.append(ChannelValue(name, value, unit: unit))
    }
    return channels
  }
}

extension Reading.Content {
  fileprivate var kind: ReadingCodec.Kind {
    switch self {
    case .good: .good
    case .doubtful: .doubtful
    case .edge: .edge
    case .total: .total
    case .output: .output
    case .gap: .gap
    case .bad: .bad
    }
  }
}
