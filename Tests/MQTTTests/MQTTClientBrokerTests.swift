import Foundation
import Logging
import MQTTService
import NIOCore
import ServiceLifecycle
import TestScene
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

@Suite("MQTTClient on mosquitto", .showsLogs, .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct MQTTClientBrokerTests {
  @Test(
    "publish returns when a message of each QoS is safe; the messages arrive in order [MQTT-4.2.0-1] [behaviour 50]")
  func publishes() async throws {
    try await withBroker { broker in
      try await withClient(broker, "a") { client in
        let stream = try await client.subscribe([Subscription(TopicFilter("t/#"), qos: .exactlyOnce)])
        for qos in QoS.allCases {
          let result = try await client.publish(message("t/\(qos.rawValue)", qos: qos))
          #expect(result.isAcknowledged == (qos != .atMostOnce))
        }
        var topics: [String] = []
        for try await message in stream {
          topics.append(message.topic.description)
          if topics.count == 3 { break }
        }
        #expect(topics == ["t/0", "t/1", "t/2"])
      }
    }
  }

  @Test("messages that fill the transport are sent once", arguments: QoS.allCases)
  func sendsOnce(qos: QoS) async throws {
    try await withBroker { broker in
      try await withClient(broker, "a") { client in
        // QoS 0 does not wait for the connection.
        try await client.publish(message("first"))
        let large = String(repeating: "x", count: 1 << 18)
        for _ in 0..<5 { try await client.publish(message("t", large, qos: qos)) }
        // Those before it have arrived when it is acknowledged.
        try await client.publish(message("u"))
        #expect(broker.count("Received PUBLISH from a") == 7)
      }
    }
  }

  @Test(
    """
    while the broker is away QoS 1 waits and is held back, QoS 0 fails, an expired or cancelled one is not sent \
    [behaviour 51] [behaviour 53]
    """)
  func waits() async throws {
    try await withBroker { broker in
      try await withClient(broker, "subscriber") { subscriber in
        let stream = try await subscriber.subscribe([Subscription(TopicFilter("t"))])
        var configuration = configuration(broker, "publisher")
        configuration.queueLimit = 2
        let client = MQTTClient(configuration)
        // It does not run yet, which is as good as away.
        let tasks = try await inOrder(client, count: 4)
        #expect(await client.counts.queued == 2)
        #expect(await client.counts.heldBack == 2)
        await #expect(throws: PublishError.self) { try await client.publish(message("t", qos: .atMostOnce)) }
        await #expect(throws: PublishError.self) {
          var old = try message("t", "old")
          old.properties.messageExpiryInterval = 1
          try await client.publish(old)
        }
        tasks[1].cancel()
        guard case .failure(let error) = await tasks[1].result, case .cancelled? = error as? PublishError else {
          Issue.record("not cancelled")
          return
        }
        try await run(client) {
          for index in [0, 2, 3] { try await #expect(tasks[index].value.isAcknowledged) }
        }
        var payloads: [String] = []
        for try await message in stream {
          payloads.append(String(buffer: message.payload))
          if payloads.count == 3 { break }
        }
        #expect(payloads == ["0", "2", "3"])
      }
    }
  }

  @Test("a subscription is made again once after a restart of the broker, and the events tell why [behaviour 36]")
  func subscribesAgain() async throws {
    try await withBroker { broker in
      try await withClient(broker, "a") { client in
        var events = client.events.makeAsyncIterator()
        let stream = try await client.subscribe([Subscription(TopicFilter("t"))])
        try await broker.stop(SIGKILL)
        try await broker.start()
        var wasLost = false
        while let event = await events.next() {
          if case .lost = event { wasLost = true }
          if wasLost, case .connected(_, let connected) = event {
            #expect(!connected.sessionPresent)
            break
          }
        }
        #expect(try await client.publish(message("t")).isAcknowledged)
        var messages = stream.makeAsyncIterator()
        #expect(try await messages.next()?.topic.description == "t")
        #expect(broker.count("Received SUBSCRIBE from a") == 2)
        try await client.unsubscribe(stream)
        #expect(try await messages.next() == nil)
      }
    }
  }

  @Test(
    "many callers at once, some of them cancelled: everyone is answered and nothing stays behind",
    arguments: QoS.allCases)
  func manyAtOnce(qos: QoS) async throws {
    try await withBroker { broker in
      var configuration = configuration(broker, "a")
      configuration.queueLimit = 10
      try await run(MQTTClient(configuration)) { client in
        _ = try await client.publish(message("t"))
        let ends = await withTaskGroup(of: Bool.self) { group in
          for index in 0..<2000 {
            group.addTask { (try? await client.publish(message("t", "\(index)", qos: qos))) != nil }
            if index == 1000 { group.cancelAll() }
          }
          var ends = 0
          for await _ in group { ends += 1 }
          return ends
        }
        #expect(ends == 2000)
        for _ in 0..<1000 { try await client.publish(message("t", qos: qos)) }
        #expect(await client.counts.queued == 0)
      }
    }
  }

  @Test("a stream that nobody holds gives its subscription back")
  func givesBack() async throws {
    try await withBroker { broker in
      try await withClient(broker, "a") { client in
        _ = try await client.subscribe([Subscription(TopicFilter("t"))])
        try await broker.line("Received UNSUBSCRIBE from a")
        _ = try await client.subscribe([Subscription(TopicFilter("t"))])
      }
    }
  }

  @Test("a slow reader loses the oldest messages, counted; the server is answered all the same [MQTT-4.5.0-2]")
  func dropsOldest() async throws {
    try await withBroker { broker in
      var configuration = configuration(broker, "a")
      configuration.messageBufferLimit = 2
      try await run(MQTTClient(configuration)) { client in
        let stream = try await client.subscribe([Subscription(TopicFilter("t"))])
        for index in 0..<5 { try await client.publish(message("t", "\(index)", qos: .exactlyOnce)) }
        let last = try await client.subscribe([Subscription(TopicFilter("u"))])
        try await client.publish(message("u"))
        for try await _ in last { break }
        #expect(stream.dropped == 3)
        var messages = stream.makeAsyncIterator()
        #expect(try await messages.next().map { String(buffer: $0.payload) } == "3")
      }
    }
  }

  @Test(
    """
    a graceful shutdown says DISCONNECT once what waits is acknowledged, and that client runs no more [behaviour 5] \
    [behaviour 8] [behaviour 41]
    """)
  func shutsDown() async throws {
    try await withBroker { broker in
      let client = MQTTClient(try withWill(configuration(broker, "a")))
      try await withClient(broker, "b") { other in
        let wills = try await other.subscribe([Subscription(TopicFilter("will"))])
        let group = ServiceGroup(
          services: [MQTTService(client)], gracefulShutdownSignals: [], cancellationSignals: [],
          logger: Logger(label: "test"))
        async let end: Void = group.run()
        try await client.publish(message("t"))
        await group.triggerGracefulShutdown()
        try await end
        try await broker.line("Received DISCONNECT from a")
        #expect(broker.count(" as a (") == 1, "one connection")
        try await other.publish(message("will", "after"))
        for try await message in wills {
          #expect(String(buffer: message.payload) == "after")
          break
        }
      }
      await #expect(throws: MQTTClientError.hasRun) { try await client.run() }
      await #expect(throws: PublishError.self) { try await client.publish(message("t")) }
      await #expect(throws: SubscribeError.self) { try await client.subscribe([Subscription(TopicFilter("t"))]) }
    }
  }

  @Test(
    """
    a cancelled task closes at once: the broker publishes the will, and who waits is answered [behaviour 4] \
    [behaviour 13]
    """)
  func isCancelled() async throws {
    try await withBroker { broker in
      try await withClient(broker, "b") { other in
        let wills = try await other.subscribe([Subscription(TopicFilter("will"))])
        let client = MQTTClient(try withWill(configuration(broker, "a")))
        let running = Task { try await client.run() }
        try await client.publish(message("t"))
        let waiting = Task { try await client.subscribe([Subscription(TopicFilter("never"))]) }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        _ = await waiting.result
        let closing = BootClock.now
        for try await message in wills {
          #expect(String(buffer: message.payload) == "gone")
          break
        }
        #expect(closing.duration(to: .now) < .milliseconds(500))
        #expect(broker.count("Received DISCONNECT from a") == 0)
      }
    }
  }

  @Test(
    """
    while no broker is there, disconnect and abort end the client at once, and a second time is none [behaviour 1] \
    [behaviour 2] [behaviour 8] [behaviour 9]
    """, arguments: [true, false])
  func endsWhileAway(isAbort: Bool) async throws {
    let client = MQTTClient(
      .init(servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: 1)], clientIdentifier: "a"))
    var events = client.events.makeAsyncIterator()
    let running = Task { try await client.run() }
    while let event = await events.next() { if case .lost = event { break } }
    let publishing = Task { try await client.publish(message("t")) }
    while await client.counts.queued == 0 { await Task.yield() }
    if isAbort { await client.abort() } else { await client.disconnect(within: .seconds(60)) }
    guard case .failure(let error) = await publishing.result, case .closed? = error as? PublishError else {
      Issue.record("it was not completed")
      return
    }
    try await running.value
    var last: ConnectionEvent?
    while let event = await events.next() { last = event }
    if case .ended? = last {} else { Issue.record("\(String(describing: last))") }
    await client.disconnect()
  }

  @Test(
    """
    an authorisation that is missing refuses a message with the server's code, and a subscription with its own \
    [behaviour 64]
    """)
  func isRefused() async throws {
    try await withBroker(authorisations: "topic readwrite open/#\n") { broker in
      try await withClient(broker, "a") { client in
        do {
          try await client.publish(message("closed"))
          Issue.record("it was published")
        } catch PublishError.refused(let code) {
          #expect(code == .notAuthorized)
        }
        let stream = try await client.subscribe([
          Subscription(TopicFilter("open/a"), qos: .atLeastOnce),
          Subscription(TopicFilter("open/b"), qos: .atMostOnce),
        ])
        #expect(stream.reasonCodes == [.grantedQoS1, .success])
      }
    }
  }

  @Test("acknowledged when read: a slow reader misses nothing, and what was not read comes again [behaviour 56]")
  func acknowledgesWhenRead() async throws {
    try await withBroker { broker in
      try await withClient(broker, "publisher") { publisher in
        var configuration = configuration(broker, "a")
        configuration.acknowledges = .whenRead
        configuration.messageBufferLimit = 3
        let store = MemoryStore()
        try await configuration.keepSession(in: store)
        let client = MQTTClient(configuration)
        let running = Task { try await client.run() }
        let filters = [Subscription("t", qos: .atLeastOnce)]
        var stream: MessageStream? = try await client.subscribe(filters)
        for number in 0..<10 { try await publisher.publish(message("t", "\(number)")) }
        try await broker.line("Sending PUBLISH to a")
        var iterator = stream?.makeAsyncIterator()
        for number in 0..<5 { #expect(try await iterator?.next().map { String(buffer: $0.payload) } == "\(number)") }
        // The fifth has been given out, and nobody has asked for the one after it.
        try await until("four are acknowledged") { broker.count("Received PUBACK from a") == 4 }
        #expect(stream?.dropped == 0)
        await client.abort()
        _ = await running.result
        (iterator, stream) = (nil, nil)

        try await configuration.keepSession(in: store)
        let next = MQTTClient(configuration)
        async let subscribing = next.subscribe(filters)
        while await !next.unclaimedSubscriptions.isEmpty { await Task.yield() }
        let runningNext = Task { try await next.run() }
        var payloads: [String] = []
        for try await message in try await subscribing {
          payloads.append(String(buffer: message.payload))
          if payloads.count == 6 { break }
        }
        #expect(payloads == (4..<10).map { "\($0)" })
        await next.disconnect()
        try await runningNext.value
      }
    }
  }

  @Test("of 200 messages of QoS 2 at once every one arrives", arguments: MQTTCore.ProtocolVersion.allCases)
  func manyExactlyOnce(version: MQTTCore.ProtocolVersion) async throws {
    try await withBroker { broker in
      try await withClient(broker, "listener") { listener in
        let stream = try await listener.subscribe([Subscription("many", qos: .exactlyOnce)])
        var configuration = configuration(broker, "a")
        configuration.connection.version = version
        let client = MQTTClient(configuration)
        try await run(client) {
          try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
              let message = try message("many", "\(number)", qos: .exactlyOnce)
              group.addTask { try await client.publish(message) }
            }
            try await group.waitForAll()
          }
        }
        var numbers: Set<String> = []
        for try await message in stream {
          #expect(numbers.insert(String(buffer: message.payload)).inserted)
          if numbers.count == 200 { break }
        }
      }
    }
  }

  @Test("where subscriptions are not made again, a stream ends with the session and says why [behaviour 40]")
  func doesNotSubscribeAgain() async throws {
    try await withBroker { broker in
      var configuration = configuration(broker, "a")
      configuration.resubscribes = false
      let client = MQTTClient(configuration)
      let run = Task { try await client.run() }
      let stream = try await client.subscribe([Subscription(TopicFilter("t"))])
      try await broker.stop()
      try await broker.start()
      await #expect {
        for try await _ in stream {}
      } throws: {
        if case .sessionLost? = $0 as? SubscribeError { true } else { false }
      }
      #expect(broker.count("Received SUBSCRIBE from a") == 1)
      await client.disconnect()
      try await run.value
    }
  }

  /// Publishes one after the other has taken its place in the queue.
  private func inOrder(_ client: MQTTClient, count: Int) async throws -> [Task<PublishResult, any Error>] {
    var tasks: [Task<PublishResult, any Error>] = []
    for index in 0..<count {
      let message = try message("t", "\(index)")
      tasks.append(Task { try await client.publish(message) })
      while await client.counts.queued + client.counts.heldBack <= index { await Task.yield() }
    }
    return tasks
  }

  private func withWill(_ configuration: MQTTClient.Configuration) throws -> MQTTClient.Configuration {
    var configuration = configuration
    configuration.connect.will = try message("will", "gone")
    return configuration
  }
}
