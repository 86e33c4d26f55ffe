import MQTTCore
import NIOCore

/// Carries a `Link`'s transports out, whoever owns the link: opens and closes them, makes packets of what is read, and
/// one write of what a turn brings.
///
/// It has no rules: it reports what happens to its owner, whose link decides. It stays on its event loop, where the
/// owner calls it and it calls the owner, which it retains from `open` until there is no transport any more. States:
/// nothing –open→ `opening` –transportOpened→ `connection` –transportClosed→ nothing; `close` ends both.
package final class Carrier: @unchecked Sendable {
  package let eventLoop: any EventLoop
  /// For whatever comes next.
  package var settings: Settings
  /// The transport of the attempt under way: until there is one, and then.
  var opening: Opening?
  var connection: Connection?
  let preparation: Preparation
  /// Bytes of MQTT, over all transports.
  var traffic = (sent: UInt64(0), received: UInt64(0))

  package init(_ settings: Settings, eventLoop: any EventLoop) {
    self.settings = settings
    self.eventLoop = eventLoop
    preparation = Preparation(eventLoop: eventLoop)
  }

  /// The transport of an attempt, until there is one.
  struct Opening {
    var attempt: Attempt
    let owner: any CarrierOwner
    var task: Task<Void, Never>?
    /// Sockets that have been made so far: a name may have several addresses.
    var channels: [any Channel] = []
  }

  // MARK: What the link orders

  /// `Link.Order.open`.
  package func open(
    _ number: Link.AttemptNumber, _ server: ServerAddress, _ version: ProtocolVersion, for owner: any CarrierOwner
  ) {
    eventLoop.preconditionInEventLoop()
    let endpoint = MQTTSessionDriver.Endpoint(address: server, webSocketHeaders: settings.webSocketHeaders)
    let attempt = Attempt(number: number, version: version, endpoint: endpoint)
    opening = Opening(attempt: attempt, owner: owner)
    let stage = settings.prepareEndpoint == nil ? ConnectionStage.name : .endpoint
    report(.progress(number, stage, server), number)
    // The owner may have ended the attempt in that call.
    guard isOpening(number) else { return }
    opening?.task = preparation.assumeIsolated { $0.begin(attempt, for: self) }
  }

  /// `Link.Order.close`: the attempt has a transport no more, or never gets one.
  package func close(_ number: Link.AttemptNumber, _ closing: Link.Closing) {
    eventLoop.preconditionInEventLoop()
    if let opening, opening.attempt.number == number {
      self.opening = nil
      opening.task?.cancel()
      for channel in opening.channels { Transport.abort(channel) }
    }
    guard let connection, connection.number == number else { return }
    let channel = connection.channel
    guard closing == .afterSending else { return Transport.abort(channel) }
    connection.flush()
    channel.close(mode: .output).whenComplete { result in
      if case .failure = result { return Transport.abort(channel) }
      self.awaitDelivery(number)
    }
  }

  /// The kernel has all of what was sent, which on a slow link means little: closing the socket would throw it away. Once the
  /// other side's kernel has it the output is closed; how long that may take is the link's to say.
  private func awaitDelivery(_ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    Arrivals.of(connection.channel).assumeIsolated().whenComplete { result in
      if case .success(let now) = result, now.unacknowledged > 0 {
        self.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { self.awaitDelivery(number) }
      } else {
        self.report(.outputClosed(number), number)
      }
    }
  }

  /// The server has agreed.
  package func connected(_ limits: ServerLimits) {
    if limits.keepAlive > 0 { connection?.keepAlive = .seconds(Int64(limits.keepAlive)) }
  }

  /// `Link.Order.probe`.
  package func probe(_ number: Link.AttemptNumber, _ server: ServerAddress) {
    eventLoop.preconditionInEventLoop()
    Task {
      let isReachable = await preparation.isReachable(server, settings)
      self.eventLoop.execute { self.report(.probed(number, isReachable: isReachable), number) }
    }
  }

  /// Bytes stay with the kernel, and then with the server, for as long as this transport is there.
  package func pauseReading(_ isPaused: Bool) {
    eventLoop.assertInEventLoop()
    connection?.isPausedByOwner = isPaused
  }

  // MARK: Reports of the preparation

  /// The attempt has no transport yet, and is not over.
  func isOpening(_ number: Link.AttemptNumber) -> Bool { opening?.attempt.number == number }

  /// The attempt goes where `Settings.prepareEndpoint` has said.
  func endpointPrepared(_ attempt: Attempt) { report(.progress(attempt.number, .name, attempt.server), attempt.number) }

  /// There is all that a transport needs.
  func prepared(_ attempt: Attempt, _ tls: TLSLayer?) {
    let number = attempt.number
    guard isOpening(number) else { return }
    opening?.attempt = attempt
    report(.progress(number, attempt.proxy == nil ? .transport : .proxy, attempt.server), number)
    guard isOpening(number) else { return }
    let transport = Transport(attempt: attempt, tls: tls, settings: settings)
    transport.open(for: self).whenFailure { self.openingFailed($0, attempt) }
  }

  func openingFailed(_ error: any Error, _ attempt: Attempt) {
    report(.failed(attempt.number, .opening(attempt, error)), attempt.number)
  }

  func report(_ event: Link.Event, _ number: Link.AttemptNumber, endsTurn: Bool = false) {
    if let opening, opening.attempt.number == number {
      opening.owner.carrier(self, did: event, endsTurn: endsTurn)
    } else if let connection, connection.number == number {
      connection.owner.carrier(self, did: event, endsTurn: endsTurn)
    }
  }

  // MARK: Reports of the transport

  /// A socket was made; there may be several before one is connected.
  func transportCreated(_ channel: any Channel, _ number: Link.AttemptNumber) {
    if isOpening(number) { opening?.channels.append(channel) }
  }

  func transportOpened(_ channel: any Channel, _ number: Link.AttemptNumber) {
    guard let opening, opening.attempt.number == number else { return Transport.abort(channel) }
    self.opening = nil
    let attempt = opening.attempt
    connection = Connection(
      attempt, owner: opening.owner, channel: channel, maximumPacketSize: settings.maximumPacketSize,
      serverName: settings.tls.serverName ?? attempt.server.host)
    report(.opened(number, from: channel.localAddress?.ipAddress), number)
    let stage = attempt.proxy == nil ? attempt.server.transport.firstStage : .proxy
    report(.progress(number, stage, attempt.server), number)
  }

  /// The proxy has opened the way to the server.
  func tunnelOpened(_ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    let server = connection.attempt.server
    report(.progress(number, server.transport.firstStage, server), number)
  }

  /// Every layer below MQTT is up.
  func transportReady(_ writer: ConnectionHandler, _ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    connection.writer = writer
    report(.ready(number), number)
  }

  func received(_ bytes: ByteBuffer, _ number: Link.AttemptNumber, endsTurn: Bool) {
    guard let connection, connection.number == number else { return }
    traffic.received += UInt64(bytes.readableBytes)
    if !connection.hasReceived, let language = ForeignLanguage(bytes) {
      return report(.failed(number, .foreign(connection.attempt.server, language)), number)
    }
    connection.append(bytes)
    connection.answered()
    connection.owner.carrier(self, hasRead: number, endsTurn: endsTurn)
    // Part of a packet says that the server lives, as a whole one does.
    if connection.inbound.readableBytes > 0 {
      report(.heard(number), number, endsTurn: endsTurn)
    } else {
      connection.forgetInbound()
    }
  }

  func turnEnds(_ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    connection.owner.carrierEndsTurn(self)
  }

  func writabilityChanged(_ isWritable: Bool, _ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    connection.writabilityChanged(isWritable)
    connection.owner.carrier(self, did: .writable(number, isWritable), endsTurn: true)
  }

  /// A layer has found what is wrong; the failure that follows says it less well.
  func transportIsRefused(_ error: any Error, _ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    connection.refuse(error, at: connection.owner.stage(for: self))
  }

  /// The server ends a layer, and says why; the end of the transport follows.
  func transportIsClosing(_ detail: String, _ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    let stage = connection.owner.stage(for: self)
    connection.refusal = connection.refusal ?? .closed(stage, received: connection.hasReceived, detail: detail)
  }

  func transportFailed(_ error: any Error, _ number: Link.AttemptNumber) {
    guard let connection, connection.number == number else { return }
    report(.failed(number, connection.loss(from: error, at: connection.owner.stage(for: self))), number)
  }

  func transportClosed(_ channel: any Channel, _ number: Link.AttemptNumber) {
    guard let connection, connection.channel === channel else { return }
    self.connection = nil
    connection.endWatch()
    let owner = connection.owner
    if let loss = connection.lossByClosing(at: owner.stage(for: self)) {
      owner.carrier(self, did: .failed(number, loss), endsTurn: false)
    }
    owner.carrier(self, did: .closed(number, received: connection.hasReceived), endsTurn: false)
  }
}
