import LimpetInstants
import MQTTCore
import Records
import Simulation
import Testing

@Suite struct SimulatedStoreTests {
  private typealias Store = SimulatedStore<[Int], Int, Int>

  private static func store(_ seed: UInt64 = 1) -> Store {
    Store(Seed(seed), contents: [], latency: .milliseconds(5)...(.milliseconds(5))) { contents, number in
      guard number >= 0 else { return .failure(StoreFault.full.error) }
      contents.append(number)
      return .success(contents.count)
    }
  }

  private func time(_ milliseconds: Int64) -> WorldTime { WorldTime(nanoseconds: milliseconds * 1_000_000) }

  /// The answers until a moment, each as its ticket and what it says.
  private func answers(_ store: inout Store, until now: WorldTime) -> [UInt64: Result<Int, StorageError>] {
    var effects: [StoreEffect<[Int], Int>] = []
    while let deadline = store.deadline, deadline <= now { store.tick(at: deadline, into: &effects) }
    var answers: [UInt64: Result<Int, StorageError>] = [:]
    for case .done(let ticket, let result) in effects { answers[ticket.rawValue] = result }
    return answers
  }

  @Test("requests are done one after the other, and each takes its time")
  func order() {
    var store = Self.store()
    for number in 0..<3 { store.submit(StoreTicket(UInt64(number)), number, at: time(0)) }
    #expect(answers(&store, until: time(4)).isEmpty)
    #expect(answers(&store, until: time(10)) == [0: .success(1), 1: .success(2)])
    #expect(answers(&store, until: time(15)) == [2: .success(3)])
    #expect(store.contents == [0, 1, 2])
  }

  @Test("a store that fails changes nothing; one that hangs answers late, and its contents are those of a success")
  func faults() {
    var store = Self.store()
    store.setMood(.failing(.full), at: time(0))
    store.submit(StoreTicket(1), 1, at: time(0))
    #expect(answers(&store, until: time(10)) == [1: .failure(StoreFault.full.error)])
    store.setMood(.hanging, at: time(10))
    store.submit(StoreTicket(2), 2, at: time(10))
    #expect(store.deadline == nil && store.contents.isEmpty)
    store.setMood(.fine, at: time(9000))
    #expect(answers(&store, until: time(9100)) == [2: .success(1)])
    store.setMood(.hangingThenFailing, at: time(9100))
    store.submit(StoreTicket(3), 3, at: time(9100))
    store.setMood(.fine, at: time(9200))
    #expect(answers(&store, until: time(9300)) == [3: .failure(StoreFault.failed.error)])
    #expect(store.contents == [2])
  }

  @Test("a crash leaves a request done or not, as the commit had it, and answers none")
  func crashes() {
    for (isCommitted, contents) in [(true, [7]), (false, [])] {
      var store = Self.store()
      store.submit(StoreTicket(1), 7, at: time(0))
      store.submit(StoreTicket(2), 8, at: time(0))
      store.crash(at: time(0), isCommitted: isCommitted)
      #expect(store.contents == contents)
      #expect(store.deadline == nil)
      store.setMood(.fine, at: time(100))
      #expect(answers(&store, until: time(200)) == [:])
    }
    // Left to chance, the commit lies anywhere in the time of the request.
    var count = 0
    for seed in 0..<200 {
      var store = Self.store(UInt64(seed))
      store.submit(StoreTicket(1), 7, at: time(0))
      store.crash(at: WorldTime(nanoseconds: 2_500_000))
      count += store.contents.count
    }
    #expect((60...140).contains(count))
  }

  @Test("a corrupt store says so when it is opened; an emptied one and a copy are stores like others")
  func contents() {
    var store = Self.store()
    store.isCorrupt = true
    store.open(at: time(0))
    var effects: [StoreEffect<[Int], Int>] = []
    store.tick(at: time(10), into: &effects)
    guard case .opened(.failure(StoreFault.corrupt.error))? = effects.first else {
      Issue.record("\(effects)")
      return
    }
    store.replaceContents(with: [4])
    let twin = store.cloned(Seed(9))
    store.replaceContents(with: [])
    store.open(at: time(20))
    effects = []
    store.tick(at: time(30), into: &effects)
    guard case .opened(.success([]))? = effects.first else {
      Issue.record("\(effects)")
      return
    }
    #expect(twin.contents == [4])
  }

  @Test("the agent's store as contents: a request that a crash overtakes is done or not, and a new process opens it")
  func model() throws {
    for (isCommitted, epoch) in [(true, 4), (false, 3)] as [(Bool, UInt64)] {
      var store = SimulatedStore<StoreModel, StoreRequest, StoreAnswer>(Seed(1), contents: StoreModel()) {
        $0.perform($1)
      }
      func answers(until now: WorldTime) -> [Result<StoreAnswer, StorageError>] {
        var effects: [StoreEffect<StoreModel, StoreAnswer>] = []
        while let deadline = store.deadline, deadline <= now { store.tick(at: deadline, into: &effects) }
        return effects.compactMap { if case .done(_, let result) = $0 { result } else { nil } }
      }
      var changes = StoreChanges()
      changes.epoch = 3
      store.submit(StoreTicket(1), .reopen(replacing: nil), at: time(0))
      store.submit(StoreTicket(2), .write(changes), at: time(0))
      #expect(try answers(until: time(100)).map { try $0.get() } == [.state(StoredState()), .done])
      changes.epoch = 4
      store.submit(StoreTicket(3), .write(changes), at: time(100))
      store.crash(at: time(100), isCommitted: isCommitted)
      store.withContents {
        $0.endProcess()
        $0.now = 50
      }
      store.submit(StoreTicket(4), .write(changes), at: time(200))
      store.submit(StoreTicket(5), .reopen(replacing: nil), at: time(200))
      let said = answers(until: time(300))
      guard case .failure(let error)? = said.first, case .success(.state(let state))? = said.last else {
        Issue.record("\(said)")
        return
      }
      #expect(error.kind == .closed && state.epoch == epoch && state.lastWrite == 0)
    }
  }
}
