import NIOCore
import NIOSSL

/// One transport that is open, with the bytes that wait on either side of it. Stays on the client's event loop.
final class Connection {
  /// How long a server has to close its side after a DISCONNECT.
  static let lingerLimit = Duration.seconds(1)

  let attempt: Client.Attempt
  let channel: any Channel
  var stage: ConnectionStage
  /// Why it is being closed, once that is decided.
  var ending: ConnectionLoss?
  private(set) var hasReceived = false
  private var decoder: PacketDecoder
  private var inbound = ByteBuffer()
  private var outbound = ByteBuffer()

  init(attempt: Client.Attempt, channel: any Channel, maximumPacketSize: Int) {
    self.attempt = attempt
    self.channel = channel
    stage =
      switch attempt.server.transport {
      case .tcp, .unix: .transport
      case .tls: .tls
      case .webSocket, .secureWebSocket: .upgrade
      }
    decoder = PacketDecoder(version: attempt.version, maximumPacketSize: maximumPacketSize)
  }

  func append(_ bytes: ByteBuffer) {
    hasReceived = true
    if inbound.readableBytes == 0 { inbound = bytes } else { inbound.writeImmutableBuffer(bytes) }
  }

  func nextPacket() throws(PacketError) -> Packet? { try decoder.next(from: &inbound) }

  func write(_ packet: Packet) {
    if outbound.capacity == 0 { outbound = channel.allocator.buffer(capacity: 1024) }
    packet.encode(into: &outbound, attempt.version)
  }

  /// Everything that was written since the last time, in one piece.
  func flush() {
    guard outbound.readableBytes > 0 else { return }
    channel.writeAndFlush(outbound, promise: nil)
    outbound = ByteBuffer()
  }

  /// What an error of the transport means at this stage.
  func loss(from error: any Error) -> ConnectionLoss {
    let detail = ConnectionLoss.detail(error)
    return switch error {
    case is NIOSSLError, is BoringSSLError: .tls(attempt.server, detail)
    case _ where stage == .tls: .tls(attempt.server, detail)
    case _ where stage == .upgrade: .upgrade(attempt.server, detail)
    default: .closed(stage, received: hasReceived, detail: detail)
    }
  }
}
