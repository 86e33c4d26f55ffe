import Glibc
import Logging
import MQTT
import MQTTCore
import NIOCore

/// One client that publishes or receives so many messages. It stays on the client's event loop, and is no actor: to step
/// onto one from a callback allocates, which would be counted with what a message allocates.
final class Flow: ClientDelegate, @unchecked Sendable {
  enum Task { case publish, receive }

  let eventLoop: any EventLoop
  private let task: Task
  private let qos: QoS
  private let count: Int
  private let message: Message
  private let done: EventLoopPromise<Cost>
  private var client: Client?
  private var cost: Cost?
  private var sent = 0
  private var settled = 0
  private var received = 0

  init(
    _ task: Task, qos: UInt8, count: Int, size: Int, done: EventLoopPromise<Cost>, eventLoop: any EventLoop
  ) throws {
    self.task = task
    self.qos = QoS(rawValue: qos) ?? .atMostOnce
    self.count = count
    self.done = done
    self.eventLoop = eventLoop
    message = Message(
      topic: TopicName("bench/limpet"), payload: ByteBuffer(repeating: UInt8(ascii: "x"), count: size), qos: self.qos)
  }

  func begin(_ port: Int) {
    eventLoop.execute { self.start(port) }
  }

  private func start(_ port: Int) {
    var configuration = Client.Configuration(servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)])
    configuration.version = .v311
    configuration.reconnects = false
    let client = Client(configuration, delegate: self, eventLoop: eventLoop, logger: Logger(label: "benchmark"))
    self.client = client
    client.assumeIsolated { $0.start() }
  }

  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect {
    Connect(clientIdentifier: "limpet-benchmark-\(getpid())", cleanStart: true, keepAlive: 60)
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connected:
      if task == .receive {
        try? client.subscribe([Subscription("bench/#", qos: qos)], token: 1)
      }
    case .answered:
      print("ready")
      fflush(nil)
    case .ready:
      let (count, message) = take(client.room(for: qos))
      for _ in 0..<count { try? client.publish(message, token: 1) }
    case .settled: countSettled()
    case .message: countReceived()
    case .connecting, .remarked, .storing, .stored: break
    case .lost(let loss, _): done.fail(loss)
    }
  }

  private func take(_ room: Int) -> (Int, Message) {
    guard task == .publish else { return (0, message) }
    if cost == nil { cost = Cost() }
    // QoS 0 needs no place in the window, only a transport that takes more: 64 KiB or so at a time.
    let number = min(qos == .atMostOnce && room > 0 ? 500 : room, count - sent)
    sent += number
    return (number, message)
  }

  private func countSettled() {
    settled += 1
    if settled == count / 10 { cost?.warmedUp() }
    if settled == count { finish() }
  }

  private func countReceived() {
    if received == 0 { cost = Cost() }
    received += 1
    if received == count { finish() }
  }

  private func finish() {
    cost?.end(messages: count - count / 10)
    if let cost { done.succeed(cost) }
  }
}
