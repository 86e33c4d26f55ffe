import MQTTCore
import NIOCore
import NIOSSL

/// One transport that is open, with the bytes that wait on either side of it. Stays on the client's event loop.
final class Connection {
  /// How long a server has to close its side after a DISCONNECT.
  static let lingerLimit = Duration.seconds(1)

  let attempt: Client.Attempt
  let channel: any Channel
  /// Where bytes go, once every layer below MQTT is up.
  var writer: NIOLoopBound<ConnectionHandler>?
  var stage: ConnectionStage
  /// Why it is being closed, once that is decided.
  var ending: ConnectionLoss?
  private(set) var hasReceived = false
  private var decoder: PacketDecoder
  private(set) var inbound = ByteBuffer()
  private var outbound = ByteBuffer()
  /// The last packet that was written but for PINGREQ: its type, and the topic of a PUBLISH.
  private var last: (type: PacketType, topic: TopicName?)?

  init(attempt: Client.Attempt, channel: any Channel, maximumPacketSize: Int) {
    self.attempt = attempt
    self.channel = channel
    stage = attempt.proxy == nil ? attempt.endpoint.address.transport.firstStage : .proxy
    decoder = PacketDecoder(version: attempt.version, maximumPacketSize: maximumPacketSize)
  }

  func append(_ bytes: ByteBuffer) {
    hasReceived = true
    guard inbound.readableBytes > 0 else {
      inbound = bytes
      return
    }
    // Or everything that was read since the last packet that ended with a read would stay, and be copied each time.
    inbound.discardReadBytes()
    inbound.writeImmutableBuffer(bytes)
  }

  func nextPacket() throws(PacketError) -> Packet? { try decoder.next(from: &inbound) }

  func write(_ packet: Packet) {
    if outbound.capacity == 0 { outbound = channel.allocator.buffer(capacity: 1024) }
    packet.encode(into: &outbound, attempt.version)
    switch packet {
    case .publish(let publish): last = (.publish, publish.message.topic)
    case .pingreq: break
    default: last = (packet.type, nil)
    }
  }

  /// The last packet in words, for messages.
  var lastSent: String? {
    last.map { last in
      // A topic that went as a number is not known here.
      guard let topic = last.topic?.description, !topic.isEmpty else { return "\(last.type)" }
      return "\(last.type) to \(topic)"
    }
  }

  /// Everything that was written since the last time, in one piece.
  func flush() {
    guard outbound.readableBytes > 0 else { return }
    let bytes = outbound
    // Before the write: that can change whether the channel is writable, and whoever hears so comes here again.
    outbound = ByteBuffer()
    writer?.value.write(bytes)
  }

  /// What an error of the transport means at this stage.
  func loss(from error: any Error) -> ConnectionLoss {
    let detail = ConnectionLoss.detail(error)
    let server = attempt.endpoint.address
    return switch error {
    case _ where stage == .proxy: lossByProxy(detail)
    case is NIOSSLError, is BoringSSLError: .tls(server, detail)
    case _ where stage == .tls: .tls(server, detail)
    case _ where stage == .upgrade: .upgrade(server, detail)
    default: .closed(stage, received: hasReceived, detail: detail)
    }
  }

  /// What the end of the transport means at this stage, when nothing else was heard.
  var lossByClosing: ConnectionLoss {
    stage == .proxy
      ? lossByProxy("\(ProxyTunnel.Refusal.closed)") : .closed(stage, received: hasReceived, detail: nil)
  }

  private func lossByProxy(_ detail: String) -> ConnectionLoss {
    guard let proxy = attempt.proxy else { return .unreachable(attempt.endpoint.address, detail) }
    return .proxy(proxy, attempt.endpoint.address, detail)
  }
}

extension ServerAddress.Transport {
  /// The first layer above the socket that needs the server.
  var firstStage: ConnectionStage {
    switch self {
    case .tcp, .unix: .transport
    case .tls: .tls
    // Over TLS too: errors of TLS say that they are.
    case .webSocket, .secureWebSocket: .upgrade
    }
  }
}
