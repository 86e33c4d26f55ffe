import Logging
import MQTT
import NIOCore
import Storage

/// The connection of the Homie device: a connection has one will, and this one's is `$state` = lost.
///
/// It begins when the agent's own connection is there for the first time, keeps itself connected from then on, and ends
/// with the agent. It lives on the agent's event loop.
actor HomieLink {
  struct Plan: Sendable {
    let device: HomieDevice
    let client: Client.Configuration
    let connect: Connect
  }

  nonisolated let eventLoop: any EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  private var plan: Plan
  private let store: StateStore?
  /// What the broker may keep of it, as far as that is on the disk.
  private var stored: Announcement?
  private let logger: Logger
  private var lifecycle: HomieLifecycle
  /// Of the readings' names.
  private var nodes: [String: Int]
  private var client: Client?
  private var limits: ServerLimits?
  private var conflict = ConflictWatch(instances: [])
  private var patienceTimer: Scheduled<Void>?
  private var stabilityTimer: Scheduled<Void>?
  private var isLeaving = false
  private var hasEnded = false
  private var waiters: [CheckedContinuation<Void, Never>] = []

  /// - Parameter stored: what earlier configurations left under the same topics.
  init(
    _ plan: Plan, stored: Announcement?, store: StateStore?, eventLoop: any EventLoop, logger: Logger
  ) throws(TopicError) {
    self.plan = plan
    self.store = store
    self.eventLoop = eventLoop
    self.logger = logger
    self.stored = stored
    nodes = plan.device.nodesByName
    lifecycle = try HomieLifecycle(plan.device, removed: plan.device.announcement.missing(of: stored))
  }

  /// What the broker may keep of it.
  var announcement: Announcement { plan.device.announcement.joined(with: stored) }

  // MARK: What the agent says

  /// The agent's own connection is there: this one's server can be reached too.
  func start() {
    guard !isLeaving else { return }
    if let client { return client.assumeIsolated { $0.retryNow() } }
    let client = Client(plan.client, delegate: self, eventLoop: eventLoop, logger: logger)
    self.client = client
    client.assumeIsolated { $0.start() }
  }

  func take(_ content: Reading.Content, of name: String) {
    guard let node = nodes[name] else { return }
    lifecycle.take(content, of: node)
    pump()
  }

  /// Whether it can go on with another plan over the connection that it has.
  func canAdopt(_ next: Plan) -> Bool {
    !isLeaving && next.device.base == plan.device.base && next.connect.clientIdentifier == plan.connect.clientIdentifier
  }

  /// Is another device from now on: `init`, what it is now, `ready`.
  ///
  /// - Parameter values: the last ones there were.
  func adopt(_ next: Plan, values: [(name: String, content: Reading.Content)]) {
    let kept = announcement
    let isSame = next.device.description == plan.device.description && next.device.nodesByName == nodes
    plan = next
    client?.assumeIsolated { $0.reconfigure(next.client, reconnecting: false) }
    guard !isSame,
      let lifecycle = try? HomieLifecycle(
        next.device, removed: next.device.announcement.missing(of: kept), firstToken: lifecycle.endOfTokens)
    else { return }
    stored = kept
    nodes = next.device.nodesByName
    self.lifecycle = lifecycle
    for value in values { take(value.content, of: value.name) }
    if limits != nil { introduce() }
  }

  func networkChanged(_ addresses: Set<String>, jitter: Duration) {
    client?.assumeIsolated { $0.networkChanged(addresses: addresses, jitter: jitter) }
  }

  func clockJumped() { client?.assumeIsolated { $0.clockChanged() } }

  /// Says `disconnected` and ends; past `limit`, or without a connection, at once.
  func leave(within limit: Duration) {
    guard !isLeaving else { return }
    isLeaving = true
    guard lifecycle.leave() else { return abort() }
    _ = after(limit) { if !$0.hasEnded { $0.abort() } }
    pump()
  }

  /// The connection is cut, so that the broker publishes the will.
  func abort() {
    isLeaving = true
    client?.assumeIsolated { $0.abort() }
    end()
  }

  /// Returns when it has ended.
  func waitForEnd() async {
    if !hasEnded { await withCheckedContinuation { waiters.append($0) } }
  }

  // MARK: How it goes

  private func connected(_ connected: Session.Connected, _ server: ServerAddress) {
    logger.notice("Homie: connected to \(server) as \(plan.device.base)")
    limits = connected.limits
    stabilityTimer?.cancel()
    stabilityTimer = after(plan.client.reconnect.stableAfter) { _ = $0.conflict.lasted() }
    introduce()
  }

  private func introduce() {
    lifecycle.connected()
    patienceTimer?.cancel()
    patienceTimer = after(HomieLifecycle.patience) { link in
      link.lifecycle.readingsAreLate()
      link.pump()
    }
    pump()
  }

  private func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?) {
    limits = nil
    patienceTimer?.cancel()
    stabilityTimer?.cancel()
    lifecycle.lost()
    guard !isLeaving else { return end() }
    guard var delay else {
      logger.error("Homie: disconnected: \(loss)")
      return end()
    }
    // Two with one client identifier slow down, as the agent's own connection does.
    if let wait = conflict.lost(isTakenOver: loss.isTakeOver, share: Double.random(in: 0...1)) {
      client?.assumeIsolated { $0.wait(wait) }
      delay = wait
    }
    logger.warning("Homie: not connected: \(loss); next try in \(delay.inWords)")
  }

  private func pump() {
    guard let client, let limits else { return }
    while client.assumeIsolated({ $0.room(for: .exactlyOnce) }) > 0, let publication = lifecycle.next() {
      do {
        try client.assumeIsolated {
          try $0.publish(publication.message.adapted(to: limits), token: publication.token, transient: true)
        }
      } catch {
        logger.error("Homie: \(publication.message.topic) was not published: \(error)")
        _ = lifecycle.settled(publication.token, isDelivered: false)
      }
    }
  }

  private func settled(_ token: Session.Token, _ outcome: Session.Outcome) {
    if case .refused(let code) = outcome { logger.error("Homie: the server refused a message: \(code)") }
    switch lifecycle.settled(token, isDelivered: outcome == .delivered) {
    case .described: remember()
    case .disconnect:
      guard let client else { return end() }
      Task {
        await client.disconnect(within: .seconds(1))
        end()
      }
    case nil: break
    }
  }

  private func remember() {
    let announcement = plan.device.announcement
    guard stored != announcement else { return }
    stored = announcement
    guard let store else { return }
    Task {
      do throws(StorageError) { try await store.setAnnouncement(announcement.stored(.homie)) } catch {
        logger.error("\(error)")
      }
    }
  }

  private func end() {
    hasEnded = true
    patienceTimer?.cancel()
    stabilityTimer?.cancel()
    for waiter in waiters { waiter.resume() }
    waiters = []
  }

  private func after(_ delay: Duration, _ body: @escaping @Sendable (isolated HomieLink) -> Void) -> Scheduled<Void> {
    eventLoop.scheduleTask(in: TimeAmount(delay)) { self.assumeIsolated { body($0) } }
  }
}

extension HomieLink: ClientDelegate {
  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect {
    var connect = plan.connect
    connect.will = lifecycle.will
    return connect
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    assumeIsolated { link in
      switch event {
      case .connected(let connected, let server): link.connected(connected, server)
      case .settled(let token, let outcome): link.settled(token, outcome)
      case .ready: link.pump()
      case .lost(let loss, let delay): link.lost(loss, retryAfter: delay)
      case .connecting, .message, .answered, .storing, .stored: break
      }
    }
  }
}
