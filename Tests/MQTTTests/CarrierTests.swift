import LimpetInstants
import LimpetPlatform
import MQTTCore
import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT

/// A link that somebody other than `Client` owns.
@Suite("The carrier", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct CarrierTests {
  @Test("an owner that is no client connects, publishes and leaves, and is let go with the transport")
  func carriesForAnyOwner() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker()
      var owner: Owner? = Owner(port: broker.port)
      weak let observed = owner
      owner?.start()
      // From here on it is the carrier that keeps it.
      owner = nil
      try await eventually("the message is settled") { observed?.outcomes.count == 1 ? true : nil }
      #expect(observed?.outcomes == [.delivered])
      observed?.leave()
      try await eventually("the owner is gone") { observed == nil ? true : nil }
    }
  }

  @Test("an address of loopback to connect from is left out where the server has another kind of address")
  func localAddress() throws {
    var settings = Carrier.Settings()
    settings.localAddress = try SocketAddress(ipAddress: "127.0.0.2", port: 0)
    func address(to servers: String...) throws -> SocketAddress? {
      settings.localAddress(to: try servers.map { try SocketAddress(ipAddress: $0, port: 1883) })
    }
    #expect(try address(to: "127.0.0.1", "127.1.2.3") == settings.localAddress)
    for server in ["192.0.2.1", "::1", "128.0.0.1"] {
      #expect(try address(to: server) == nil && address(to: "127.0.0.1", server) == nil, "\(server)")
    }
  }

  @Test("an alarm that is moved forward rings once, and not before its deadline")
  func rings() async throws {
    let eventLoop = witnesses.next()
    let rung = Mutex<[BootClock.Instant]>([])
    let deadline = BootClock.now + .milliseconds(50)
    let alarm = try await eventLoop.submit {
      let alarm = NIOLoopBoundBox(Alarm(), eventLoop: eventLoop)
      for delay in [Duration.seconds(3600), .seconds(60), .milliseconds(50)] {
        alarm.value.set(deadline - .milliseconds(50) + delay, at: BootClock.now, on: eventLoop) {
          rung.withLock { $0.append(BootClock.now) }
        }
      }
      return alarm
    }.get()
    try await eventually("it rings") { rung.withLock { $0.isEmpty ? nil : true } }
    #expect(rung.withLock { $0.count } == 1)
    #expect(rung.withLock { $0[0] } >= deadline)
    withExtendedLifetime(alarm) {}
  }
}

/// As little as a link needs around it. It stays on its event loop.
private final class Owner: CarrierOwner, @unchecked Sendable {
  private let carrier: Carrier
  private var link: Link
  private var effects = Link.Effects()
  private let told = Mutex<[Session.Outcome]>([])

  var outcomes: [Session.Outcome] { told.withLock { $0 } }

  init(port: Int) {
    carrier = Carrier(Carrier.Settings(), eventLoop: witnesses.next())
    var settings = Link.Settings(servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)])
    settings.reconnects = false
    link = Link(settings, seed: 1)
  }

  func start() { carrier.eventLoop.execute { self.handle(.start) } }

  func leave() {
    carrier.eventLoop.execute {
      self.handle(.disconnect(.success, within: .seconds(1)))
      self.carrier.flush()
    }
  }

  func stage(for carrier: Carrier) -> ConnectionStage { link.stage }

  func carrier(_ carrier: Carrier, did event: Link.Event, endsTurn: Bool) { handle(event) }

  func carrier(_ carrier: Carrier, hasRead attempt: Link.AttemptNumber, endsTurn: Bool) {
    do throws(PacketError) {
      while link.takesPackets, let packet = try carrier.nextPacket() { handle(.received(attempt, packet)) }
    } catch { handle(.malformed(attempt, error)) }
    if endsTurn { carrier.flush() }
  }

  func carrierEndsTurn(_ carrier: Carrier) { carrier.flush() }

  private func handle(_ event: Link.Event) {
    link.handle(event, at: BootClock.now, into: &effects)
    while true {
      if let action = effects.nextAction() {
        switch action {
        case .send(let packet): carrier.write(packet)
        case .settled(_, let outcome): told.withLock { $0.append(outcome) }
        default: break
        }
      } else if let order = effects.nextOrder() {
        switch order {
        case .open(let number, let server, let version): carrier.open(number, server, version, for: self)
        case .close(let number, let closing): carrier.close(number, closing)
        case .askConnect(let number, _, _):
          link.handle(
            .connectPacket(number, Connect(clientIdentifier: "a", cleanStart: true, keepAlive: 60)),
            at: BootClock.now, into: &effects)
          carrier.eventLoop.execute { self.carrier.flush() }
        case .report(.connected(let connected, _)):
          carrier.connected(connected.limits)
          publish()
        default: break
        }
      } else {
        break
      }
    }
    effects.removeAll()
  }

  private func publish() {
    try? link.publish(
      Message(topic: "a", payload: ByteBuffer(), qos: .atLeastOnce), token: 1, at: BootClock.now, into: &effects)
  }
}
