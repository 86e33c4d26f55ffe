import CMQTTSQLite
import LimpetInstants
import MQTT
import NIOCore
import Testing

import enum TestScene.Selection

@testable import MQTTCore
@testable import MQTTStore
@testable import Records
@testable import Storage

/// What the store says is stored is stored, whatever the disk does: each call of SQLite's fails once, and the power goes
/// at any moment.
///
/// One after the other: each case keeps a thread busy, and tests that look at the clock run beside them.
@Suite("Durability", .serialized)
struct DurabilityTests {
  /// Uses a store as the agent does, and remembers what was said to be stored.
  private struct Witness {
    var readings: Set<UInt64> = []
    /// What may be there or not: the store has not said.
    var open: Set<UInt64> = []
    var messages: Set<UInt64> = []
    var openMessages: Set<UInt64> = []
    var epoch: UInt64 = 0

    mutating func use(_ store: StateStore, rounds: Int, first: UInt64, using random: inout SplitMix64) async {
      guard let stream = try? await store.openOutbox(device: "one", boot: "x", names: ["a"]).streams.first?.key else {
        return
      }
      var token = first
      for _ in 0..<rounds {
        if let next = try? await store.nextEpoch() { epoch = max(epoch, next) }
        var batch = OutboxBatch()
        for _ in 0..<Int.random(in: 1...60, using: &random) {
          batch.readings.append(
            StoredReading(token: token, stream: stream, data: [UInt8](repeating: UInt8(token & 0xFF), count: 40)))
          token += 1
        }
        batch.finished = readings.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
        await apply(batch, store)
        if let taken = readings.max() { await take(taken, store) }
        if let over = messages.min(), messages.count > 3 { await end(over, store) }
      }
    }

    private mutating func apply(_ batch: OutboxBatch, _ store: StateStore) async {
      let tokens = Set(batch.readings.map(\.token))
      readings.subtract(batch.finished)
      open.formUnion(batch.finished)
      open.formUnion(tokens)
      guard (try? await store.apply(batch)) != nil else {
        // It was not written, or it was and nobody can say so.
        return
      }
      readings.formUnion(tokens)
      open.subtract(tokens)
    }

    /// The session takes a reading over.
    private mutating func take(_ token: UInt64, _ store: StateStore) async {
      let message = Message(topic: "t", payload: ByteBuffer(string: "\(token)"), qos: .exactlyOnce)
      readings.remove(token)
      open.insert(token)
      openMessages.insert(token)
      let stored = StoredMessage(token: token, state: .published(.first), message: message)
      guard (try? await store.apply([.message(stored, next: .first)])) != nil else { return }
      messages.insert(token)
      openMessages.remove(token)
      open.remove(token)
    }

    private mutating func end(_ token: UInt64, _ store: StateStore) async {
      messages.remove(token)
      openMessages.insert(token)
      _ = try? await store.apply([.ended(token)])
    }

    /// Holds a store that was opened again against what was said.
    func check(_ folder: String, _ what: String) async throws {
      let store = try await StateStore.open(folder: folder)
      let state = try await store.load()
      #expect(state.keptAside == nil, "\(what): the database is damaged")
      let outbox = try await store.openOutbox(device: "one", boot: "x", names: ["a"])
      let found = try await store.readings(
        of: outbox.streams.first?.key ?? 0, in: outbox.sections.map { $0.first...$0.last }, limit: .max)
      let tokens = Set(found.map(\.token))
      let stored = Set(state.session.messages.map(\.token))
      #expect(found.allSatisfy { $0.data == [UInt8](repeating: UInt8($0.token & 0xFF), count: 40) }, "\(what)")
      #expect(readings.subtracting(tokens) == [], "\(what): readings that were stored are missing")
      #expect(tokens.subtracting(readings).subtracting(open) == [], "\(what): readings that had ended are there")
      #expect(messages.subtracting(stored) == [], "\(what): messages that were stored are missing")
      #expect(stored.subtracting(messages).subtracting(openMessages) == [], "\(what)")
      #expect(tokens.intersection(stored) == [], "\(what): in the outbox and in the session both")
      #expect(state.epoch >= epoch, "\(what)")
      await store.close()
    }
  }

  private func use(
    _ disk: UnreliableDisk, _ folder: String, _ witness: inout Witness, rounds: Int, using random: inout SplitMix64
  ) async -> Bool {
    guard let store = try? await StateStore.open(folder: folder, schema: .current, system: disk.name) else {
      return false
    }
    await witness.use(
      store, rounds: rounds, first: (witness.readings.union(witness.open).max() ?? 100) + 1, using: &random)
    await store.close()
    return true
  }

  /// How many calls a run takes that nothing fails in.
  private func calls(rounds: Int) async throws -> Int {
    let (folder, disk) = (try ScratchFolder(), UnreliableDisk())
    var (witness, random) = (Witness(), SplitMix64(seed: 1))
    let isOpen = await use(disk, folder.path, &witness, rounds: rounds, using: &random)
    #expect(isOpen)
    try await witness.check(folder.path, "nothing failed")
    return disk.plan.withLock { $0.calls }
  }

  @Test(
    "whichever call fails, once or from then on: no crash, and nothing that was stored is lost",
    arguments: [SQLITE_IOERR, SQLITE_FULL], [1, 5, 1_000_000])
  func everyCall(code: Int32, length: Int) async throws {
    let rounds = 3
    let count = try await calls(rounds: rounds)
    #expect(count > 50)
    // Every call fails in one of the six ways here, and in each with `--all`.
    let way = (code == SQLITE_IOERR ? 0 : 3) + [1, 5].count { $0 < length }
    for call in 1...count where Selection.isWhole || call % 6 == way {
      let (folder, disk) = (try ScratchFolder(), UnreliableDisk())
      disk.plan.withLock { plan in
        plan.failing = call..<call + length
        plan.code = code
      }
      var (witness, random) = (Witness(), SplitMix64(seed: 1))
      _ = await use(disk, folder.path, &witness, rounds: rounds, using: &random)
      disk.plan.withLock { $0.failing = 0..<0 }
      try await witness.check(folder.path, "call \(call) of \(count)")
    }
  }

  @Test("the power goes at any moment: the database opens, and has what was stored", arguments: 0..<60 as Range<UInt64>)
  func powerCut(seed: UInt64) async throws {
    let (folder, disk) = (try ScratchFolder(), UnreliableDisk())
    var (witness, random) = (Witness(), SplitMix64(seed: seed))
    for round in 0..<3 {
      // From some call on everything fails, as where there is no power; what was not synced survives by chance.
      let last = disk.plan.withLock { $0.calls } + Int.random(in: 1...400, using: &random)
      disk.plan.withLock { $0.failing = last..<last + 1_000_000 }
      _ = await use(disk, folder.path, &witness, rounds: 20, using: &random)
      disk.plan.withLock { $0.failing = 0..<0 }
      let share = Int.random(in: 0...10, using: &random)
      disk.cutPower { Int.random(in: 0..<10, using: &random) < share }
      disk.plan.withLock { plan in (plan.durable, plan.pending) = ([:], [:]) }
      try await witness.check(folder.path, "round \(round)")
    }
  }
}
