import LimpetInstants
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Measuring
@testable import Outbox
@testable import Readings

@Suite("ReadingCodec")
struct ReadingCodecTests {
  private static let base = BootClock.now
  private static let clock = WallClock(instant: base, sinceEpoch: .seconds(1_795_176_000), isSynchronized: true)
  private let codec = ReadingCodec(boot: 7, booted: base - .seconds(5000), boots: [3: 1_700_000_000_000_000])

  private static let contents: [Reading.Content] = [
    .good(.number(21.5)), .good(.number(-0.0)), .good(.integer(.min)), .good(.text("ü\"\n")), .good(.flag(true)),
    .good(.channels([ChannelValue("temp1", .number(1), unit: "°C"), ChannelValue("fan1", nil)])),
    .doubtful(.number(85), Doubt(.alarm, "above temp1_crit")), .doubtful(.integer(1), Doubt(.bad, "")),
    .edge(Reading.Edge(isRising: true, isSuspect: false)), .edge(Reading.Edge(isRising: false, isSuspect: true)),
    .total(Reading.Total(value: 1e9, rate: 0.25, generation: .max)), .gap(lost: 12), .bad("/sys/x: no such file"),
  ]

  private func reading(_ content: Reading.Content, label: TimeLabel?, unit: String? = "°C") -> Reading {
    Reading(
      stream: 2, content: content, unit: unit, time: Self.base - .seconds(60), sequence: 1 << 40, restarted: true,
      label: label)
  }

  @Test("a reading is the same after it was stored, whatever it says", arguments: contents)
  func roundTrip(_ content: Reading.Content) {
    let label = TimeLabel(time: Self.clock.time(of: Self.base - .seconds(60)), isCertain: true)
    for unit in [nil, "", "°C"] {
      let original = reading(content, label: label, unit: unit)
      let row = codec.encode(original, Self.clock)
      #expect(codec.decode(row, stream: 2, Self.clock, at: Self.base) == original)
    }
  }

  @Test("a plain number takes some thirty bytes")
  func size() {
    let label = TimeLabel(time: Self.clock.time(of: Self.base), isCertain: true)
    #expect(codec.encode(reading(.good(.number(21.5)), label: label), Self.clock).count <= 40)
  }

  @Test("one without a time of its own keeps its place in this boot, and gets a time when it is sent")
  func untimed() {
    let row = codec.encode(reading(.gap(lost: 1), label: nil), Self.clock)
    let decoded = codec.decode(row, stream: 2, Self.clock, at: Self.base)
    #expect(decoded?.label == nil && decoded?.time == Self.base - .seconds(60))
  }

  @Test("one of an earlier boot gets its true time where the clock was set later in that boot, and else is uncertain")
  func earlierBoot() {
    let row = ReadingCodec(boot: 3, booted: Self.base - .seconds(5000), boots: [:])
      .encode(reading(.gap(lost: 1), label: nil), Self.clock)
    let known = codec.decode(row, stream: 2, Self.clock, at: Self.base)?.label
    #expect(known?.isCertain == true && known?.time.microseconds == (1_700_000_000 + 4940) * 1_000_000)
    let unknown = ReadingCodec(boot: 7, booted: Self.base, boots: [:])
      .decode(row, stream: 2, Self.clock, at: Self.base)?.label
    #expect(unknown?.isCertain == false && unknown?.isOfEarlierBoot == true)
    #expect(unknown?.time == Self.clock.time(of: Self.base - .seconds(60)), "a guess")
  }

  private static let extremes: [Int64] = [
    .min, .min + 1, -62_167_219_200_000_001, -62_167_219_200_000_000, -1, 0, 1, 253_402_300_799_999_999,
    253_402_300_800_000_000, .max / 1000, .max - 1, .max,
  ]

  @Test("whatever times a row says: it is a reading that can be sent, or none", arguments: extremes)
  func times(_ microseconds: Int64) {
    for nanoseconds in [0, 1, UInt64(Int64.max), .max] {
      for boot in [0, 3, 7, 8, UInt64.max] {
        for isCertain in [false, true] {
          for start in Self.extremes {
            let codec = ReadingCodec(boot: 7, booted: Self.base - .seconds(5000), boots: [3: start, 7: start])
            var row = RowWriter()
            row.write(byte: isCertain ? 0x44 : 0x04)
            for number in [1, boot, nanoseconds] { row.write(varint: number) }
            row.write(signed: microseconds)
            row.write(varint: 1)
            for clock in [Self.clock, WallClock(instant: Self.base, sinceEpoch: .zero, isSynchronized: false)] {
              guard let reading = codec.decode(row.bytes, stream: 0, clock, at: Self.base) else { continue }
              var labels = TimeLabels(streams: 1)
              for _ in 1...2 {
                let label = labels.label(of: reading, nil) { clock }
                #expect(label.time.text(.microseconds).utf8.count <= Timestamp.longestText)
                #expect(!label.isCertain || label.time.isWritable)
                _ = labels.label(of: Self.base, stream: 0, Self.clock)
              }
              _ = reading.age(at: Self.base)
              _ = codec.encode(reading, clock)
            }
          }
        }
      }
    }
  }

  @Test("a number that no reading can have is none", arguments: [1 << 53, 1 << 63, UInt64.max])
  func sequence(_ number: UInt64) {
    var row = RowWriter()
    row.write(byte: 0x04)
    for number in [number, 7, 0] { row.write(varint: number) }
    row.write(signed: 0)
    row.write(varint: 1)
    #expect(codec.decode(row.bytes, stream: 0, Self.clock, at: Self.base) == nil)
  }

  @Test("bytes that are no reading are none, and do no harm")
  func damage() {
    var random = SplitMix64(seed: 1)
    for content in Self.contents {
      let row = codec.encode(reading(content, label: nil), Self.clock)
      for end in row.indices { #expect(codec.decode(Array(row[..<end]), stream: 2, Self.clock, at: Self.base) == nil) }
      #expect(codec.decode(row + [0], stream: 2, Self.clock, at: Self.base) == nil)
      for _ in 0..<200 {
        var damaged = row
        damaged[Int.random(in: row.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        _ = codec.decode(damaged, stream: 2, Self.clock, at: Self.base)
      }
    }
  }
}
