import MQTTCore
import Outbox
import Plan
import Readings
import Records
import Testing

@testable import Core
@testable import LimpetInstants

/// A process begins: what is asked of the store before there is a core, and what it comes to when that goes wrong.
struct OpeningTests {
  /// An opening in the hands of a test, which answers what it asks.
  private struct Bench {
    static let start = BootClock.Instant(nanoseconds: 1_000_000_000_000)
    var now = start
    var opening: Opening
    var plan = DevicePlan.bench()
    var asked: [(ticket: StoreTicket, request: StoreRequest)] = []
    var holds = 0
    var plans: [StoredState] = []
    var notes: [OpeningNote] = []
    var beginning: Beginning?
    var end: StorageError??

    init(storeDelay: Duration? = .seconds(1), _ change: (inout Opening.Circumstances) -> Void = { _ in }) {
      var circumstances = Opening.Circumstances()
      circumstances.folder = "/store"
      circumstances.storeDelay = storeDelay
      circumstances.boot = "boot"
      change(&circumstances)
      opening = Opening(circumstances, at: now)
      carryOut(opening.start())
    }

    var moment: Moment {
      let wall = WallClock(instant: now, sinceEpoch: .seconds(1_700_000_000), isSynchronized: true)
      return Moment(boot: now, wall: wall, awake: .zero)
    }

    mutating func carryOut(_ effects: [Opening.Effect]) {
      #expect(beginning == nil && end == nil || effects.isEmpty, "it is over")
      for effect in effects {
        switch effect {
        case .ask(let ticket, let request): asked.append((ticket, request))
        case .hold: holds += 1
        case .plan(let state, _):
          plans.append(state)
          carryOut(opening.planned(plan, at: moment))
        case .findStreams(let names): carryOut(opening.found(DevicePlan.bench(names).streams, at: moment))
        case .note(.opening(let note)): notes.append(note)
        case .note(let note): Issue.record("\(note)")
        case .begin(let beginning): self.beginning = beginning
        case .end(let error): end = .some(error)
        }
      }
    }

    mutating func answer(_ answer: StoreAnswer) {
      guard let last = asked.last else { return }
      carryOut(opening.answered(last.ticket, .success(answer), at: moment))
    }

    mutating func fail(_ kind: StorageError.Kind) {
      guard let last = asked.last else { return }
      let error = StorageError(kind, attempt: "open the store", file: "/store", message: "so it is")
      carryOut(opening.answered(last.ticket, .failure(error), at: moment))
    }

    mutating func advance(by time: Duration) {
      let target = now + time
      while let deadline = opening.deadline, deadline <= target {
        now = max(now, deadline)
        carryOut(opening.tick(at: moment))
      }
      now = target
    }
  }

  private static func state(epoch: UInt64 = 4, owner: String? = nil) -> StoredState {
    var state = StoredState()
    state.epoch = epoch
    state.sequences = ["a": StoredSequence(next: 42, exact: true)]
    if let owner { state.session.owner = SessionOwner(server: "mqtt://one", clientIdentifier: owner) }
    return state
  }

  @Test("the state, then the plan of the device that it names, then what waits")
  func inOrder() throws {
    var bench = Bench()
    #expect(bench.asked.map(\.request) == [.reopen(replacing: nil)] && bench.plans.isEmpty)
    bench.answer(.state(Self.state()))
    #expect(bench.plans == [Self.state()])
    #expect(bench.asked.last?.request == .openOutbox(device: "board", boot: "boot", names: ["a", "b"]))
    #expect(bench.beginning == nil)
    var outbox = StoredOutbox()
    outbox.setAside = 3
    bench.answer(.outbox(outbox))
    let beginning = try #require(bench.beginning)
    #expect(beginning.isStored && beginning.outbox == outbox && beginning.setAside == 3)
    #expect(beginning.state.epoch == 4 && beginning.storeError == nil && beginning.outboxError == nil)
    #expect(beginning.plan.link.isStored && beginning.plan.link.storeDelay == .seconds(1))
    #expect(bench.opening.deadline == nil)
  }

  @Test("a disk that hangs, at whatever it is asked first: the process begins after 8 s without the rest of it")
  func hangs() throws {
    var bench = Bench()
    bench.advance(by: .milliseconds(7999))
    #expect(bench.beginning == nil)
    bench.advance(by: .milliseconds(1))
    #expect(bench.beginning?.storeError?.kind == .late && bench.beginning?.isStored == true)
    // The answer of a disk that comes back is for nobody: the core asks again.
    bench.answer(.state(Self.state()))

    bench = Bench()
    bench.answer(.state(Self.state()))
    bench.advance(by: .seconds(8))
    let adopting = try #require(bench.beginning)
    #expect(adopting.storeError == nil && adopting.outboxError?.kind == .late && adopting.state.epoch == 4)
    bench.answer(.outbox(StoredOutbox()))

    bench = Bench()
    bench.answer(.state(Self.state(owner: "another")))
    #expect(bench.asked.last?.request == .setSessionAside)
    bench.advance(by: .seconds(8))
    let aside = try #require(bench.beginning)
    #expect(aside.outboxError?.kind == .late && !aside.plan.link.isStored && aside.session == SessionState())
  }

  @Test("a store that cannot be opened: the process begins in memory, with numbers that say so")
  func fails() throws {
    var bench = Bench()
    bench.fail(.readOnly)
    var beginning = try #require(bench.beginning)
    #expect(beginning.storeError?.kind == .readOnly && beginning.isStored && beginning.outbox == nil)
    #expect(beginning.numbers.runsInMemory)
    #expect(beginning.numbers.next("a") == SequenceAllocator.Number(sequence: 1, restarted: true))
    // What waits cannot be read, the rest can.
    bench = Bench()
    bench.answer(.state(Self.state()))
    bench.fail(.inputOutput)
    beginning = try #require(bench.beginning)
    #expect(beginning.outboxError?.kind == .inputOutput && beginning.storeError == nil)
    beginning.numbers.reserved(beginning.numbers.requests(at: bench.now))
    #expect(beginning.numbers.next("a") == SequenceAllocator.Number(sequence: 42, restarted: false))
  }

  @Test("a file that proves to be damaged is kept aside, once")
  func damaged() {
    var bench = Bench()
    bench.fail(.corrupt)
    guard case .reopen(let damage?) = bench.asked.last?.request else { return #expect(Bool(false), "not asked again") }
    #expect(damage.kind == .corrupt && bench.beginning == nil)
    bench.fail(.corrupt)
    #expect(bench.asked.count == 2 && bench.beginning?.storeError?.kind == .corrupt)
  }

  @Test(
    "another agent has the folder: it is asked for again for 5 s, then this process ends", arguments: [true, false])
  func held(isStored: Bool) {
    var bench = Bench(storeDelay: isStored ? .zero : nil)
    func refuse() {
      if isStored { return bench.fail(.held(by: 7)) }
      let error = StorageError(.held(by: 7), attempt: "open", file: "/store", message: "so it is")
      bench.carryOut(bench.opening.held(error, at: bench.moment))
    }
    for count in 1...50 {
      refuse()
      #expect(bench.notes.count == 1 && bench.end == nil, "\(count)")
      bench.advance(by: .milliseconds(100))
      #expect(isStored ? bench.asked.count == count + 1 : bench.holds == count + 1)
    }
    refuse()
    #expect(bench.end??.kind == .held(by: 7))
  }

  @Test("who held it ends: the process begins")
  func isFreed() {
    var bench = Bench()
    bench.fail(.held(by: nil))
    bench.advance(by: .milliseconds(100))
    bench.answer(.state(Self.state()))
    bench.answer(.outbox(StoredOutbox()))
    #expect(bench.beginning != nil && bench.end == nil)
  }

  @Test("nothing is stored: the folder is held all the same, and a disk that hangs does not hold it up")
  func unstored() throws {
    var bench = Bench(storeDelay: nil)
    #expect(bench.holds == 1 && bench.asked.isEmpty)
    bench.carryOut(bench.opening.held(nil, at: bench.moment))
    let beginning = try #require(bench.beginning)
    #expect(!beginning.isStored && !beginning.plan.link.isStored && beginning.storeError == nil)
    bench = Bench(storeDelay: nil)
    bench.advance(by: .seconds(8))
    #expect(bench.beginning?.isStored == false && bench.beginning?.storeError == nil)
  }

  @Test("the session of another client is set aside; where that fails, it is left alone and none is kept")
  func anotherClient() throws {
    var bench = Bench()
    bench.answer(.state(Self.state(owner: "another")))
    bench.answer(.setAside(2))
    bench.answer(.outbox(StoredOutbox()))
    var beginning = try #require(bench.beginning)
    #expect(beginning.session == SessionState() && beginning.plan.link.isStored)
    bench = Bench()
    bench.answer(.state(Self.state(owner: "another")))
    bench.fail(.full)
    bench.answer(.outbox(StoredOutbox()))
    beginning = try #require(bench.beginning)
    #expect(beginning.session == SessionState() && !beginning.plan.link.isStored && beginning.outbox != nil)
    // Its own goes on.
    bench = Bench()
    bench.answer(.state(Self.state(owner: bench.plan.connect.clientIdentifier)))
    bench.answer(.outbox(StoredOutbox()))
    #expect(bench.beginning?.session.owner?.clientIdentifier == bench.plan.connect.clientIdentifier)
  }

  @Test("names that have rows and are not configured any more get streams")
  func formerNames() throws {
    var bench = Bench()
    bench.answer(.state(Self.state()))
    var outbox = StoredOutbox()
    outbox.streams = [1: "a", 2: "gone"]
    outbox.sections = [OutboxSection(first: 1)]
    outbox.sections[0].append(1, stream: 1, bytes: 9)
    outbox.sections[0].append(2, stream: 2, bytes: 9)
    bench.answer(.outbox(outbox))
    let plan = try #require(bench.beginning?.plan)
    #expect(plan.streams.map(\.name) == ["a", "b", "gone"])
    #expect(plan.outbox.keepsLatest.count == 3)
  }

  @Test("after an end that was not clean it says for how long nothing ran, where clocks know")
  func reason() {
    func reason(_ change: (inout Opening.Circumstances, inout StoredState) -> Void) -> Beginning.Reason? {
      var state = Self.state()
      var bench = Bench { change(&$0, &state) }
      bench.answer(.state(state))
      bench.answer(.outbox(StoredOutbox()))
      return bench.beginning?.reason
    }
    let crash = reason { circumstances, _ in circumstances.lastAlive = 1_699_999_940 }
    #expect(crash?.word == "recovered" && crash?.goneFor == 60)
    #expect(reason { _, state in state.lastWrite = 1_699_999_000 }?.goneFor == 1000)
    // Later than now: one of the two clocks was wrong.
    #expect(reason { circumstances, _ in circumstances.lastAlive = 1_700_000_001 }?.goneFor == nil)
    #expect(reason { _, state in state.lastStop = LastStop(reason: "update", time: 1) }?.word == "start")
    #expect(reason { _, state in state.epoch = 0 }?.word == "start")
    #expect(reason { circumstances, _ in circumstances.reason = "rollback" }?.word == "rollback")
  }

  @Test("told to stop before it began: it ends, and answers that come later are for nobody")
  func stops() {
    var bench = Bench()
    bench.carryOut(bench.opening.stop())
    #expect(bench.end == .some(nil) && bench.opening.deadline == nil)
    bench.answer(.state(Self.state()))
    #expect(bench.opening.stop().isEmpty && bench.plans.isEmpty)
  }
}
