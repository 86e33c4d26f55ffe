import Core
import Instants
import MQTTCore
import Plan
import Readings
import Records

/// A process begins: what a shell reads of the store before there is a core.
extension World {
  /// A disk that hangs keeps no device offline.
  static let openingLimit = Duration.seconds(8)

  mutating func start(_ index: Int) {
    guard boards[index].phase == .off else {
      boards[index].startsAgain = true
      return
    }
    boards[index].startsAgain = false
    boards[index].life += 1
    boards[index].phase = .opening
    let plan = boards[index].device.plan(instance: boards[index].instance)
    boards[index].opening = Board.Opening(plan: plan)
    let life = boards[index].life
    note(1, index, "process \(life) starts")
    guard boards[index].device.sync >= 0 else { return begin(index) }
    ask(index, .reopen(replacing: nil))
    queue.push(.openingLimit(board: index, life: boards[index].life), at: now + Self.openingLimit)
  }

  private mutating func ask(_ index: Int, _ request: StoreRequest) {
    ownTickets += 1
    boards[index].opening.ticket = StoreTicket(Board.ownTickets + ownTickets)
    boards[index].submit(boards[index].opening.ticket, request, at: now)
  }

  mutating func openingIsLate(_ index: Int, life: UInt64) {
    guard boards[index].life == life, boards[index].phase == .opening else { return }
    if boards[index].opening.state == nil { boards[index].opening.error = .modelled(.late) }
    if boards[index].opening.outbox == nil { boards[index].opening.outboxError = .modelled(.late) }
    begin(index)
  }

  /// An answer to the shell.
  mutating func opened(_ index: Int, _ ticket: StoreTicket, _ result: Result<StoreAnswer, StorageError>) {
    guard boards[index].phase == .opening, boards[index].opening.ticket == ticket else { return }
    switch result {
    case .success(.state(let state)):
      boards[index].opening.state = state
      guard let plan = boards[index].opening.plan else { return }
      ask(
        index, .openOutbox(device: plan.device, boot: "boot\(boards[index].boots)", names: plan.streams.map(\.name)))
    case .success(.outbox(let outbox)):
      boards[index].opening.outbox = outbox
      reserve(index)
    case .success(.done):
      let ends = boards[index].opening.ends
      boards[index].opening.numbers?.reserved(ends)
      boards[index].opening.ends = [:]
      begin(index)
    case .success: break
    case .failure(let error):
      if boards[index].opening.state == nil {
        if error.isDamage { return ask(index, .reopen(replacing: error)) }
        boards[index].opening.error = error
      } else if boards[index].opening.outbox == nil {
        boards[index].opening.outboxError = error
      }
      begin(index)
    }
  }

  private mutating func reserve(_ index: Int) {
    guard var plan = boards[index].opening.plan, let outbox = boards[index].opening.outbox else { return }
    for name in outbox.formerNames(beside: plan.streams.map(\.name)) {
      plan.streams.append(boards[index].device.stream(name, isRetained: false))
      plan.outbox.keepsLatest.append(false)
    }
    boards[index].opening.plan = plan
    var numbers = numbers(index, plan)
    var changes = StoreChanges()
    changes.instance = plan.presence.instance
    changes.identity = plan.identity
    changes.reserved = numbers.requests(at: boards[index].clock.boot(at: now))
    boards[index].opening.ends = changes.reserved
    boards[index].opening.numbers = numbers
    ask(index, .write(changes))
  }

  private func numbers(_ index: Int, _ plan: DevicePlan) -> SequenceAllocator {
    let device = boards[index].device
    let state = boards[index].opening.state
    var numbers = SequenceAllocator(
      stored: state?.sequences ?? [:], reservesBlocks: device.sync != 0,
      historyIsLost: device.sync >= 0 && (state == nil || state?.keptAside != nil))
    numbers.register(plan.streams.map(\.name))
    return numbers
  }

  private mutating func begin(_ index: Int) {
    let opening = boards[index].opening
    guard let plan = opening.plan else { return }
    let moment = boards[index].moment(at: now)
    var numbers = opening.numbers ?? numbers(index, plan)
    if opening.numbers == nil {
      numbers.storageIsUnavailable()
    } else if !opening.ends.isEmpty {
      numbers.reservationFailed(at: moment.boot)
    }
    var beginning = Beginning(plan: plan, isStored: boards[index].device.sync >= 0, numbers: numbers)
    beginning.storeError = opening.error
    beginning.outboxError = opening.error == nil ? opening.outboxError : nil
    if let state = opening.state {
      beginning.state = state
      beginning.session = state.session
    }
    beginning.outbox = opening.outbox
    beginning.setAside = opening.outbox?.setAside ?? 0
    beginning.boot = "boot\(boards[index].boots)"
    if boards[index].device.watchdog { beginning.watchdogInterval = .seconds(15) }
    let seed = seed.of(11, UInt64(index)).of(boards[index].life)
    boards[index].core = Core(beginning, seed: seed.value, at: moment)
    boards[index].phase = .running
    boards[index].opening = Board.Opening()
    oracles.begins(index, boards[index], at: now)
    tell(index, .start)
  }

  /// The process ends: the kernel closes what it had open.
  /// - Parameter isPower: nobody closes anything.
  mutating func end(_ index: Int, isPower: Bool, isCommitted: Bool? = nil) {
    guard boards[index].phase != .off else { return }
    note(2, index, isPower ? "the power is cut" : "the process is gone")
    if index == 0, !boards[0].core.hasExited { checkCrash() }
    oracles.ends(index, boards[index], isPower: isPower, at: now)
    for connection in boards[index].connections {
      if isPower {
        network.cut(connection.id, seenBy: [], at: now)
      } else {
        network.close(connection.id, by: .client, at: now)
      }
    }
    if isPower || isCommitted != nil { boards[index].store.crash(at: now, isCommitted: isCommitted) }
    boards[index].forgetProcess()
    if boards[index].startsAgain { queue.push(.start(board: index), at: now + .milliseconds(100)) }
  }
}
