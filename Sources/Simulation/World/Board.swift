import Core
import LimpetInstants
import MQTTCore
import Measuring
import Plan
import Readings
import Records

/// A request with the time that the board's clock shows, which the model of a store writes down.
package struct TimedRequest: Sendable {
  let request: StoreRequest
  /// Seconds since 1970.
  let now: Int64
}

typealias BoardStore = SimulatedStore<StoreModel, TimedRequest, StoreAnswer>

/// One machine with its process: what a shell has around a core, and what a kernel has around that.
struct Board: Sendable {
  enum Phase: Sendable, Hashable {
    case off
    /// The store is being opened.
    case opening
    case running
  }

  /// What has happened, and waits for the next turn of the event loop.
  enum Inbound: Sendable {
    case event(Event)
    case packet(ConnectionID, LinkID, Link.AttemptNumber, Packet)
    case health
  }

  struct Connection: Sendable {
    let id: ConnectionID
    let link: LinkID
    let attempt: Link.AttemptNumber
    let address: Int
    var isOpen = false
    var hasReceived = false
  }

  struct Line: Sendable {
    var isFound = false
    var level = false
    var pulses: UInt64 = 0
    let request: GPIOInput
  }

  let index: Int
  var device: DeviceModel
  /// Not optional, which would copy it: before the first start it is that of a board without anything.
  var core: Core
  var phase = Phase.off
  /// Processes so far.
  var life: UInt64 = 0
  var boots: UInt64 = 0
  var clock: SimulatedClock
  /// What the machine has slept since it was switched on.
  var slept = Duration.zero
  var sleptSince: WorldTime?
  var store: BoardStore
  var opening: Opening?
  var inbox: [Inbound] = []
  /// When the board looks at the events that wait.
  var turnAt: WorldTime?
  var turns: UInt64 = 0
  var connections: [Connection] = []
  var address = 1
  var lines: [Line?] = []
  /// What the store has answered to a process that opens it, while the machine slept.
  var answersInSleep: [(ticket: StoreTicket, result: Result<StoreAnswer, StorageError>)] = []
  /// Somebody wants it to run, as soon as the machine is awake.
  var startsAtWake = false
  /// Somebody wants it to run, as soon as it has ended.
  var startsAgain = false
  /// The next process is that of the version before.
  var isRollback = false
  var edges: UInt64 = 0
  var looks = 0
  var reloads: UInt64 = 0
  /// Outputs, and what drives them.
  var bench: OutputBench

  init(_ index: Int, _ device: DeviceModel, store: BoardStore, bench: OutputBench, wall: Int64) {
    self.index = index
    self.device = device
    self.store = store
    self.bench = bench
    clock = SimulatedClock(startedAt: WorldTime(nanoseconds: 0), wall: wall)
    let numbers = SequenceAllocator(stored: [:])
    core = Core(
      Beginning(plan: device.plan(instance: "none"), isStored: false, numbers: numbers), seed: 0,
      at: Moment(
        boot: WorldTime(nanoseconds: 0),
        wall: WallClock(instant: WorldTime(nanoseconds: 0), sinceEpoch: .zero, isSynchronized: false), awake: .zero))
  }

  var isAsleep: Bool { sleptSince != nil }
  var isRunning: Bool { phase == .running }
  var instance: String { "i\(index)-\(life)" }

  mutating func moment(at now: WorldTime) -> Moment {
    let boot = clock.boot(at: now)
    return Moment(
      boot: boot,
      wall: WallClock(
        instant: boot, sinceEpoch: clock.wall(at: now), isSynchronized: clock.isSynchronized, asked: boot),
      awake: BootClock.Instant(nanoseconds: 0).duration(to: boot) - slept)
  }

  func seconds(at now: WorldTime) -> Int64 {
    let (whole, rest) = clock.wall(at: now).quotientAndRemainder(dividingBy: 1_000_000_000)
    return rest < 0 ? whole - 1 : whole
  }

  /// When a turn of its event loop is due.
  /// Asked for in place, since a copy is far more than the answer.
  var deadline: WorldTime? {
    mutating get {
      guard phase == .running, sleptSince == nil else { return nil }
      guard let wanted = core.deadline else { return turnAt }
      let due = clock.moment(ofBoot: wanted)
      return turnAt.map { min($0, due) } ?? due
    }
  }

  /// The process is gone, with all that it knew.
  mutating func forgetProcess() {
    phase = .off
    inbox = []
    turnAt = nil
    connections = []
    lines = []
    opening = nil
    answersInSleep = []
    store.withContents { $0.endProcess() }
  }

  mutating func submit(_ ticket: StoreTicket, _ request: StoreRequest, at now: WorldTime) {
    store.submit(ticket, TimedRequest(request: request, now: seconds(at: now)), at: now)
  }

  static func store(_ seed: Seed, contents: StoreModel = StoreModel()) -> BoardStore {
    BoardStore(seed, contents: contents) { contents, timed in
      contents.now = timed.now
      return contents.perform(timed.request)
    }
  }
}
