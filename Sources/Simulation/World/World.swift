import Core
import LimpetInstants
import MQTTCore
import NIOCore
import Plan
import Records

/// Everything that a run is about: a board with its core, brokers, a network, a store, clocks, an operator; and a twin
/// where the script has one. A function of its script alone.
///
/// The world's time goes from one thing that is due to the next. What happens to a board waits for the next turn of its
/// event loop, as it does for a real one; how much of it shares a turn, and in which order the lanes of effects are
/// carried out, is the seed's.
package struct World: Sendable {
  enum Happening: Sendable {
    case begin(action: Int)
    case end(action: Int)
    case start(board: Int)
    case opening(board: Int, life: UInt64)
    case samples(board: Int, life: UInt64, [SensorID])
    case lines(board: Int, life: UInt64, [LineReport], isFinished: Bool)
    case edge(board: Int, life: UInt64)
    case bring(board: Int, life: UInt64, Event)
    case closed(ConnectionID)
    case synchronize(board: Int)
    case wake(board: Int)
    case terminate(board: Int, life: UInt64)
    case discipline
    case rollBack(life: UInt64)
    case heal
    case secondCommand(number: UInt64)
    case heartbeat
    /// Everything is well: every output is commanded.
    case probe(ActionKind)
  }

  /// 2027-01-15T08:00:00Z: what a right clock shows when the run begins.
  static let epoch: Int64 = 1_800_000_000 * 1_000_000_000

  let script: Script
  let seed: Seed
  /// From here on nothing goes wrong any more.
  package let healing: WorldTime
  /// What waited has gone by then; with an hour and a half, what rests has woken up.
  package let end: WorldTime
  var queue = EventQueue<Happening>()
  var network: SimulatedNetwork
  var brokers: [SimulatedBroker]
  /// What each broker can when nothing is wrong with it.
  var usualTraits: [BrokerTraits]
  var saved: [SimulatedBroker.Saved]
  var boards: [Board] = []
  var oracles: Oracles
  package internal(set) var trace: Trace
  /// Actions that last, by their place in the script.
  var active: [Int] = []
  /// By the connections' numbers.
  var owners: [(board: Int, broker: Int)] = []
  var chances: SeededGenerator
  package internal(set) var turns: UInt64 = 0
  /// By kind.
  package internal(set) var changes: [ActionKind: Int] = [:]
  private var networkEffects: [NetworkEffect] = []
  private var brokerEffects: [BrokerEffect] = []
  private var storeEffects: [StoreEffect<StoreModel, StoreAnswer>] = []
  private var stands = 0
  var checkedAt = WorldTime(nanoseconds: 0)
  var commander = Commander()
  var benchEffects: [OutputBench.Effect] = []

  package init(_ script: Script, keepingLines limit: Int = 0) {
    self.script = script
    seed = script.seed
    let over = script.actions.map { $0.moment + $0.duration }.max()
    healing = over.map { $0 + .seconds(1) } ?? WorldTime(nanoseconds: 0)
    end = healing + .seconds(script.setting("quiet") ?? 5400)
    let device = DeviceModel(script)
    usualTraits = (0..<device.brokerCount).map { Self.traits(script, $0) }
    brokers = usualTraits.map { SimulatedBroker($0) }
    saved = brokers.map(\.saved)
    let delay = Duration.milliseconds(script.setting("delay") ?? 5)
    network = SimulatedNetwork(
      seed.of(2), links: Array(repeating: LinkTraits(delay: delay, jitter: delay), count: 2 * device.brokers))
    trace = Trace(keepingLines: limit)
    chances = seed.of(3).generator
    oracles = Oracles(device, script.lasting)
    boards = (0..<2).map { index in
      let part = UInt64(index)
      let bench = OutputBench(seed.of(14, part), delay: device.outputs.driverDelay)
      return Board(index, device, store: Board.store(seed.of(4, part)), bench: bench, wall: Self.epoch)
    }
    for index in script.actions.indices { queue.push(.begin(action: index), at: script.actions[index].moment) }
    queue.push(.start(board: 0), at: now)
    queue.push(.heal, at: healing)
    if device.outputs.count > 0, healing + .seconds(240) < end {
      queue.push(.probe(.commandOff), at: end - .seconds(40))
      queue.push(.probe(.commandOn), at: end - .seconds(20))
      queue.push(.probe(.commandSwap), at: end - .seconds(10))
    }
    if device.outputs.hasHeartbeat { queue.push(.heartbeat, at: now) }
    for index in brokers.indices { applyBroker(index) }
    warmCrystal()
  }

  static func traits(_ script: Script, _ index: Int) -> BrokerTraits {
    var traits: BrokerTraits =
      switch script.setting("broker") ?? 0 {
      case 1: .mosquitto2011
      case 2: .mosquitto2020
      case 3: .ejabberd
      case 4: .rabbitMQ
      case 5: .nats
      default: BrokerTraits()
      }
    if let most = script.setting("receive-maximum") { traits.receiveMaximum = UInt16(clamping: most) }
    script.lasting.limit(&traits)
    return traits
  }

  /// Under which brokers are known.
  var addresses: Int { oracles.device.brokers }
  func broker(of address: Int) -> Int { oracles.device.isCluster ? 0 : address }

  package var now: WorldTime { queue.now }
  package var failure: Failure? { oracles.failure }
  /// What a right clock shows.
  var truth: Int64 { Self.epoch + now.nanoseconds }

  // MARK: Time

  /// Until the end, or until an oracle has found something.
  package mutating func run() {
    while failure == nil, step(until: end) {}
    if failure == nil { finish() }
  }

  /// The next moment at which something is due.
  /// - Returns: false: nothing is, until then.
  package mutating func step(until end: WorldTime) -> Bool {
    let next = deadline
    guard next <= end, !(next == end && now == end) else { return false }
    if next > now { stands = 0 } else { stands += 1 }
    queue.advance(to: next)
    if stands > 20_000 {
      oracles.fail("I3a", "time stands still: 20,000 turns at one moment", at: now)
      return false
    }
    while let happening = queue.pop(until: now) { take(happening) }
    if let due = network.deadline, due <= now { arrive() }
    for index in brokers.indices {
      if let due = brokers[index].deadline, due <= now { bring(broker: index, .tick) }
    }
    for index in boards.indices {
      if let due = boards[index].store.deadline, due <= now { answer(index) }
      if let due = boards[index].driverDeadline, due <= now { drive(index) }
      if let due = boards[index].deadline, due <= now { turn(index) }
    }
    check()
    return true
  }

  private var deadline: WorldTime {
    mutating get {
      var first = queue.deadline ?? end
      if let due = network.deadline { first = min(first, due) }
      for index in brokers.indices { if let due = brokers[index].deadline { first = min(first, due) } }
      for index in boards.indices {
        if let due = boards[index].store.deadline { first = min(first, due) }
        if let due = boards[index].driverDeadline { first = min(first, due) }
        if let due = boards[index].deadline { first = min(first, due) }
      }
      return max(first, now)
    }
  }

  // MARK: The network and brokers

  private mutating func arrive() {
    network.tick(at: now, into: &networkEffects)
    let arrivals = networkEffects
    networkEffects.removeAll(keepingCapacity: true)
    for arrival in arrivals {
      switch arrival {
      case .opened(let id, let link, .broker, let version):
        bring(broker: broker(of: link % addresses), .opened(id, version))
      case .opened(let id, _, .client, _): opened(id)
      case .failed(let id, let why): failed(id, why)
      case .deliver(let id, .broker, let packet):
        let broker = owners[Int(id.rawValue) - 1].broker
        trace.note(packet, .v5, on: id, to: .broker, at: now)
        bring(broker: broker, .packet(id, packet))
      case .deliver(let id, .client, let packet):
        trace.note(packet, .v5, on: id, to: .client, at: now)
        received(id, packet)
      case .ended(let id, .broker, let ending): bring(broker: owners[Int(id.rawValue) - 1].broker, .closed(id, ending))
      case .ended(let id, .client, _): lost(id)
      }
    }
  }

  mutating func bring(broker index: Int, _ event: BrokerEvent) {
    brokers[index].handle(event, at: now, into: &brokerEffects)
    carryOutBroker(index)
  }

  /// Something is done to a broker.
  mutating func change(broker index: Int, _ body: (inout SimulatedBroker, WorldTime, inout [BrokerEffect]) -> Void) {
    body(&brokers[index], now, &brokerEffects)
    carryOutBroker(index)
  }

  private mutating func carryOutBroker(_ index: Int) {
    if !brokerEffects.isEmpty {
      for effect in brokerEffects {
        switch effect {
        case .send(let id, let packet): network.send(packet, on: id, to: .client, at: now)
        case .close(let id): network.close(id, by: .broker, at: now)
        }
      }
      brokerEffects.removeAll(keepingCapacity: true)
    }
    guard !brokers[index].records.isEmpty else { return }
    var records: [BrokerRecord] = []
    brokers[index].takeRecords { records.append($0) }
    for record in records {
      oracles.saw(record, broker: index)
      if case .connected(DeviceModel.client, let id, let isPresent, _) = record.what {
        oracles.connected(owners[Int(id.rawValue) - 1].board, broker: index, on: id, sessionPresent: isPresent)
      }
      if trace.limit > 0, let text = record.summary { note(9, 0, "broker \(index): \(text)") }
    }
  }

  // MARK: The store

  private mutating func answer(_ index: Int) {
    boards[index].store.tick(at: now, into: &storeEffects)
    let answers = storeEffects
    storeEffects.removeAll(keepingCapacity: true)
    for case .done(let ticket, let result) in answers {
      if ticket > Opening.firstTicket {
        opened(index, ticket, result)
      } else if boards[index].isRunning {
        oracles.stored(index, ticket, result, at: now)
        bring(index, .stored(ticket, result))
      }
    }
  }

  // MARK: The trace

  mutating func note(_ kind: UInt64, _ board: Int, _ text: @autoclosure () -> String) {
    trace.note(kind, at: now, UInt64(board), 0, text())
  }
}

extension BrokerRecord {
  /// For a person; nil: its packets say the same.
  fileprivate var summary: String? {
    switch what {
    case .accepted, .retained, .delivered: nil
    case .connected(let client, let id, let isPresent, _): "\(client) is connected on \(id), session \(isPresent)"
    case .denied(_, _, let publish, let answer): "denies \(publish.message.topic): \(answer)"
    case .willDelayed(_, let message, let until): "delays the will \(message.topic) until \(until.inSeconds)"
    case .willPublished(_, let message): "publishes the will \(message.topic) \(String(buffer: message.payload))"
    case .willDropped(_, let message, let why): "drops the will \(message.topic): \(why)"
    case .dropped(_, let message): "drops \(message.topic)"
    default: "\(what)"
    }
  }
}
