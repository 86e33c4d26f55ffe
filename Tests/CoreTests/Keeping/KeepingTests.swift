import MQTTCore
import Outbox
import Plan
import Readings
import Records
import Testing

@testable import Core

/// The store: one request is under way at a time, with all that is due.
struct KeepingTests {
  @Test("what is due while a request is under way goes in the next one together, and CONNECT waits for its epoch")
  func together() throws {
    var bench = CoreBench { $0.plan.identity = StoredIdentity(id: "board", source: .random, serial: "1") }
    bench.store.manner = .held
    bench.connect()
    #expect(bench.store.asked.map(\.word) == ["write"])
    let first = try #require(bench.writes.first)
    #expect(first.instance == "this" && first.identity?.id == "board")
    #expect(first.reserved == ["a": 1001, "b": 1001])
    bench.advance(by: .seconds(1))
    bench.level("a")
    bench.advance(by: .milliseconds(500))
    #expect(bench.sent() == [] && bench.store.asked.count == 1)
    bench.answerStore()
    let second = try #require(bench.writes.last)
    #expect(second.epoch == 5 && bench.store.asked.count == 2 && bench.sent() == [])
    bench.answerStore()
    #expect(bench.sent() == ["CONNECT", "SUBSCRIBE status presence", "status online", "presence birth", "a#1"])
  }

  @Test("2 s late: CONNECT goes on with the next epoch unsaved, and no second request follows before the answer")
  func late() {
    var bench = CoreBench()
    bench.store.manner = .held
    bench.connect()
    bench.advance(by: .milliseconds(1999))
    #expect(bench.connects.isEmpty)
    bench.advance(by: .milliseconds(1))
    #expect(bench.connects.count == 1 && bench.isConnected)
    #expect(bench.noted.contains("storeIsLate"))
    #expect(bench.lastPresence?.value(of: "storage_error") != nil)
    for _ in 0..<3 {
      bench.lose()
      bench.reconnect()
    }
    bench.level("a", times: 3)
    bench.advance(by: .seconds(600))
    #expect(bench.store.asked.count == 1)
    let wills = bench.connects.compactMap { $0.will?.properties.userProperties.first { $0.name == "epoch" }?.value }
    #expect(wills == ["5", "6", "7", "8"])
    // The answer says that it has happened: what is not in the store follows.
    bench.store.manner = .atOnce
    bench.answerStore()
    #expect(bench.store.epoch == 8)
    #expect(bench.noted.contains("storeWorks"))
    bench.lose()
    bench.reconnect()
    #expect(bench.store.epoch == 9)
  }

  @Test("a late answer that comes to another CONNECT is an epoch that was used")
  func lateForAnother() {
    var bench = CoreBench()
    bench.store.manner = .held
    bench.server.connack = nil
    bench.connect()
    bench.advance(by: .seconds(2))
    bench.store.manner = .atOnce
    bench.answerStore(failing: .bench(.busy))
    bench.server.connack = .success
    bench.advance(by: .seconds(20))
    bench.reconnect()
    let wills = bench.connects.compactMap { $0.will?.properties.userProperties.first { $0.name == "epoch" }?.value }
    #expect(wills == ["5", "6"])
    #expect(bench.store.epoch == 6)
  }

  @Test("an answer that nobody waits for changes nothing")
  func stray() {
    var bench = CoreBench.connected()
    bench.handle(.stored(StoreTicket(999), .success(.done)), .stored(StoreTicket(1), .failure(.bench(.corrupt))))
    #expect(bench.noted == [])
    #expect(bench.store.asked.isEmpty)
  }

  @Test(
    "a store that fails keeps no device offline, and is asked less and less often",
    arguments: [StorageError.Kind.full, .readOnly, .inputOutput, .busy, .other])
  func fails(_ kind: StorageError.Kind) {
    var bench = CoreBench()
    bench.store.manner = .failing(.bench(kind))
    bench.connect()
    #expect(bench.isConnected)
    bench.level("a", times: 3)
    #expect(bench.readings() == ["a#1", "a#2", "a#3"], "numbers go on in memory")
    bench.server.ignores = ["a"]
    bench.level("a", times: 3)
    bench.forget()
    bench.advance(by: .seconds(3600))
    // Readings, the session, numbers and this run: each once a minute at the most, the session every 10 s.
    #expect(bench.store.asked.count < 600, "\(bench.store.asked.count)")
    #expect(bench.noted.filter { $0 == "storeFails" }.isEmpty, "it was said")
    bench.store.manner = .atOnce
    bench.advance(by: .seconds(61))
    #expect(bench.noted.contains("storeWorks"))
    #expect(bench.report.buffer.storageError == nil)
    #expect(bench.store.epoch == 5)
  }

  @Test("nothing to write: nothing is asked")
  func quiet() {
    var bench = CoreBench.connected()
    bench.advance(by: .seconds(60))
    bench.store.asked = []
    bench.level("a", times: 5)
    bench.advance(by: .seconds(3600))
    #expect(bench.store.asked.isEmpty)
  }

  @Test("without a store nothing is asked, ever, and nothing waits for it")
  func none() {
    var bench = CoreBench {
      $0.isStored = false
      $0.numbers = SequenceAllocator(stored: [:], reservesBlocks: false)
      $0.outbox = nil
      $0.plan.link.isStored = false
      $0.plan.outbox.writing = .never
    }
    bench.connect()
    #expect(bench.connects.count == 1)
    bench.lose()
    bench.level("a", times: 3)
    bench.reconnect()
    bench.stop()
    #expect(bench.store.asked.isEmpty)
    #expect(bench.exit == true)
  }

  @Test("a reading is written before it has waited longer than its time, and removed when it is delivered")
  func readings() {
    var bench = CoreBench.connected()
    bench.server.isReachable = false
    bench.lose()
    bench.level("a")
    bench.advance(by: .milliseconds(900))
    #expect(bench.store.rows.isEmpty)
    bench.advance(by: .milliseconds(100))
    #expect(bench.store.rows.count == 1)
    bench.server.isReachable = true
    bench.reconnect()
    bench.advance(by: .seconds(3))
    #expect(bench.store.rows.isEmpty)
  }

  @Test("with sync: always a reading is on the disk before it is sent")
  func always() {
    var bench = CoreBench.connected(plan: .bench { $0.outbox.writing = .always })
    bench.store.manner = .held
    bench.level("a")
    #expect(bench.readings() == [])
    bench.answerStore()
    #expect(bench.readings() == ["a#1"])
  }

  // MARK: A file that is lost

  @Test("a damaged file: what is in memory goes into the one that is begun behind it, at once")
  func damaged() throws {
    var bench = CoreBench.connected()
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 3)
    bench.store.manner = .failing(.bench(.corrupt))
    bench.store.state.keptAside = KeptAside(path: "/store/session.db.damaged", reason: .bench(.corrupt))
    bench.forget()
    bench.advance(by: .seconds(1))
    #expect(bench.store.asked.map(\.word) == ["write", "reopen"])
    #expect(bench.store.asked.last == .reopen(replacing: .bench(.corrupt)))
    bench.store.manner = .atOnce
    bench.store.rows = [:]
    bench.store.asked = []
    bench.advance(by: .seconds(5))
    #expect(bench.store.asked.map(\.word).prefix(3) == ["reopen", "openOutbox", "write"])
    #expect(bench.noted.contains("storeBeginsAnew") && bench.noted.contains("storeWorks"))
    #expect(bench.store.rows.count == 3)
    let first = try #require(bench.writes.first)
    #expect(first.instance == "this" && first.reserved["a"] != nil)
    #expect(bench.report.buffer.storageError == nil)
    #expect(bench.report.buffer.readings == 3)
  }

  @Test("a file that is gone is replaced at once; one that does not last is waited for")
  func gone() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["a"]
    for _ in 0..<4 {
      bench.store.manner = .failing(.bench(.fileIsGone))
      bench.level("a")
      bench.advance(by: .seconds(2))
      bench.store.manner = .atOnce
      bench.advance(by: .seconds(70))
      #expect(bench.report.buffer.storageError == nil)
    }
  }

  @Test("a store that cannot be opened is tried after 5 s, then later and later, and meanwhile all goes on in memory")
  func cannotOpen() {
    var bench = CoreBench {
      $0.storeError = .bench(.cannotOpen)
      $0.outbox = nil
      $0.state = StoredState()
    }
    bench.store.manner = .failing(.bench(.cannotOpen))
    bench.connect()
    #expect(bench.isConnected && bench.store.asked.isEmpty)
    bench.level("a")
    #expect(bench.readings() == ["a#1"])
    bench.advance(by: .seconds(5))
    #expect(bench.store.asked.map(\.word) == ["reopen"])
    bench.advance(by: .seconds(3600))
    #expect(bench.store.asked.count < 70)
    bench.store.manner = .atOnce
    bench.store.state.epoch = 40
    bench.store.state.instances = ["x"]
    bench.store.state.sequences = ["a": StoredSequence(next: 700, exact: true)]
    bench.advance(by: .seconds(61))
    #expect(bench.report.buffer.storageError == nil)
    bench.forget()
    bench.lose()
    bench.reconnect()
    #expect(bench.store.epoch == 41, "epochs go on behind what the store knows")
    bench.level("a")
    #expect(bench.readings().last == "a#700")
  }

  @Test("what an earlier process had under way is found late, and sent as new; its rows are ended in the store")
  func foundLate() {
    var bench = CoreBench {
      $0.storeError = .bench(.busy)
      $0.outbox = nil
    }
    var message = StoredMessage(token: 20, state: .queued, message: Message(topic: "x", payload: .init(string: "x")))
    message.state = .published(.first)
    bench.store.state.session.messages = [message]
    bench.connect()
    bench.forget()
    bench.advance(by: .seconds(5))
    #expect(bench.sentBesideReadings().contains("x x"))
    bench.advance(by: .seconds(5))
    #expect(bench.writes.compactMap(\.readings).flatMap(\.endedMessages) == [20])
    #expect(bench.core.unsent == 0)
  }

  @Test("what an earlier process has left at the broker is no rival's once the store is open and names it")
  func instancesFoundLate() {
    var bench = CoreBench {
      $0.storeError = .bench(.busy)
      $0.outbox = nil
    }
    bench.store.state.instances = ["mine"]
    bench.connect()
    bench.publish("status", "online", instance: "mine")
    #expect(bench.report.presence.conflict != nil)
    bench.advance(by: .seconds(5))
    #expect(bench.report.presence.conflict == nil)
    #expect(bench.noted.contains("rivalWasOwn") && !bench.noted.contains("conflictIsOver"))
    bench.publish("status", "online", instance: "mine")
    #expect(bench.report.presence.conflict == nil)
  }

  @Test("the store of another board is left alone: it is let go of, said once, and nothing else is asked of it")
  func anothers() {
    var bench = CoreBench {
      $0.storeError = .bench(.busy)
      $0.outbox = nil
      $0.plan.identity = StoredIdentity(id: "board", source: .machineID, serial: "1")
    }
    bench.store.state.identity = StoredIdentity(id: "other", source: .deviceTree, serial: "2")
    bench.connect()
    bench.advance(by: .seconds(5))
    #expect(bench.store.asked.map(\.word) == ["reopen", "letGo"])
    bench.level("a")
    bench.server.ignores = ["b"]
    bench.level("b")
    bench.advance(by: .seconds(3600))
    #expect(bench.store.asked.count == 2)
    #expect(bench.noted.count { $0 == "storeIsAnothers" } == 1)
    #expect(bench.readings() == ["a#1", "b#1"])
    bench.server.ignores = []
    bench.stop()
    bench.advance(by: .seconds(5))
    #expect(bench.exit == true && bench.store.asked.count == 2)
  }

  @Test("a new name gets its number from the store before its readings are written, and is sent without")
  func naming() {
    var bench = CoreBench.connected()
    bench.store.manner = .held
    bench.reload(.bench(["a", "b", "c"]))
    #expect(bench.store.asked.last?.word == "number")
    bench.answerStore()
    #expect(bench.store.numbers["c"] == 3)
  }

  @Test("naming that fails is tried again after a while, without a busy loop")
  func namingFails() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["a", "c"]
    bench.store.manner = .failing(.bench(.full))
    bench.reload(.bench(["a", "b", "c"]))
    bench.level("c")
    bench.advance(by: .seconds(3600))
    #expect(bench.store.asked.count < 800)
    bench.store.manner = .atOnce
    bench.advance(by: .seconds(61))
    #expect(bench.store.numbers["c"] == 3)
  }
}
