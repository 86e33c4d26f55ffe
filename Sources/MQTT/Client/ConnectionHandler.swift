import NIOCore
import NIOTLS

/// Hands what happens on one transport to the client, on its event loop. It has no state of its own.
final class ConnectionHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let client: Client
  private let attempt: UInt64
  private let awaitsTLS: Bool

  init(client: Client, attempt: UInt64, awaitsTLS: Bool) {
    self.client = client
    self.attempt = attempt
    self.awaitsTLS = awaitsTLS
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    client.assumeIsolated { $0.transportOpened(channel, attempt, ready: !awaitsTLS) }
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent {
      let channel = context.channel
      client.assumeIsolated { $0.transportOpened(channel, attempt, ready: true) }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    client.assumeIsolated { $0.received(bytes, attempt) }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    client.assumeIsolated { $0.endTurn() }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    client.assumeIsolated { $0.endTurn() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    client.assumeIsolated { $0.transportFailed(error, attempt) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    client.assumeIsolated { $0.transportClosed(attempt) }
    context.fireChannelInactive()
  }
}
