import LimpetInstants
import NIOCore
import Testing

@testable import MQTTCore

/// The life of a connection, without one.
@Suite struct LinkTests {
  typealias Harness = LinkHarness

  @Test("from the start to CONNACK: a transport, CONNECT once it is up, and the owner hears of both")
  func connects() {
    var harness = Harness()
    let start = harness.handle(.start)
    #expect(start.opened == [Harness.servers[0]])
    #expect(start.notices == [.connecting(Harness.servers[0], .v5)])
    #expect(harness.handle(.opened(1, from: nil)).isEmpty)
    #expect(harness.handle(.ready(1)).isAsking)
    let asked = harness.handle(.connectPacket(1, Harness.connect()))
    #expect(asked.connect?.properties.maximumPacketSize == 1 << 20)
    #expect(!harness.link.isConnected && harness.link.stage == .connect)
    #expect(harness.connack().isConnected)
    #expect(harness.link.isConnected && harness.link.room(for: .atLeastOnce) > 0)
    #expect(harness.link.deadline == nil, "no keepalive, nothing to store: nothing to wake up for")
    #expect(harness.handle(.start).isEmpty)
  }

  @Test("nothing that is late from an old attempt touches the next one [behaviour 42]")
  func lateEvents() throws {
    var harness = Harness.connected()
    let old = harness.number
    harness.lose()
    let late: [Link.Event] = [
      .opened(old, from: nil), .ready(old), .connectPacket(old, Harness.connect()),
      .progress(old, .tls, Harness.servers[1]),
      .received(old, .connack(ConnAck(sessionPresent: false, reasonCode: .success))), .authenticate(old, nil),
      .malformed(old, .protocolError("late")), .failed(old, .notEncodable), .closed(old, received: false),
      .writable(old, false),
    ]
    /// At each stage of the next attempt.
    for step in 0..<4 {
      if step == 1 { harness.open() }
      if step == 2 { harness.handle(.connectPacket(harness.number, Harness.connect())) }
      if step == 3 { harness.connack() }
      #expect(harness.number == old + 1)
      let (stage, deadline) = (harness.link.stage, harness.link.deadline)
      for event in late { #expect(harness.handle(event).isEmpty, "\(event) at \(stage)") }
      #expect(harness.link.stage == stage && harness.link.deadline == deadline)
    }
    #expect(harness.link.isConnected && harness.link.room(for: .atLeastOnce) > 0)
  }

  @Test("bytes of the server before CONNECT, and bytes that are no packet after it, end the connection")
  func malformed() {
    var harness = Harness()
    harness.handle(.start)
    harness.open()
    let error = PacketError.protocolError("bytes before CONNECT")
    #expect(harness.handle(.malformed(1, error)).closings == [.atOnce])
    #expect(harness.closed().losses.map(\.loss) == [.session(.violation(error))])
    harness.handle(.retryNow)
    harness.agree()
    let effects = harness.handle(.malformed(2, .malformed("PUBLISH with QoS 3")))
    #expect(effects.sent == [.disconnect(Disconnect(reasonCode: .malformedPacket))])
    #expect(effects.closings == [.afterSending])
    #expect(harness.handle(.malformed(2, error)).isEmpty, "once is enough")
  }

  @Test("a CONNECT that does not fit the wire is not sent")
  func notEncodable() {
    var harness = Harness()
    harness.handle(.start)
    let effects = harness.ask(Harness.connect { $0.username = "a\u{0}b" })
    #expect(effects.sent.isEmpty && effects.closings == [.atOnce])
    #expect(harness.closed().losses.map(\.loss) == [.notEncodable])
  }

  // MARK: Time

  @Test(
    "past the limit the attempt is given up, and its loss names the stage",
    arguments: [ConnectionStage.endpoint, .name, .transport, .proxy, .tls, .upgrade, .connect])
  func timesOut(stage: ConnectionStage) {
    var harness = Harness(Harness.settings { $0.connectTimeout = .seconds(3) })
    harness.handle(.start)
    let dialled = ServerAddress(transport: .tcp, host: "signed", port: 1)
    if stage == .connect {
      harness.handle(.progress(1, .transport, dialled))
      harness.ask()
    } else {
      let isOpen = ![.endpoint, .name, .transport].contains(stage)
      if isOpen { harness.handle(.opened(1, from: nil)) }
      harness.handle(.progress(1, stage, dialled))
    }
    #expect(harness.link.deadline == Harness.base + .seconds(3))
    var effects = harness.pass(.seconds(3))
    #expect(effects.closings == [.atOnce])
    if effects.losses.isEmpty { effects = harness.closed() }
    #expect(effects.losses.map(\.loss) == [.timeout(dialled, stage, after: .seconds(3))])
    #expect(effects.losses.first?.retryAfter != nil)
  }

  @Test("the back-off doubles up to its bound, follows from the seed, and starts anew after a connection that lasted")
  func backsOff() {
    func delays(seed: UInt64) -> [Duration] {
      var harness = Harness(seed: seed)
      harness.handle(.start)
      return (0..<20).compactMap { _ in
        let effects = harness.handle(.failed(harness.number, .unreachable(Harness.servers[0], "refused")))
        guard let delay = effects.losses.first?.retryAfter else { return nil }
        #expect(harness.pass(delay).opened.count == 1)
        return delay
      }
    }
    let first = delays(seed: 1)
    #expect(first.count == 20 && first == delays(seed: 1) && first != delays(seed: 2))
    for (round, delay) in first.enumerated() { #expect(delay <= min(.seconds(1 << min(round, 7)), .seconds(120))) }
    #expect(first.max() ?? .zero > .seconds(30))

    var harness = Harness()
    harness.handle(.start)
    for _ in 0..<10 {
      harness.handle(.failed(harness.number, .unreachable(Harness.servers[0], "refused")))
      harness.pass(.seconds(120))
    }
    harness.agree()
    harness.pass(.seconds(60))
    #expect(harness.closed().losses.allSatisfy { $0.retryAfter ?? .seconds(100) <= .seconds(1) })
  }

  @Test("a refusal of the credentials waits at least half of the longest back-off, also when the network comes back")
  func refused() throws {
    var harness = Harness()
    harness.handle(.start)
    harness.ask()
    harness.connack(.notAuthorized)
    let delay = try #require(harness.closed().losses.first?.retryAfter)
    #expect(delay >= .seconds(60))
    harness.handle(.networkChanged(addresses: [], jitter: .zero), .clockChanged(jitter: .zero))
    #expect(harness.link.deadline == harness.now + delay)
    #expect(harness.handle(.retryNow).opened.count == 1)
  }

  // MARK: Which server, which version

  @Test("servers are tried in turn")
  func servers() {
    var harness = Harness(Harness.settings(servers: 2))
    var opened = harness.handle(.start).opened
    for _ in 0..<3 {
      harness.handle(.failed(harness.number, .nameNotFound(host: "x", "no")))
      opened += harness.handle(.retryNow).opened
    }
    #expect(opened.map(\.host) == ["a", "b", "a", "b"])
  }

  @Test("a server that names another is followed, until that one fails", arguments: [false, true])
  func reference(follows: Bool) {
    var harness = Harness(Harness.settings { $0.followsServerReferences = follows })
    harness.handle(.start)
    harness.ask()
    var properties = Properties()
    properties.serverReference = "other:1884"
    harness.connack(.useAnotherServer, properties)
    #expect(harness.lose().opened.map(\.host) == [follows ? "other" : "a"])
    harness.handle(.failed(harness.number, .nameNotFound(host: "other", "no")))
    #expect(harness.handle(.retryNow).opened.map(\.host) == ["a"])
  }

  @Test("3.1.1 is tried at once after a refusal for the version, and after the second close without a byte")
  func fallsBack() {
    var refused = Harness()
    refused.handle(.start)
    refused.ask()
    refused.connack(.unsupportedProtocolVersion)
    let effects = refused.closed()
    #expect(effects.losses.map(\.retryAfter) == [.zero] && effects.versions == [.v311])

    var silent = Harness()
    silent.handle(.start)
    silent.ask()
    #expect(silent.lose(received: false).versions == [.v5])
    silent.ask()
    #expect(silent.lose(received: false).versions == [.v311])
    silent.pass(.seconds(86_400))
    silent.handle(.retryNow)
    silent.handle(.abort)

    var fixed = Harness(Harness.settings(version: .v5))
    fixed.handle(.start)
    fixed.ask()
    fixed.connack(.unsupportedProtocolVersion)
    #expect(fixed.lose().versions == [.v5])
  }

  @Test("a link for one connection ends with it, but for a step that belongs to it")
  func once() {
    var harness = Harness(Harness.settings { $0.reconnects = false })
    harness.handle(.start)
    var versions: [ProtocolVersion] = []
    var losses: [Duration?] = []
    while !harness.link.isStopped, losses.count < 5 {
      harness.ask()
      let effects = harness.closed(received: false)
      versions += effects.versions
      losses += effects.losses.map(\.retryAfter)
    }
    #expect(versions == [.v5, .v311] && losses == [.zero, .zero, nil], "to find the version takes three")
    var connected = Harness.connected(Harness.settings { $0.reconnects = false })
    #expect(connected.closed().losses.map(\.retryAfter) == [nil])
    #expect(connected.link.isStopped && connected.link.deadline == nil)
  }

  // MARK: Whose session

  @Test("a session that is not known is thrown away: at once, by a clean start on 5")
  func unknownSession() {
    var harness = Harness()
    harness.handle(.start)
    harness.ask()
    let effects = harness.connack(sessionPresent: true)
    #expect(effects.sent == [.disconnect(Disconnect(reasonCode: .disconnectWithWill))] && !effects.isConnected)
    let closed = harness.closed()
    #expect(closed.losses.map(\.loss) == [.session(.unknownSession)] && closed.opened.count == 1)
    #expect(harness.ask().connect?.cleanStart == true)
    harness.connack()
    harness.lose()
    #expect(harness.ask().connect?.cleanStart == false)
  }

  @Test("on 3.1.1 by a connection of its own, without a will and without the owner hearing of a session")
  func clearsSession() {
    var harness = Harness(Harness.settings(version: .v311))
    harness.handle(.start)
    harness.ask()
    harness.connack(sessionPresent: true)
    harness.closed()
    let visit = harness.ask().connect
    #expect(visit?.cleanStart == true && visit?.will == nil)
    let effects = harness.connack()
    #expect(!effects.isConnected && effects.sent == [.disconnect(Disconnect())])
    #expect(harness.closed().opened.count == 1)
    let connect = harness.ask().connect
    #expect(connect?.cleanStart == false && connect?.will != nil)
    #expect(harness.connack().isConnected)
  }

  @Test("session present is believed of the server that had it last, and of no other")
  func distrusts() {
    var harness = Harness.connected(Harness.settings(servers: 2))
    harness.lose()
    harness.handle(.failed(harness.number, .unreachable(Harness.servers[0], "down")), .retryNow)
    #expect(harness.agree(sessionPresent: true).isConnected == false, "server b has somebody else's")
    var same = Harness.connected()
    same.lose()
    #expect(same.agree(sessionPresent: true).isConnected)
    same.handle(.distrust)
    same.lose()
    #expect(same.agree(sessionPresent: true).isConnected == false)
  }

  @Test("a name that the server gave is used again (§3.2.2.3.7)")
  func assigned() {
    var properties = Properties()
    properties.assignedClientIdentifier = "given"
    let connect = Harness.connect { $0.clientIdentifier = "" }
    var harness = Harness()
    harness.handle(.start)
    harness.agree(properties, connect)
    harness.lose()
    #expect(harness.ask(connect).connect?.clientIdentifier == "given")
  }

  @Test("a name that the server gives though one was there is not taken, and the session stays this client's")
  func unaskedAssignment() {
    var harness = Harness.connected(
      Harness.settings(), Properties { $0.assignedClientIdentifier = "given" })
    #expect(harness.link.owner?.clientIdentifier == "c")
    harness.lose()
    #expect(harness.ask().connect?.clientIdentifier == "c")
    #expect(harness.connack(sessionPresent: true).isConnected, "it is the session of c")
  }

  @Test("what was taken is no longer there to be done, in whatever order it is looked at")
  func effectsAreTaken() {
    var harness = Harness()
    var effects = harness.handle(.start)
    #expect(!effects.isEmpty && effects.actions.isEmpty)
    while effects.nextOrder() != nil { #expect(effects.nextAction() == nil) }
    #expect(effects.isEmpty)
    effects.removeAll()
    effects.actions = [.send(.pingreq), .settled(1, .delivered)]
    #expect(effects.nextAction() == .send(.pingreq) && !effects.isEmpty)
    #expect(effects.nextAction() == .settled(1, .delivered) && effects.isEmpty)
    #expect(effects.nextAction() == nil)
  }

  @Test("determined: the same events bring the same effects, though the values lie elsewhere")
  func isDetermined() throws {
    func life() throws -> [String] {
      var harness = Harness(Harness.settings { $0.isStored = true })
      var effects = harness.handle(.start).joined(with: harness.agree())
      for number in 1...40 as ClosedRange<UInt64> {
        effects.append(try harness.publish(number, number % 2 == 0 ? .exactlyOnce : .atLeastOnce))
        effects.append(harness.receive(.numbered(number, .exactlyOnce, PacketIdentifier(rawValue: UInt16(number)))))
      }
      for write in effects.writes { effects.append(harness.handle(.stored(write.number, isDone: true))) }
      effects.append(harness.handle(.storeBeginsAnew))
      effects.append(harness.pass(.seconds(30)))
      effects.append(harness.lose())
      effects.append(harness.agree())
      return effects.actions.map { "\($0)" } + effects.orders.map { "\($0)" }
    }
    #expect(try life() == life())
  }
}
