import Core
internal import Glibc
import MQTT
import MQTTCore

/// NIO's edge: what transports do.
extension Shell: CarrierOwner {
  private nonisolated func link(of carrier: Carrier) -> LinkID { carrier === self.carrier ? .agent : .homie }

  package nonisolated func stage(for carrier: Carrier) -> ConnectionStage {
    let id = link(of: carrier)
    return assumeIsolated { $0.core.stage(id) }
  }

  package nonisolated func carrier(_ carrier: Carrier, did event: Link.Event, endsTurn: Bool) {
    let id = link(of: carrier)
    assumeIsolated { shell in
      if endsTurn { shell.happens(.link(id, event)) } else { shell.handle(.link(id, event)) }
    }
  }

  package nonisolated func carrier(_ carrier: Carrier, hasRead attempt: Link.AttemptNumber, endsTurn: Bool) {
    let id = link(of: carrier)
    assumeIsolated { shell in
      if endsTurn { shell.beginTurn() }
      shell.takePackets(from: carrier, id, attempt)
      if endsTurn { shell.endTurn() }
    }
  }

  package nonisolated func carrierEndsTurn(_ carrier: Carrier) { assumeIsolated { $0.endTurn() } }
}

/// Packets, to the core and from it.
extension Shell {
  /// What was read on a connection.
  private func takePackets(from carrier: Carrier, _ id: LinkID, _ attempt: Link.AttemptNumber) {
    let now = continueTurn()
    guard core.takesPackets(id) else {
      return handle(.link(id, .malformed(attempt, .protocolError("bytes before CONNECT"))))
    }
    do throws(PacketError) {
      while core.takesPackets(id), let packet = try carrier.nextPacket() {
        core.receive(packet, on: id, attempt, at: now)
        perform()
      }
    } catch { handle(.link(id, .malformed(attempt, error))) }
  }

  private func carrier(_ id: LinkID) -> Carrier {
    switch id {
    case .agent: carrier
    case .homie: homieCarrier
    }
  }

  /// What transports are to do, in its order.
  func carryWires() { while let wire = core.effects.nextWire() { perform(wire) } }

  private func perform(_ wire: consuming Wire) {
    switch consume wire {
    case .send(let id, let packet): carrier(id).write(packet)
    case .open(let id, let attempt, let server, let version): carrier(id).open(attempt, server, version, for: self)
    case .close(let id, let attempt, let closing): carrier(id).close(attempt, closing)
    case .agreed(let id, let limits): carrier(id).connected(limits)
    case .probe(let id, let attempt, let server): carrier(id).probe(attempt, server)
    }
  }

  func flush() {
    carrier.flush()
    homieCarrier.flush()
  }
}

extension Duration {
  /// CLOCK_MONOTONIC, of clock_gettime(2).
  static var awake: Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
