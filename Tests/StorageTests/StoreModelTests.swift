import MQTTCore
import NIOCore
import Simulation
import Synchronization
import Testing

@testable import MQTTStore
@testable import Records
@testable import Storage

/// The modelled store against SQLite's: the same requests, the same answers, the same rows.
///
/// What stays different, and is left out of the comparison:
///
/// | what | SQLite | the model |
/// |---|---|---|
/// | `lastWrite` | the file system's time, also of a checkpoint | the board's clock at the last request that writes |
/// | path of a file kept aside | where it is | made up |
/// | texts of errors | SQLite's and the kernel's | always the same; the kind is the same |
/// | a damaged file | found by reading it; at the opening it is kept aside by itself | every request fails until `reopen(replacing:)` |
/// | a file that was removed | requests but `write` go on in it | the same |
/// | names that Unicode takes for equal | two rows | one, as in the dictionaries of a request |
/// | a subscription to nothing | a row that says nothing, removed at the next start | it is kept |
@Suite("The modelled store and SQLite's", .serialized)
struct StoreModelTests {
  /// Both of them, and what has to be the same.
  private final class Pair {
    let folder: ScratchFolder
    let time = Time()
    var store: StateStore
    var model = StoreModel(now: Time.first)

    final class Time: Sendable {
      static let first: Int64 = 1_795_000_000
      let seconds = Mutex(first)
    }

    init() async throws {
      folder = try ScratchFolder(inMemory: true)
      store = try await StateStore.open(folder: folder.path) { [time] in time.seconds.withLock { $0 } }
    }

    func pass(_ seconds: Int64) {
      model.now += seconds
      time.seconds.withLock { $0 += seconds }
    }

    func restart() async throws {
      await store.close()
      store = try await StateStore.open(folder: folder.path) { [time] in time.seconds.withLock { $0 } }
      model.endProcess()
    }

    func remove() {
      for suffix in ["", "-wal"] { folder.remove("session.db" + suffix) }
      model.remove()
    }

    /// What the two say, as far as it has to be the same.
    func ask(_ request: StoreRequest) async -> (store: Said, model: Said) {
      let modelled = model.perform(request)
      do throws(StorageError) {
        return (Said(.success(try await store.perform(request))), Said(modelled))
      } catch {
        return (Said(.failure(error)), Said(modelled))
      }
    }
  }

  private enum Said: Equatable {
    case answer(StoreAnswer, keptAside: StorageError.Kind?)
    case error(StorageError.Kind)

    init(_ result: Result<StoreAnswer, StorageError>) {
      switch result {
      case .success(.state(var state)):
        let aside = state.keptAside?.reason.kind
        (state.keptAside, state.lastWrite) = (nil, nil)
        self = .answer(.state(state), keptAside: aside)
      case .success(let answer): self = .answer(answer, keptAside: nil)
      case .failure(let error): self = .error(error.kind)
      }
    }
  }

  // MARK: Requests by chance

  private struct Chance {
    var random: SeededGenerator

    mutating func number(_ range: ClosedRange<UInt64>) -> UInt64 {
      range.lowerBound + random.number(below: range.upperBound - range.lowerBound + 1)
    }

    mutating func happens(_ perMille: UInt64) -> Bool { random.number(below: 1000) < perMille }

    mutating func name() -> String { "name\(number(1...6))" }

    mutating func names() -> [String] { (0..<number(0...3)).map { _ in name() } }

    /// Few of them, so that two parts often speak of the same row; sometimes one that cannot be.
    mutating func token() -> UInt64 {
      happens(990) ? number(1...60) : [0, 1 << 62, (1 << 62) + 1, 1 << 63][Int(number(0...3))]
    }

    mutating func tokens(_ count: UInt64) -> [UInt64] { (0..<number(0...count)).map { _ in token() } }

    mutating func range() -> ClosedRange<UInt64> {
      let first = number(1...50)
      return first...first + number(0...30)
    }

    mutating func identifier() -> PacketIdentifier { PacketIdentifier(rawValue: UInt16(number(1...5))) ?? .first }

    mutating func count() -> UInt64 { happens(950) ? number(0...5000) : [1 << 53, 1 << 63, .max][Int(number(0...2))] }

    mutating func numbers() -> [String: UInt64] {
      var numbers: [String: UInt64] = [:]
      for name in names() { numbers[name] = count() }
      return numbers
    }

    mutating func message() throws -> Message {
      var message = Message(
        topic: try TopicName("t/\(number(0...9))"), payload: ByteBuffer(string: "\(number(0...99))"),
        qos: happens(500) ? .atLeastOnce : .exactlyOnce, retain: happens(300))
      if happens(400) { message.properties.messageExpiryInterval = UInt32(number(1...60)) }
      if happens(200) { message.properties.addUserProperty("a", "b\u{e4}") }
      return message
    }

    mutating func change() throws -> SessionChange {
      switch number(0...11) {
      case 0: return .owner(SessionOwner(server: "mqtt://\(name())", clientIdentifier: name()))
      case 1...5:
        let state: StoredMessage.State =
          switch number(0...2) {
          case 0: .queued
          case 1: .published(identifier())
          default: .released(identifier())
          }
        return .message(StoredMessage(token: token(), state: state, message: try message()), next: identifier())
      case 6, 7: return .ended(token())
      case 8: return .held(identifier(), happens(600))
      case 9: return .received(identifier(), happens(600))
      case 10:
        let identifier = UInt32(number(1...4))
        return happens(300)
          ? .unsubscribed(identifier)
          : .subscribed(identifier, [Subscription(try TopicFilter("t/\(number(0...3))/#"), qos: .exactlyOnce)])
      default: return .begunAnew
      }
    }

    mutating func batch() -> OutboxBatch {
      var batch = OutboxBatch()
      for token in Set(tokens(12)).sorted() {
        let data = [UInt8](repeating: UInt8(token & 0xFF), count: Int(number(0...20)))
        // Streams that have no number are impossible rows.
        batch.readings.append(StoredReading(token: token, stream: Int(number(1...4)), data: data))
      }
      batch.finished = tokens(4)
      if happens(150) { (batch.dropped, batch.spared) = ([range(), range()], tokens(6)) }
      batch.endedMessages = tokens(1)
      batch.numbers = numbers()
      if happens(200) { batch.bootStart = Int64(number(0...1_000_000)) }
      return batch
    }

    mutating func announcement() -> StoredAnnouncement {
      StoredAnnouncement(kind: happens(500) ? .homie : .homeAssistant, topic: name(), content: "\(number(0...9))")
    }

    mutating func farewells() -> [StoredFarewell] {
      (0..<number(0...2)).map { _ in
        StoredFarewell(
          server: happens(500) ? "one" : "two", client: happens(800) ? "c" : "d", topic: name(),
          offline: "\(number(0...9))", qos: Int(number(0...2)))
      }
    }

    mutating func changes() throws -> StoreChanges {
      var changes = StoreChanges()
      if happens(200) { changes.epoch = count() }
      if happens(200) { changes.instance = "run\(number(0...200))" }
      if happens(50) { changes.identity = StoredIdentity(id: name(), source: .random, serial: name()) }
      if happens(200) { changes.reserved = numbers() }
      if happens(600) { changes.readings = batch() }
      if happens(600) { changes.session = try (0..<number(0...8)).map { _ in try change() } }
      if happens(200) { changes.counts[name()] = StoredCount(pulses: count(), generation: UInt32(number(0...9))) }
      if happens(200) { (changes.outputs[name()], changes.outputsForgotten) = (happens(500), names()) }
      if happens(300) { (changes.clearingsAdded, changes.clearingsRemoved) = (names(), names()) }
      if happens(300) { changes.announcements = (0..<number(0...3)).map { _ in announcement() } }
      if happens(200) { changes.forgotten = [announcement()] }
      if happens(300) { (changes.farewellsAdded, changes.farewellsRemoved) = (farewells(), farewells()) }
      if happens(100) { changes.setAside = [SetAsideMessage(message: try message(), owner: name())] }
      if happens(50) { changes.exact = numbers() }
      if happens(50) { changes.lastStop = LastStop(reason: name(), time: Int64(number(0...99))) }
      return changes
    }

    mutating func request() throws -> StoreRequest {
      switch number(0...99) {
      case 0..<65: return .write(try changes())
      case 65..<70: return .number(names())
      case 70..<85: return .read(number: Int(number(1...4)), ranges: [range(), range()], limit: Int(number(1...20)))
      case 85..<92:
        return .openOutbox(device: happens(900) ? "one" : "two", boot: "boot\(number(0...5))", names: names())
      case 92..<96: return .reopen(replacing: nil)
      case 96: return .setSessionAside
      case 97..<99: return .reopen(replacing: StoreFault.corrupt.error)
      default: return .letGo
      }
    }
  }

  /// Behind a difference the two go separate ways: that ends a course.
  private struct Differ: Error {}

  private func compare(_ request: StoreRequest, _ pair: Pair, _ seed: UInt64, _ step: Int) async throws {
    let (store, model) = await pair.ask(request)
    #expect(store == model, "seed \(seed), step \(step): \(request)")
    if store != model { throw Differ() }
  }

  @Test("some hundreds of courses by chance, with restarts, removed and damaged files", arguments: 0..<8)
  func courses(part: UInt64) async throws {
    for seed in part * 40..<(part + 1) * 40 {
      var chance = Chance(random: Seed(seed).generator)
      let pair = try await Pair()
      try await compare(.reopen(replacing: nil), pair, seed, -1)
      try await compare(.openOutbox(device: "one", boot: "boot0", names: ["name1", "name2"]), pair, seed, -1)
      for step in 0..<25 {
        if chance.happens(60) {
          try await pair.restart()
          try await compare(.reopen(replacing: nil), pair, seed, step)
        }
        if chance.happens(15) { pair.remove() }
        if chance.happens(200) { pair.pass(Int64(chance.number(0...50)) - 5) }
        try await compare(chance.request(), pair, seed, step)
      }
      try await compareAll(pair, seed)
      await pair.store.close()
    }
  }

  /// What both have in the end, the rows that no request answers with, too.
  private func compareAll(_ pair: Pair, _ seed: UInt64) async throws {
    try await compare(.reopen(replacing: nil), pair, seed, 100)
    try await compare(.openOutbox(device: "one", boot: "last", names: []), pair, seed, 101)
    for stream in 1...4 { try await compare(.read(number: stream, ranges: [0...(.max)], limit: 1000), pair, seed, 102) }
    let aside = pair.model.file.session.aside
    let rows = try? await pair.store.perform { database throws(StorageError) in
      try database.query("SELECT client_identifier, stored FROM message_aside ORDER BY token") {
        "\($0.text(0)) \($0.integer(1))"
      }
    }
    #expect(rows == aside.map { "\($0.owner) \($0.stored)" }, "seed \(seed)")
  }

  @Test("what is kept of many is kept of the newest: names of runs, boots, messages aside; sections are of 256 rows")
  func bounds() async throws {
    let pair = try await Pair()
    try await compare(.reopen(replacing: nil), pair, 0, 0)
    var changes = StoreChanges()
    for number in 0..<70 {
      changes.instance = "run\(number)"
      try await compare(.write(changes), pair, 0, number)
    }
    changes = StoreChanges()
    changes.setAside = (0..<1003).map { number in
      SetAsideMessage(message: Message(topic: TopicName("t"), payload: ByteBuffer()), owner: "client\(number)")
    }
    try await compare(.write(changes), pair, 0, 100)
    try await compare(.openOutbox(device: "one", boot: "first", names: ["a", "b"]), pair, 0, 101)
    changes = StoreChanges()
    var batch = OutboxBatch()
    batch.readings = (1...700).map { StoredReading(token: $0 * 2, stream: Int(1 + $0 % 2), data: [1]) }
    batch.bootStart = 5
    changes.readings = batch
    try await compare(.write(changes), pair, 0, 102)
    try await compareAll(pair, 0)
    #expect(pair.model.file.instances.count == 64 && pair.model.file.session.aside.count == 1000)
    await pair.store.close()
  }

  @Test("a model that is damaged fails until its file is replaced, and a new process has to open it")
  func faults() throws {
    var model = StoreModel(now: 5)
    var changes = StoreChanges()
    changes.epoch = 9
    #expect(Said(model.perform(.write(changes))) == .error(.closed))
    #expect(try model.perform(.reopen(replacing: nil)).get() == .state(StoredState()))
    #expect(try model.perform(.write(changes)).get() == .done)
    model.isDamaged = true
    model.endProcess()
    #expect(Said(model.perform(.write(changes))) == .error(.closed))
    #expect(Said(model.perform(.reopen(replacing: nil))) == .error(.corrupt))
    #expect(Said(model.perform(.read(number: 1, ranges: [], limit: 1))) == .error(.corrupt))
    guard case .state(let state) = try model.perform(.reopen(replacing: StoreFault.corrupt.error)).get() else {
      Issue.record("not opened")
      return
    }
    #expect(state.epoch == 9 && state.keptAside != nil && state.lastWrite == nil)
    #expect(try model.perform(.write(changes)).get() == .done)
  }
}
