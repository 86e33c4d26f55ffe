import Foundation
import LimpetInstants
import MQTTCore
import NIOCore
import Simulation
import TestScene
import Testing

/// What the courses against real brokers cannot see: faults that no broker has by itself, and what oracles ask.
@Suite struct SimulatedBrokerTests {
  private let link = ConnectionID(1)

  private func time(_ milliseconds: Int64) -> WorldTime { WorldTime(nanoseconds: milliseconds * 1_000_000) }

  /// The effects of one event.
  private func effects(
    _ broker: inout SimulatedBroker, _ event: BrokerEvent, at milliseconds: Int64 = 0
  ) -> [BrokerEffect] {
    var effects: [BrokerEffect] = []
    broker.handle(event, at: time(milliseconds), into: &effects)
    return effects
  }

  private func connected(
    _ connect: Connect, _ version: MQTTCore.ProtocolVersion = .v5,
    _ change: (inout SimulatedBroker) throws -> Void = { _ in }
  ) throws -> SimulatedBroker {
    var broker = SimulatedBroker()
    try change(&broker)
    _ = effects(&broker, .opened(link, version))
    _ = effects(&broker, .packet(link, .connect(connect)))
    return broker
  }

  @Test(
    "a denied message is answered as the denial has it, and reaches nobody unless its acknowledgement alone is lost",
    arguments: [
      (Denial.Answer.code(.quotaExceeded), [ReasonCode.quotaExceeded], false, false),
      (.codeThenClose(.notAuthorized), [.notAuthorized], true, false),
      (.close, [], true, false),
      (.silence, [.success], false, false),
      (.lostAcknowledgement, [], false, true),
    ])
  func denials(answer: Denial.Answer, codes: [ReasonCode], closes: Bool, isRetained: Bool) throws {
    var broker = try connected(connect("a")) { $0.denials = [Denial(TopicFilter("no/+"), publish: answer)] }
    let message = try message("no/1", "x", retain: true)
    let effects = effects(&broker, .packet(link, publish(message)))
    var found: [ReasonCode] = []
    for case .send(_, .puback(let answer)) in effects { found.append(answer.reasonCode) }
    #expect(found == codes)
    #expect(effects.contains(.close(link)) == closes)
    #expect((broker.retainedMessage(message.topic, at: time(0)) != nil) == isRetained)
  }

  @Test("a denial and a refusal end by themselves")
  func ends() throws {
    var broker = try connected(connect("a")) {
      $0.denials = [Denial(TopicFilter("#"), publish: .code(.quotaExceeded), until: time(1000))]
      $0.refusals = [Refusal(.code(.serverUnavailable), client: "b", until: time(1000))]
    }
    let refused = Packet.puback(Acknowledgement(identifier(1), reasonCode: .quotaExceeded))
    #expect(effects(&broker, .packet(link, publish(try message("t", "x"))), at: 999) == [.send(link, refused)])
    let taken = Packet.puback(Acknowledgement(identifier(1), reasonCode: .noMatchingSubscribers))
    #expect(effects(&broker, .packet(link, publish(try message("t", "x"))), at: 1000) == [.send(link, taken)])
    for (number, milliseconds, code) in [(2, 999, ReasonCode.serverUnavailable), (3, 1000, .success)] {
      let id = ConnectionID(UInt32(number))
      _ = effects(&broker, .opened(id, .v5), at: Int64(milliseconds))
      let answers = effects(&broker, .packet(id, .connect(connect("b"))), at: Int64(milliseconds))
      guard case .send(_, .connack(let answer))? = answers.first else {
        Issue.record("\(answers)")
        return
      }
      #expect(answer.reasonCode == code)
      #expect(answers.contains(.close(id)) == code.isError)
    }
  }

  @Test(
    "a denied SUBSCRIBE",
    arguments: [
      (Denial.Answer.code(.notAuthorized), [ReasonCode.notAuthorized], false),
      (.codeThenClose(.notAuthorized), [.notAuthorized], true), (.close, [], true), (.silence, [.grantedQoS2], false),
    ])
  func subscriptions(answer: Denial.Answer, codes: [ReasonCode], closes: Bool) throws {
    var broker = try connected(connect("a")) { $0.denials = [Denial(TopicFilter("s/#"), subscribe: answer)] }
    let effects = effects(&broker, .packet(link, try subscribe("s/1")))
    var found: [ReasonCode] = []
    for case .send(_, .suback(let answer)) in effects { found += answer.reasonCodes }
    #expect(found == codes)
    #expect(effects.contains(.close(link)) == closes)
    #expect(self.effects(&broker, .publish(try message("s/1", "x"), by: "b")).isEmpty)
  }

  @Test("without retain or with a lower QoS a will is refused, and a client of 3.1.1 hears nothing of it")
  func wills() throws {
    for version in [MQTTCore.ProtocolVersion.v5, .v311] {
      var broker = SimulatedBroker()
      broker.traits.retainAvailable = false
      _ = effects(&broker, .opened(link, version))
      let will = try message("w", "gone", retain: true)
      let answers = effects(&broker, .packet(link, .connect(connect("a", will: will))))
      let refused = Packet.connack(ConnAck(sessionPresent: false, reasonCode: .retainNotSupported))
      #expect(answers == (version == .v5 ? [.send(link, refused), .close(link)] : [.close(link)]))
      #expect(!broker.hasSession("a"))
    }
  }

  @Test("each trait that is no server of MQTT 5 is met by it, and 3.1.1 is served")
  func versions() {
    for (traits, code) in [(BrokerTraits.rabbitMQ, ReasonCode?.none), (.nats, .unsupportedProtocolVersion)] {
      var broker = SimulatedBroker(traits)
      _ = effects(&broker, .opened(link, .v5))
      let answers = effects(&broker, .packet(link, .connect(connect("a"))))
      let refusal = code.map { BrokerEffect.send(link, .connack(ConnAck(sessionPresent: false, reasonCode: $0))) }
      #expect(answers == [refusal, .close(link)].compactMap { $0 })
      _ = effects(&broker, .opened(ConnectionID(2), .v311))
      _ = effects(&broker, .packet(ConnectionID(2), .connect(connect("a"))))
      #expect(broker.connection(of: "a") == ConnectionID(2))
    }
  }

  @Test("a CONNECT that is accepted and closed on leaves the will behind")
  func closesAfterConnack() throws {
    var broker = try connected(connect("a", will: message("w", "gone", retain: true))) {
      $0.refusals = [Refusal(.closeAfterSuccess)]
    }
    let topic = TopicName("w")
    #expect(broker.connection(of: "a") == nil)
    #expect(broker.retainedMessage(topic, at: time(0)) != nil)
    #expect(effects(&broker, .packet(link, .pingreq)).isEmpty)
  }

  @Test("a stalled broker says nothing, and then everything; nobody is silent who spoke meanwhile")
  func stall() throws {
    var broker = try connected(connect("a", keepAlive: 10))
    broker.stall()
    #expect(broker.deadline == nil)
    for second in 1...60 { #expect(effects(&broker, .packet(link, .pingreq), at: Int64(second) * 1000).isEmpty) }
    var burst: [BrokerEffect] = []
    broker.resume(at: time(61_000), into: &burst)
    #expect(burst == Array(repeating: .send(link, .pingresp), count: 60))
    #expect(broker.connection(of: "a") == link)
    #expect(broker.deadline == time(76_000))
  }

  @Test("a silent client is lost at the broker's next look after one and a half keepalives, and its will published")
  func silence() throws {
    var broker = try connected(connect("a", keepAlive: 10, will: message("w", "gone", retain: true))) {
      $0.traits.keepAliveRound = .seconds(4)
      $0.traits.saysKeepAliveTimeout = true
    }
    #expect(broker.deadline == time(16_000))
    #expect(effects(&broker, .tick, at: 15_999).isEmpty)
    #expect(broker.armedWill(of: "a") != nil)
    let end = effects(&broker, .tick, at: 16_000)
    #expect(end == [.send(link, .disconnect(Disconnect(reasonCode: .keepAliveTimeout))), .close(link)])
    let topic = TopicName("w")
    #expect(broker.retainedMessage(topic, at: time(16_000)) != nil)
    #expect(broker.armedWill(of: "a") == nil && broker.deadline == nil)
  }

  @Test("a broker that rolls back has the retained value and the sessions that it had saved")
  func rollback() throws {
    let topic = TopicName("status")
    var broker = try connected(connect("a", expiry: 100))
    _ = effects(&broker, .packet(link, publish(try message("status", "online", retain: true))))
    let saved = broker.saved
    _ = effects(&broker, .packet(link, publish(try message("status", "offline", retain: true))))
    _ = effects(&broker, .packet(link, .disconnect(Disconnect())))
    var ends: [BrokerEffect] = []
    broker.stop(isOrderly: false, at: time(10), into: &ends)
    #expect(ends.isEmpty)
    #expect(effects(&broker, .opened(ConnectionID(2), .v5), at: 20) == [.close(ConnectionID(2))])
    broker.start(from: saved, at: time(30))
    let message = try #require(broker.retainedMessage(topic, at: time(30)))
    #expect(String(buffer: message.payload) == "online")
    #expect(broker.hasSession("a") && broker.connection(of: "a") == nil)
    var last: BrokerRecord.What?
    broker.takeRecords { last = $0.what }
    #expect(last == .retained(topic, message))
    #expect(broker.records.isEmpty)
  }

  @Test("a retained message expires by the broker's own wall clock")
  func expiry() throws {
    let topic = TopicName("status")
    var broker = try connected(connect("a"))
    _ = effects(&broker, .packet(link, publish(try message("status", "online", retain: true, expiry: 900))))
    #expect(broker.retainedLifetime(topic, at: time(100_000)) == .seconds(800))
    #expect(broker.retainedMessage(topic, at: time(899_999)) != nil)
    #expect(broker.retainedMessage(topic, at: time(900_000)) == nil)
    broker.stepClock(by: .seconds(3600))
    #expect(broker.retainedMessage(topic, at: time(100_000)) == nil)
    // Nothing else of the broker's goes by that clock.
    #expect(broker.connection(of: "a") == link && broker.deadline == time(90_000))
  }

  @Test("what a broker keeps for a client that is away has a bound")
  func bound() throws {
    var broker = try connected(connect("a", expiry: 100)) { $0.traits.maximumQueued = 3 }
    _ = effects(&broker, .packet(link, try subscribe("t")))
    _ = effects(&broker, .closed(link, .cut))
    for number in 0..<5 { _ = effects(&broker, .publish(try message("t", "\(number)"), by: "b")) }
    var dropped: [String] = []
    broker.takeRecords {
      if case .dropped(_, let message) = $0.what { dropped.append(String(buffer: message.payload)) }
    }
    #expect(dropped == ["3", "4"])
  }

  @Test("its deadline is later than now once it has had its tick, whatever it waits for")
  func deadline() throws {
    var broker = try connected(connect("a", expiry: 60, keepAlive: 10, will: message("w", "gone", delay: 30)))
    _ = effects(&broker, .opened(ConnectionID(2), .v311))
    _ = effects(&broker, .packet(ConnectionID(2), .connect(connect("b", keepAlive: 7))))
    var deadlines: [Int64] = []
    while let deadline = broker.deadline, deadlines.count < 20 {
      deadlines.append(deadline.nanoseconds / 1_000_000)
      _ = effects(&broker, .tick, at: deadline.nanoseconds / 1_000_000)
      #expect(broker.deadline.map { $0 > deadline } ?? true)
    }
    #expect(deadlines == [10_500, 15_000, 45_000, 75_000])
    #expect(!broker.hasSession("a") && !broker.hasSession("b"))
  }

  /// Of this thread alone.
  private var processorTime: Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  @Test("a message costs the model less than 200 µs of the processor, unoptimised too")
  func speed() throws {
    var broker = try connected(connect("a"))
    _ = effects(&broker, .opened(ConnectionID(2), .v5))
    _ = effects(&broker, .packet(ConnectionID(2), .connect(connect("b"))))
    _ = effects(&broker, .packet(ConnectionID(2), try subscribe("limpet/+/status", .atMostOnce)))
    let reading = publish(try message("limpet/board/temperature", "21.5"))
    var all: [BrokerEffect] = []
    var count = 0
    let start = processorTime
    for number in 0..<20_000 {
      all.removeAll(keepingCapacity: true)
      broker.handle(.packet(link, reading), at: time(Int64(number)), into: &all)
      count += all.count
      broker.takeRecords { _ in }
    }
    #expect(count == 20_000)
    let each = (processorTime - start) / 20_000
    print("a message through the modelled broker: \(each)")
    #expect(each < .microseconds(200) * Patience.factor)
  }
}
