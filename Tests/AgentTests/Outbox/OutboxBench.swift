@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Outbox
@testable import Readings
@testable import Records

/// An outbox with a disk that a test can see through: rows by their tokens, and a clock that stands still until it is told.
struct OutboxBench {
  static let base = BootClock.now

  var outbox: Outbox
  private(set) var names: [String]
  var rows: [UInt64: StoredReading] = [:]
  /// What each name goes on with, as batches said.
  var numbers: [String: UInt64] = [:]
  var bootStart: Int64?
  var now = base
  var isSynchronized = true
  var nextToken: UInt64 = 100
  private var sequences: [UInt64]
  /// Batches since the start, and the bytes of their rows.
  var batches: [OutboxBatch] = []

  init(
    _ writing: Outbox.Writing = .after(.seconds(1), outage: .seconds(30)), streams: Int = 3, limit: Int = 1_000_000_000,
    drainRate: Int = 1_000_000, latest: Set<Int> = [], expiry: Duration? = nil, isOpen: Bool = true,
    memory: Int? = nil
  ) {
    names = (0..<streams).map { "name\($0)" }
    sequences = Array(repeating: 0, count: streams)
    outbox = Outbox(
      Outbox.Rules(
        limit: limit, memoryLimit: memory, writing: writing, drainRate: drainRate,
        keepsLatest: (0..<streams).map { latest.contains($0) },
        expiry: expiry), at: now)
    if isOpen { open() }
  }

  var clock: WallClock {
    WallClock(
      instant: now, sinceEpoch: .seconds(1_795_176_000) + Self.base.duration(to: now), isSynchronized: isSynchronized)
  }

  /// The same rules on what the disk has, as after a crash.
  mutating func crash(boot: Int = 1) {
    outbox = Outbox(outbox.rules, at: now)
    open(boot: boot)
  }

  mutating func open(boot: Int = 1) {
    var stored = StoredOutbox()
    for (index, name) in names.enumerated() { stored.streams[index + 1] = name }
    stored.boot = boot
    if let bootStart { stored.boots[1] = bootStart }
    for row in rows.values.sorted(by: { $0.token < $1.token }) {
      if stored.sections.last.map(\.isFull) ?? true { stored.sections.append(OutboxSection(first: row.token)) }
      stored.sections[stored.sections.count - 1].append(
        row.token, stream: row.stream, bytes: StoredReading.size(ofData: row.data.count))
    }
    outbox.open(stored, names: names, booted: Self.base - .seconds(1000), at: now)
  }

  /// More streams, which the store does not know.
  mutating func reload(adding count: Int) {
    var rules = outbox.rules
    for _ in 0..<count {
      names.append("name\(names.count)")
      sequences.append(0)
      rules.keepsLatest.append(false)
    }
    outbox.adopt(rules)
  }

  @discardableResult
  mutating func append(
    _ stream: Int = 0, _ content: Reading.Content = .good(.number(1)), restarted: Bool = false
  ) -> UInt64 {
    sequences[stream] += 1
    let label = isSynchronized ? TimeLabel(time: clock.time(of: now), isCertain: true) : nil
    let reading = Reading(
      stream: StreamID(stream), content: content, unit: "°C", time: now, sequence: sequences[stream],
      restarted: restarted,
      label: label)
    defer { nextToken += 1 }
    outbox.append(reading, token: nextToken, at: now)
    return nextToken
  }

  /// What is due is read and written; false: the disk fails.
  mutating func work(all: Bool = false, succeeds: Bool = true) {
    while true {
      if let read = outbox.nextRead(at: now) {
        let found = rows.values.filter { row in
          row.stream == read.number && read.ranges.contains { $0.contains(row.token) }
        }
        let page = found.sorted { $0.token < $1.token }.prefix(read.limit)
        outbox.loaded(Array(page), read, clock, at: now)
      } else if let batch = outbox.takeBatch(all: all, { "name\($0.index)" }, clock, at: now) {
        guard succeeds else { return outbox.writingFailed(at: now) }
        write(batch)
        outbox.wrote()
      } else {
        return
      }
    }
  }

  mutating func write(_ batch: OutboxBatch) {
    batches.append(batch)
    for reading in batch.readings { rows[reading.token] = reading }
    for token in rows.keys where batch.dropped.contains(where: { $0.contains(token) }) && !batch.spared.contains(token)
    {
      rows[token] = nil
    }
    for token in batch.finished { rows[token] = nil }
    numbers.merge(batch.numbers) { $1 }
    bootStart = batch.bootStart ?? bootStart
  }

  mutating func take() -> Outbox.Taken? { outbox.take(at: now) }

  mutating func settle(_ token: UInt64) { outbox.settled(token, at: now) }

  /// Sends and settles all there is, reading as it goes; the readings by their names.
  mutating func drain(limit: Int = .max) -> [Reading] {
    var readings: [Reading] = []
    while readings.count < limit {
      work()
      guard let taken = take() else { break }
      readings.append(taken.reading)
      settle(taken.token)
    }
    return readings
  }

  mutating func pass(_ time: Duration) { now = now + time }
}
