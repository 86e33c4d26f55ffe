import MQTTCore
import NIOCore
import NIOHTTP1
import NIOTLS
import NIOWebSocket

/// MQTT in WebSocket (MQTT 5.0 §6, RFC 6455): the upgrade, and bytes in and out of binary frames.
enum WebSocket {
  /// The server answered the upgrade with something else.
  struct Refusal: Error, CustomStringConvertible {
    let description: String
  }

  /// How the server ended it (RFC 6455 §7.4).
  struct Closure: Error, CustomStringConvertible {
    /// nil: it gave none.
    let code: UInt16?
    let reason: String

    var description: String {
      let code = code.map { "code \($0)" } ?? "no code"
      return "the WebSocket was closed with \(code)" + (reason.isEmpty ? "" : ": \(reason)")
    }
  }

  /// The largest frame taken, at the least; packets may be cut into frames anywhere ([MQTT-6.0.0-2]), so it bounds no
  /// packet, and a frame may be as large as a packet.
  private static let largestFrame = 1 << 24

  /// Adds the handlers of the upgrade; those of MQTT follow once the server has agreed.
  static func upgrade(
    _ channel: any Channel, to server: ServerAddress, headers: [(name: String, value: String)], _ carrier: Carrier,
    _ attempt: Link.AttemptNumber
  ) throws {
    var request = HTTPRequestHead(version: .http1_1, method: .GET, uri: server.path.isEmpty ? "/" : server.path)
    // Where it is reached may not be what it is called: behind a proxy that goes by names, say.
    if !headers.contains(where: { $0.name.lowercased() == "host" }) {
      request.headers.add(name: "Host", value: server.authority)
    }
    request.headers.add(name: "Sec-WebSocket-Protocol", value: "mqtt")  // [MQTT-6.0.0-3]
    for header in headers { request.headers.add(name: header.name, value: header.value) }
    let maximum = min(max(largestFrame, carrier.settings.maximumPacketSize), Int(Int32.max))
    let upgrader = NIOTypedWebSocketClientUpgrader<Void>(maxFrameSize: maximum) { channel, response in
      channel.eventLoop.makeCompletedFuture {
        guard response.headers["Sec-WebSocket-Protocol"].map({ $0.lowercased() }) == ["mqtt"] else {
          throw Refusal(description: "the server did not agree to the sub-protocol mqtt")  // [MQTT-6.0.0-4]
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(WebSocketBytes { carrier.transportIsClosing("\($0)", attempt) })
        try pipeline.addHandler(ConnectionHandler(carrier: carrier, attempt: attempt, beginsAt: .added))
      }
    }
    let negotiation = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
      configuration: .init(
        upgradeConfiguration: .init(upgradeRequestHead: request, upgraders: [upgrader]) { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(RefusalHandler(carrier: carrier, attempt: attempt))
          }
        }))
    negotiation.whenFailure { error in carrier.transportFailed(error, attempt) }
  }

  /// Reads what the server said in place of the upgrade.
  private final class RefusalHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart

    private let carrier: Carrier
    private let attempt: Link.AttemptNumber

    init(carrier: Carrier, attempt: Link.AttemptNumber) {
      self.carrier = carrier
      self.attempt = attempt
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .head(let head) = unwrapInboundIn(data) else { return }
      let refusal = Refusal(description: "the server answered \(head.status.code) \(head.status.reasonPhrase)")
      carrier.transportFailed(refusal, attempt)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      carrier.transportFailed(error, attempt)
    }
  }
}
