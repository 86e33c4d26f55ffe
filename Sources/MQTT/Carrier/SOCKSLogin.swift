import MQTTCore
import NIOCore

/// A user name and a password for SOCKS 5 (RFC 1929), which NIO's handler of SOCKS does not know: it offers to do without.
///
/// It stands between that handler and the proxy: it offers both ways, logs in where the proxy wants that, and lets the
/// handler read that nothing more is asked. After that it is not there any more.
final class SOCKSLogin: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State { case greeting, choosing, loggingIn, done }

  /// RFC 1928 §3.
  private static let version: UInt8 = 5
  private static let noAuthentication: UInt8 = 0
  private static let userNameAndPassword: UInt8 = 2
  /// RFC 1929 §2.
  private static let loginVersion: UInt8 = 1
  private static let success: UInt8 = 0

  private let credentials: Proxy.Credentials
  private var state = State.greeting
  private var received = ByteBuffer()

  init(_ credentials: Proxy.Credentials) { self.credentials = credentials }

  /// The lengths of both go into a byte, and neither is empty (RFC 1929 §2).
  static func fits(_ credentials: Proxy.Credentials) -> Bool {
    [credentials.userName, credentials.password].allSatisfy { (1...255).contains($0.utf8.count) }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard state == .greeting else { return context.write(data, promise: promise) }
    state = .choosing
    let greeting: [UInt8] = [Self.version, 2, Self.noAuthentication, Self.userNameAndPassword]
    context.write(wrapOutboundOut(ByteBuffer(bytes: greeting)), promise: promise)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received.writeImmutableBuffer(unwrapInboundIn(data))
    switch state {
    case .greeting, .done: pass(context)
    case .choosing: takeChoice(context)
    case .loggingIn: takeAnswer(context)
    }
  }

  private func takeChoice(_ context: ChannelHandlerContext) {
    guard let answer = received.getBytes(at: received.readerIndex, length: 2) else { return }
    // What else there is the handler behind this one judges.
    guard answer == [Self.version, Self.userNameAndPassword] else { return pass(context) }
    received.moveReaderIndex(forwardBy: 2)
    state = .loggingIn
    var login = ByteBuffer(bytes: [Self.loginVersion])
    for text in [credentials.userName, credentials.password] {
      login.writeInteger(UInt8(clamping: text.utf8.count))
      login.writeString(text)
    }
    context.writeAndFlush(wrapOutboundOut(login), promise: nil)
    if received.readableBytes > 0 { takeAnswer(context) }
  }

  private func takeAnswer(_ context: ChannelHandlerContext) {
    guard let answer = received.readBytes(length: 2) else { return }
    guard answer[0] == Self.loginVersion else {
      return refuse(context, "it does not speak SOCKS 5")
    }
    guard answer[1] == Self.success else {
      return refuse(context, "it does not accept the user name and password (\(answer[1]))")
    }
    let rest = received
    received = ByteBuffer(bytes: [Self.version, Self.noAuthentication])
    received.writeImmutableBuffer(rest)
    pass(context)
  }

  private func refuse(_ context: ChannelHandlerContext, _ text: String) {
    received.clear()
    state = .done
    context.fireErrorCaught(ProxyTunnel.Refusal(description: text))
  }

  /// The handler behind this one goes on from here.
  private func pass(_ context: ChannelHandlerContext) {
    state = .done
    let bytes = received
    received = ByteBuffer()
    context.fireChannelRead(wrapInboundOut(bytes))
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }
}
