import MQTTCore
import NIOCore
import NIOSSL
import NIOTLS

/// One transport that is open, with the bytes that wait on either side of it. Stays on the carrier's event loop.
final class Connection {
  let number: Link.AttemptNumber
  let attempt: Attempt
  let owner: any CarrierOwner
  let channel: any Channel
  private let version: ProtocolVersion
  /// Who the server has to be, for messages.
  private let serverName: String
  /// Where bytes go, once every layer below MQTT is up.
  var writer: ConnectionHandler?
  /// What a layer has found to be wrong, which is going to fail for it.
  var refusal: ConnectionLoss?
  /// Of the link that is carried; zero: none.
  var keepAlive = Duration.zero { didSet { limitSending() } }
  /// Of the last PINGREQ, until there is nothing more to see.
  var watch: ArrivalWatch?
  /// Sent data arrives, as far as the watch sees.
  var isArriving = false { didSet { if isArriving != oldValue { limitSending() } } }
  var nextLook: Scheduled<Void>?
  /// What keeps bytes with the kernel: the owner, or answers that do not leave.
  var isPausedByOwner = false { didSet { pauseReading() } }
  private var isFlooded = false { didSet { pauseReading() } }
  private var isWritable = true
  private var answersWaiting = 0
  private(set) var hasReceived = false
  private var decoder: PacketDecoder
  private(set) var inbound = ByteBuffer()
  private var outbound = ByteBuffer()
  /// Bytes that a turn mostly has no more than.
  private static let outboundCapacity = 1024
  /// Bytes that go with the next `flush`.
  var unwritten: Int { outbound.readableBytes }

  init(_ attempt: Attempt, owner: any CarrierOwner, channel: any Channel, maximumPacketSize: Int, serverName: String) {
    number = attempt.number
    self.attempt = attempt
    self.owner = owner
    self.channel = channel
    version = attempt.version
    self.serverName = serverName
    decoder = PacketDecoder(version: version, maximumPacketSize: maximumPacketSize)
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

  /// Something has come: where nothing was ahead of the PINGREQ any more, that answers it.
  func answered() { if watch?.isOver ?? false { endWatch() } }

  func endWatch() {
    watch = nil
    isArriving = false
    nextLook?.cancel()
    nextLook = nil
  }

  /// All of it has been read: its memory is the transport's again, for what comes next.
  func forgetInbound() { inbound = ByteBuffer() }

  func nextPacket() throws(PacketError) -> Packet? { try decoder.next(from: &inbound) }

  func write(_ packet: Packet) {
    if outbound.capacity == 0 { outbound = channel.allocator.buffer(capacity: Self.outboundCapacity) }
    packet.encode(into: &outbound, version)
  }

  /// Everything that was written since the last time, in one piece.
  func flush() {
    guard outbound.readableBytes > 0 else { return }
    var bytes = outbound
    // Before the write: it can change whether the channel is writable, and then this function is called again.
    outbound = ByteBuffer()
    writer?.write(bytes)
    guard outbound.capacity == 0, bytes.capacity <= Self.outboundCapacity else { return }
    // Most of the time the kernel has it all by now, and the memory is there for the next turn.
    bytes.clear()
    outbound = bytes
  }

  // MARK: Floods

  /// As many answers as there are packet identifiers: a server that has read none of them cannot wait for more.
  static let mostAnswersWaiting = 65_535

  /// Nothing is read: what the server sends stays with the kernel, and then with the server.
  var isReadingPaused: Bool { isPausedByOwner || isFlooded }

  /// An answer to what the server has sent. Where it takes none and goes on sending, they would pile up here without end,
  /// so it has to take some first.
  func countAnswer() {
    guard !isWritable else { return }
    answersWaiting += 1
    if answersWaiting > Self.mostAnswersWaiting && !isFlooded { isFlooded = true }
  }

  /// A network that swallows what is sent is noticed by the kernel, too. It counts from the first that it sends again in a
  /// row of losses, whatever has arrived since: as long as more arrives the watch is to find the end.
  private func limitSending() {
    guard keepAlive > .zero else { return }
    Transport.setUserTimeout(isArriving ? keepAlive * 4 : keepAlive * 3 / 2, of: channel)
  }

  func writabilityChanged(_ isWritable: Bool) {
    self.isWritable = isWritable
    answersWaiting = 0
    if isFlooded { isFlooded = false }
  }

  private func pauseReading() {
    channel.setOption(.autoRead, value: !isReadingPaused).whenFailure { _ in }
  }

  // MARK: Ends

  /// What an error of the transport means at this stage.
  func loss(from error: any Error, at stage: ConnectionStage) -> ConnectionLoss {
    if let refusal { return refusal }
    let detail = ConnectionLoss.detail(error)
    let server = attempt.server
    return switch error {
    case NIOSSLError.uncleanShutdown where stage == .proxy: lossByProxy("\(ProxyTunnel.Refusal.closed)")
    case _ where stage == .proxy && TLSFault.isMeant(by: error): lossByProxy(faultOfProxy(error))
    case _ where stage == .proxy: lossByProxy(detail)
    // TCP was closed without close_notify: TLS was there, and the server has closed like any other.
    case NIOSSLError.uncleanShutdown where stage != .tls: .closed(stage, received: hasReceived, detail: nil)
    case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: .tls(server, fault(error))
    case _ where stage == .tls: .tls(server, fault(error))
    case _ where stage == .upgrade: .upgrade(server, detail)
    default: .closed(stage, received: hasReceived, detail: detail)
    }
  }

  /// A layer has found what is wrong with a certificate.
  func refuse(_ error: any Error, at stage: ConnectionStage) {
    guard refusal == nil else { return }
    refusal = stage == .proxy ? lossByProxy(faultOfProxy(error)) : .tls(attempt.server, fault(error))
  }

  /// Of TLS with this server.
  private func fault(_ error: any Error) -> TLSFault {
    TLSFault(error, host: serverName, certificate: certificate(in: Transport.tlsHandler))
  }

  private func faultOfProxy(_ error: any Error) -> String {
    let host = attempt.proxy.map { $0.tls?.serverName ?? $0.host } ?? ""
    return TLSFault(error, host: host, certificate: certificate(in: Transport.proxyTLSHandler)).text(of: "the proxy")
  }

  private func certificate(in handler: String) -> NIOSSLCertificate? {
    let context = try? channel.pipeline.syncOperations.context(name: handler)
    return (context?.handler as? NIOSSLHandler)?.peerCertificate
  }

  /// What the end of the transport means at this stage if nothing else was reported; nil: no more than that.
  func lossByClosing(at stage: ConnectionStage) -> ConnectionLoss? {
    refusal ?? (stage == .proxy ? lossByProxy("\(ProxyTunnel.Refusal.closed)") : nil)
  }

  private func lossByProxy(_ detail: String) -> ConnectionLoss {
    guard let proxy = attempt.proxy else { return .unreachable(attempt.server, detail) }
    return .proxy(proxy, attempt.server, detail)
  }
}

/// Bytes, for who owns the link.
extension Carrier {
  /// The packet goes with `flush`.
  package func write(_ packet: Packet) {
    eventLoop.assertInEventLoop()
    switch packet {
    case .pingreq: watchArrivals()
    case .puback, .pubrec, .pubcomp: connection?.countAnswer()
    default: break
    }
    connection?.write(packet)
  }

  /// Everything that was written since the last time, in one piece.
  package func flush() {
    eventLoop.assertInEventLoop()
    guard let connection else { return }
    traffic.sent += UInt64(connection.unwritten)
    connection.flush()
  }

  /// The next one of what was read; nil: no more of them is there as a whole.
  package func nextPacket() throws(PacketError) -> Packet? {
    eventLoop.assertInEventLoop()
    return try connection?.nextPacket()
  }
}

/// The last in the pipeline: hands bytes to the carrier and takes the carrier's.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// After which event MQTT can begin.
  enum Beginning { case active, tls, added }

  private let carrier: Carrier
  private let attempt: Link.AttemptNumber
  private let beginning: Beginning
  private var context: ChannelHandlerContext?
  /// What was read last: it is handed over together with the end of the reading.
  private var unread: ByteBuffer?

  init(carrier: Carrier, attempt: Link.AttemptNumber, beginsAt beginning: Beginning) {
    self.carrier = carrier
    self.attempt = attempt
    self.beginning = beginning
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if beginning == .added { begin() }
  }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelActive(context: ChannelHandlerContext) {
    if beginning == .active { begin() }
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent, beginning == .tls { begin() }
    context.fireUserInboundEventTriggered(event)
  }

  private func begin() { carrier.transportReady(self, attempt) }

  /// From here and not from the channel: that would ask, for each message, what kind of value it is given.
  func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let earlier = unread
    unread = unwrapInboundIn(data)
    if let earlier { carrier.received(earlier, attempt, endsTurn: false) }
  }

  func channelReadComplete(context: ChannelHandlerContext) { endTurn() }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    carrier.writabilityChanged(context.channel.isWritable, attempt)
  }

  func channelInactive(context: ChannelHandlerContext) {
    if unread != nil { endTurn() }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    endTurn()
    carrier.transportFailed(error, attempt)
  }

  private func endTurn() {
    guard let bytes = unread.take() else { return carrier.turnEnds(attempt) }
    carrier.received(bytes, attempt, endsTurn: true)
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
