import Sensing
import Testing

import struct TestScene.SplitMix64

@testable import Agent

struct OutboxTests {
  private static let base = ContinuousClock.now

  private func reading(_ sequence: UInt64, _ content: Reading.Content = .good(.number(1))) -> Reading {
    Reading(stream: 0, content: content, unit: "°C", time: Self.base, sequence: sequence, restarted: false)
  }

  /// What one reading without text takes.
  private var cost: Int { reading(1).cost }

  private func drained(_ outbox: inout Outbox) -> [UInt64] {
    var sequences: [UInt64] = []
    while let reading = outbox.popFirst() { sequences.append(reading.sequence) }
    return sequences
  }

  @Test("a new outbox is empty")
  func empty() {
    var outbox = Outbox(limit: 1)
    #expect(outbox.isEmpty && outbox.count == 0 && outbox.bytes == 0 && outbox.dropped == 0)
    #expect(outbox.oldest == nil)
    #expect(outbox.popFirst() == nil)
    #expect(outbox.bytes == 0)
  }

  @Test("readings leave in the order in which they came")
  func order() {
    var outbox = Outbox(limit: 1_000_000)
    for sequence in 1...100 as ClosedRange<UInt64> { outbox.append(reading(sequence)) }
    #expect(outbox.count == 100)
    #expect(outbox.oldest?.sequence == 1)
    #expect(drained(&outbox) == Array(1...100))
  }

  @Test("a full outbox gives up the oldest readings and counts them")
  func full() {
    var outbox = Outbox(limit: 3 * cost)
    for sequence in 1...3 as ClosedRange<UInt64> { outbox.append(reading(sequence)) }
    #expect(outbox.dropped == 0)
    #expect(outbox.bytes == 3 * cost)
    for sequence in 4...10 as ClosedRange<UInt64> {
      outbox.append(reading(sequence))
      #expect(outbox.bytes == 3 * cost)
    }
    #expect(outbox.dropped == 7)
    #expect(drained(&outbox) == [8, 9, 10])
    #expect(outbox.dropped == 7, "what was sent is not lost")
  }

  @Test("text counts: a long one takes the place of several readings")
  func text() {
    var outbox = Outbox(limit: 4 * cost)
    for sequence in 1...4 as ClosedRange<UInt64> { outbox.append(reading(sequence)) }
    outbox.append(reading(5, .bad(String(repeating: "x", count: 2 * cost))))
    #expect(outbox.dropped == 3)
    #expect(drained(&outbox) == [4, 5])
  }

  @Test(
    "text is counted in bytes of UTF-8",
    arguments: [
      (.bad("hangs"), 5), (.good(.text("°C")), 3), (.good(.text("")), 0), (.good(.integer(.max)), 0),
      (.good(.flag(true)), 0), (.doubtful(.text("ab"), Doubt(.alarm, "cde")), 5),
      (
        .good(.channels([ChannelValue("a", .text("xy")), ChannelValue("b", nil)])),
        2 + 2 * MemoryLayout<ChannelValue>.stride
      ),
    ] as [(Reading.Content, Int)])
  func textBytes(content: Reading.Content, bytes: Int) {
    #expect(reading(1, content).cost == cost + bytes)
  }

  @Test("a reading that is larger than the bound is kept until the next comes")
  func oversized() {
    var outbox = Outbox(limit: cost)
    outbox.append(reading(1, .bad("no such file")))
    #expect(outbox.count == 1 && outbox.dropped == 0)
    #expect(outbox.bytes > cost)
    outbox.append(reading(2))
    #expect(outbox.count == 1 && outbox.dropped == 1)
    #expect(outbox.oldest?.sequence == 2)
    #expect(outbox.bytes == cost)
  }

  @Test("whatever comes and goes, the bytes are within the bound, and 0 at the end")
  func bytes() {
    var generator = SplitMix64(seed: 64)
    let limit = 50 * cost
    var outbox = Outbox(limit: limit)
    var left: UInt64 = 0
    for sequence in 1...5000 as ClosedRange<UInt64> {
      let text = String(repeating: "x", count: Int.random(in: 0...200, using: &generator))
      outbox.append(reading(sequence, Bool.random(using: &generator) ? .bad(text) : .good(.text(text))))
      #expect(outbox.bytes <= limit)
      if Int.random(in: 0..<3, using: &generator) == 0, outbox.popFirst() != nil { left += 1 }
    }
    left += UInt64(drained(&outbox).count)
    #expect(outbox.bytes == 0 && outbox.isEmpty)
    #expect(outbox.dropped + left == 5000)
    #expect(outbox.dropped > 0)
  }
}
