import Core
import LimpetInstants
import MQTTCore
import Plan
import Readings
import Records

/// A process begins, and ends.
extension World {
  mutating func start(_ index: Int) {
    guard boards[index].phase == .off else {
      boards[index].startsAgain = true
      return
    }
    guard !boards[index].isAsleep else {
      boards[index].startsAtWake = true
      return
    }
    boards[index].startsAgain = false
    boards[index].life += 1
    boards[index].phase = .opening
    let life = boards[index].life
    note(1, index, "process \(life) starts")
    let device = boards[index].device
    var circumstances = Opening.Circumstances()
    circumstances.folder = "session.db"
    circumstances.storeDelay = device.sync >= 0 ? .seconds(device.sync) : nil
    circumstances.blockSize = device.block
    circumstances.boot = "boot\(boards[index].boots)"
    if boards[index].isRollback {
      boards[index].isRollback = false
      circumstances.reason = "rollback"
    }
    circumstances.watchdogInterval = device.watchdog ? .seconds(15) : nil
    var opening = Opening(circumstances, at: boards[index].clock.boot(at: now))
    let effects = opening.start()
    boards[index].opening = opening
    carryOut(effects, of: index)
  }

  private mutating func opens(_ index: Int, _ body: (inout Opening, Moment) -> [Opening.Effect]) {
    let moment = boards[index].moment(at: now)
    guard var opening = boards[index].opening else { return }
    let effects = body(&opening, moment)
    boards[index].opening = opening
    carryOut(effects, of: index)
  }

  private mutating func carryOut(_ effects: [Opening.Effect], of index: Int) {
    for effect in effects {
      switch effect {
      case .ask(let ticket, let request): boards[index].submit(ticket, request, at: now)
      case .hold: opens(index) { $0.held(nil, at: $1) }
      case .plan:
        let plan = boards[index].device.plan(instance: boards[index].instance)
        opens(index) { $0.planned(plan, at: $1) }
      case .findStreams(let names):
        let device = boards[index].device
        opens(index) { $0.found(names.map { device.stream($0, isRetained: false) }, at: $1) }
      case .note: break
      case .begin(let beginning): begin(index, beginning)
      case .end: end(index, isPower: false)
      }
    }
    guard let deadline = boards[index].opening?.deadline else { return }
    let due = max(now, boards[index].clock.moment(ofBoot: deadline))
    queue.push(.opening(board: index, life: boards[index].life), at: due)
  }

  mutating func tickOpening(_ index: Int, life: UInt64) {
    if boards[index].life == life, !boards[index].isAsleep { opens(index) { $0.tick(at: $1) } }
  }

  /// An answer to the shell.
  mutating func opened(_ index: Int, _ ticket: StoreTicket, _ result: Result<StoreAnswer, StorageError>) {
    guard !boards[index].isAsleep else { return boards[index].answersInSleep.append((ticket, result)) }
    opens(index) { $0.answered(ticket, result, at: $1) }
  }

  /// The machine is awake: a process that was about to begin goes on.
  mutating func goesOnOpening(_ index: Int) {
    let answers = boards[index].answersInSleep
    boards[index].answersInSleep = []
    for (ticket, result) in answers { opened(index, ticket, result) }
    tickOpening(index, life: boards[index].life)
    guard boards[index].startsAtWake else { return }
    boards[index].startsAtWake = false
    if boards[index].phase == .off { start(index) }
  }

  private mutating func begin(_ index: Int, _ beginning: Beginning) {
    let moment = boards[index].moment(at: now)
    var beginning = beginning
    if boards[index].device.forgetsSession {
      beginning.session = SessionState()
      beginning.plan.link.isStored = false
    }
    let seed = seed.of(11, UInt64(index)).of(boards[index].life)
    boards[index].core = Core(beginning, seed: seed.value, at: moment)
    boards[index].phase = .running
    boards[index].opening = nil
    oracles.begins(index, boards[index], at: now)
    bring(index, .start)
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
    leaveOutputs(index, isPower: isPower)
    boards[index].forgetProcess()
    if boards[index].startsAgain { queue.push(.start(board: index), at: now + .milliseconds(100)) }
  }
}
