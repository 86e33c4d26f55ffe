import Core
import LimpetInstants
import MQTTCore
import Measuring
import Plan
import Records

/// Turns of a board's event loop: what has happened goes into the core, and its effects are carried out.
extension World {
  /// Something happens to a board; its event loop may have something else to do first.
  mutating func bring(_ index: Int, _ event: Event) { put(.event(event), index) }

  func bring(_ event: Event, _ index: Int, after delay: Duration, in queue: inout EventQueue<Happening>) {
    queue.push(.bring(board: index, life: boards[index].life, event), at: now + delay)
  }

  mutating func put(_ inbound: Board.Inbound, _ index: Int) {
    guard boards[index].isRunning else { return }
    boards[index].inbox.append(inbound)
    guard boards[index].turnAt == nil else { return }
    // Mostly at once; now and then it is busy, and more comes together.
    let chance = chances.number(below: 8)
    let delay: Duration = chance == 0 ? .nanoseconds(Int64(chances.number(below: 20_000_000))) : .zero
    boards[index].turnAt = now + delay
  }

  mutating func turn(_ index: Int) {
    turns += 1
    boards[index].turns += 1
    boards[index].turnAt = nil
    if index == 0 { oracles.outputs.check(at: now) }
    let moment = boards[index].moment(at: now)
    var inbox: [Board.Inbound] = []
    swap(&inbox, &boards[index].inbox)
    let isDue = boards[index].core.deadline.map { $0 <= moment.boot } ?? false
    let sharesDrain = chances.number(below: 4) != 0
    let ticksFirst = isDue && (!sharesDrain || chances.number(below: 2) == 0)
    if ticksFirst { boards[index].core.handle(.tick, at: moment) }
    for (place, inbound) in inbox.enumerated() {
      take(inbound, index, moment)
      guard boards[index].isRunning else { return }
      if !sharesDrain, place + 1 < inbox.count {
        drain(index, moment)
        guard boards[index].isRunning else { return }
      }
    }
    inbox.removeAll(keepingCapacity: true)
    if isDue && !ticksFirst { boards[index].core.handle(.tick, at: moment) }
    drain(index, moment)
    // The array is used again, unless something came meanwhile.
    if boards[index].inbox.isEmpty { swap(&inbox, &boards[index].inbox) }
  }

  private mutating func take(_ inbound: Board.Inbound, _ index: Int, _ moment: Moment) {
    switch inbound {
    case .event(let event):
      noteActing(event, index)
      boards[index].core.handle(event, at: moment)
      if case .stored(_, .success(.outbox)) = event { oracles.adopts(index) }
    case .packet(let connection, let link, let attempt, let packet):
      oracles.receives(index, link, packet, on: connection, at: now)
      if index == 0 { noteActing(packet, on: connection) }
      boards[index].core.receive(packet, on: link, attempt, at: moment)
    case .health:
      let facts = Facts(
        device: DeviceModel.name, displayName: nil, process: 1, started: BootClock.Instant(nanoseconds: 0),
        logLevel: "info")
      boards[index].core.publishHealth(facts, at: moment)
    }
  }

  private mutating func drain(_ index: Int, _ moment: Moment) {
    boards[index].core.drain(at: moment)
    carryOut(index)
    guard boards[index].isRunning else { return }
    let promises = boards[index].core.promises
    if let deadline = promises.deadline, deadline <= moment.boot {
      let all = boards[index].core.deadlines(at: moment.boot)
      oracles.fail("I3a", "the deadline of board \(index) has passed: \(all)", at: now)
    }
    if index == 0, oracles.outputs.isWatching {
      oracles.outputs.knows(ofRival: boards[0].core.hasRival)
      oracles.outputs.turned(at: now) { boards[0].core.published(of: $0) }
    }
    oracles.turned(index, promises, hasEvents: !boards[index].inbox.isEmpty, moment, at: now)
  }

  /// The lanes are in no order among each other.
  private mutating func carryOut(_ index: Int) {
    let first = Int(chances.number(below: 4))
    for lane in 0..<4 {
      switch (first + lane) % 4 {
      case 0:
        while let wire = boards[index].core.effects.nextWire() { carryOut(wire, index) }
      case 1:
        guard let (ticket, request) = boards[index].core.effects.takeStore() else { continue }
        oracles.asks(index, ticket, request, at: now)
        boards[index].submit(ticket, request, at: now)
      case 2:
        for order in boards[index].core.effects.takeOrders() { carryOut(order, index) }
      default:
        for note in boards[index].core.effects.takeNotes() {
          trace.note(5, at: now, UInt64(index), 0, "board \(index): \(note)")
          oracles.notes(index, note, at: now)
        }
      }
      guard boards[index].isRunning else { return }
    }
  }

  // MARK: Transports

  private mutating func carryOut(_ wire: consuming Wire, _ index: Int) {
    switch consume wire {
    case .open(let link, let attempt, let server, let version):
      let address = DeviceModel.address(of: server)
      let broker = broker(of: address)
      let id = open(link: index * addresses + address, version, by: index)
      owners.append((index, broker))
      trace.note(6, at: now, UInt64(broker), attempt, "board \(index): opens \(id) to broker\(address), \(version)")
      boards[index].connections.append(Board.Connection(id: id, link: link, attempt: attempt, address: address))
      oracles.opens(index, link, id, version, at: now)
      bring(index, .link(link, .progress(attempt, .transport, server)))
    case .send(let link, let packet):
      guard let connection = boards[index].connections.last(where: { $0.link == link && $0.isOpen }) else {
        // It has ended, and the core will hear so: what it believes of it meanwhile is nobody's to judge.
        return oracles.loses(index, link)
      }
      oracles.sends(index, link, packet, on: connection.id, at: now)
      network.send(packet, on: connection.id, to: .broker, at: now)
    case .close(let link, let attempt, let closing):
      let place = boards[index].connections.firstIndex { $0.link == link && $0.attempt == attempt }
      guard let place else { return }
      let connection = boards[index].connections[place]
      network.close(connection.id, by: .client, at: now)
      switch closing {
      case .atOnce:
        boards[index].connections.remove(at: place)
        if connection.isOpen { bring(index, .link(link, .closed(attempt, received: connection.hasReceived))) }
      case .afterSending:
        // Now and then the server never closes its half.
        guard chances.number(below: 8) != 0 else { return }
        queue.push(.closed(connection.id), at: now + .nanoseconds(Int64(chances.number(below: 100_000_000))))
      }
    case .agreed: break
    case .probe(let link, let attempt, let server):
      let reachability = network.reachability(link: index * addresses + DeviceModel.address(of: server))
      // What does not answer takes its time: the core has a limit of its own.
      guard reachability != .silent, reachability != .hangingName else { return }
      let delay = Duration.nanoseconds(Int64(chances.number(below: 200_000_000)))
      bring(.link(link, .probed(attempt, isReachable: reachability == .open)), index, after: delay, in: &queue)
    }
  }

  private func place(of id: ConnectionID) -> (board: Int, place: Int)? {
    let board = owners[Int(id.rawValue) - 1].board
    return boards[board].connections.firstIndex { $0.id == id }.map { (board, $0) }
  }

  mutating func opened(_ id: ConnectionID) {
    guard let (index, place) = place(of: id) else { return }
    boards[index].connections[place].isOpen = true
    let connection = boards[index].connections[place]
    bring(index, .link(connection.link, .opened(connection.attempt, from: "10.0.0.\(boards[index].address)")))
    bring(index, .link(connection.link, .ready(connection.attempt)))
  }

  mutating func failed(_ id: ConnectionID, _ why: Reachability) {
    guard let (index, place) = place(of: id) else { return }
    let connection = boards[index].connections.remove(at: place)
    let server = DeviceModel.address(connection.address)
    oracles.failed(index, connection.link, why)
    let loss: ConnectionLoss =
      switch why {
      case .unknownName, .hangingName: .nameNotFound(host: server.host, "it is modelled")
      case .certificateNotYetValid: .tls(server, .notYetValid(0))
      case .refused, .unreachable, .silent, .open: .unreachable(server, "it is modelled")
      }
    bring(index, .link(connection.link, .failed(connection.attempt, loss)))
  }

  mutating func received(_ id: ConnectionID, _ packet: Packet) {
    guard let (index, place) = place(of: id) else { return }
    boards[index].connections[place].hasReceived = true
    let connection = boards[index].connections[place]
    put(.packet(id, connection.link, connection.attempt, packet), index)
  }

  mutating func lost(_ id: ConnectionID) {
    guard let (index, place) = place(of: id) else { return }
    let connection = boards[index].connections.remove(at: place)
    guard connection.isOpen else {
      let loss = ConnectionLoss.unreachable(DeviceModel.address(connection.address), "reset")
      return bring(index, .link(connection.link, .failed(connection.attempt, loss)))
    }
    bring(index, .link(connection.link, .closed(connection.attempt, received: connection.hasReceived)))
  }

  // MARK: Orders

  private mutating func carryOut(_ order: Order, _ index: Int) {
    let life = boards[index].life
    switch order {
    case .read(let sensors): read(sensors, index)
    case .count:
      var pulses: [LineID: PulseCount] = [:]
      for (place, line) in boards[index].lines.enumerated() {
        if let line, line.isFound, line.request.mode == .counter {
          pulses[LineID(place: place)] = PulseCount(pulses: line.pulses)
        }
      }
      bring(index, .counted(pulses))
    case .watch(let requests):
      boards[index].lines = requests.map { Board.Line(request: $0) }
      find(Array(requests.indices), index)
    case .rewatch(let released, let added): rewatch(released, added, index)
    case .stopWatching:
      boards[index].lines = []
      queue.push(.lines(board: index, life: life, [], isFinished: true), at: now + chance(upTo: .milliseconds(50)))
    case .look:
      boards[index].looks += 1
      bring(index, .looked(gpioTurns: boards[index].lines.isEmpty ? nil : boards[index].looks, isKernelStuck: false))
    case .findStopReason:
      guard chances.number(below: 4) != 0 else { return }
      queue.push(.bring(board: index, life: life, .asked(.stopBecause(.reboot))), at: now + chance(upTo: .seconds(1)))
    case .publishHealth: put(.health, index)
    case .hold, .drive, .release, .secure, .answer: act(order, index)
    case .notify, .writeMetrics, .markAlive: break
    case .exit(let isClean):
      oracles.exits(index, isClean: isClean, isSlow: script.setting("delay") ?? 5 >= 200, at: now)
      end(index, isPower: false)
    }
  }

  mutating func chance(upTo longest: Duration) -> Duration {
    .nanoseconds(Int64(chances.number(below: UInt64(max(1, longest.wholeNanoseconds)))))
  }
}
