import Configuration
internal import Glibc
import LimpetInstants
import LimpetPlatform
import LimpetText
import Logging
import MQTT
import MQTTCore
import Measuring
import NIOCore
import NIOPosix
import Planning
import Presence
import Records
import Status
import Storage

/// Connects once, as the agent would, prints the server's answer, and then looks for problems that the agent would
/// have: certificates that expire, rights, retained messages, the will.
///
/// The device's own status stays as it is. What is published on its topic is not retained, so nobody who comes later
/// sees it, and it repeats what the broker keeps there (where there is nothing: that the device is offline), so nobody
/// who listens sees a change. It is published only under the daemon's own client identifier: while the probe holds
/// that, there is no daemon whose state could change meanwhile. No will is left on the status topic, since a probe that
/// is cut off would publish it: the will is tried on `limpet/{device}/probe`, by a connection of its own.
public struct Probe: Sendable {
  /// The reports, in the order of the steps.
  public enum Report: Sendable {
    /// CONNACK in one line.
    case answer(String)
    case finding(ProbeFinding)
    /// What is wrong, in one sentence.
    case failure(String)
  }

  private let configuration: Configuration
  private let client: Client.Configuration
  private let clientIdentifier: String?

  /// An answer to SUBSCRIBE or PUBLISH.
  static let answerLimit = Duration.seconds(3)
  /// How long a message may take that follows an answer at once: a retained message, or the own one.
  static let echoLimit = Duration.seconds(2)
  private static let retainedLimit = Duration.milliseconds(300)
  private static let willLimit = Duration.seconds(10)

  /// - Parameter clientIdentifier: in place of the configuration's, beside a daemon that runs.
  public init(_ configuration: Configuration, clientIdentifier: String?) {
    var client = Client.Configuration(configuration.link, tls: configuration.tls)
    client.servers = Array(client.servers.prefix(1))
    client.reconnects = false
    // It only looks: any session that the server has is fine.
    client.believesAnySession = true
    self.configuration = configuration
    self.client = client
    self.clientIdentifier = clientIdentifier
  }

  /// Blocks its thread until the probe is over.
  ///
  /// - Parameter report: called on another thread, one call after the other.
  /// - Returns: whether the agent would work here, as far as this can find out.
  public func run(_ report: @escaping @Sendable (Report) -> Void) -> Bool {
    signal(SIGPIPE, SIG_IGN)
    let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    let isWell = eventLoop.makePromise(of: Bool.self)
    let visit = Visit(self, eventLoop: eventLoop, report: report)
    isWell.completeWithTask { await visit.run() }
    return (try? isWell.futureResult.wait()) ?? false
  }

  /// The daemon's identity: as stored, where that can be read (a daemon that runs holds it), else by the board.
  private func device() async -> String {
    if case .given(let id) = configuration.device.id { return id }
    var stored: StoredIdentity?
    if access(configuration.storage.path + "/session.db", R_OK | W_OK) == 0,
      let store = try? await StateStore.open(folder: configuration.storage.path)
    {
      stored = try? await store.identity()
      await store.close()
    }
    var generator = SystemRandomNumberGenerator()
    return DeviceIdentity.decide(stored: stored, board: BoardIdentity.read(), using: &generator).0.id
  }

  /// The steps, on the event loop.
  private actor Visit {
    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
    private let probe: Probe
    private let report: @Sendable (Report) -> Void
    private var failure: String?

    init(_ probe: Probe, eventLoop: any EventLoop, report: @escaping @Sendable (Report) -> Void) {
      self.probe = probe
      self.eventLoop = eventLoop
      self.report = report
    }

    func run() async -> Bool {
      let device = await probe.device()
      let topics: (status: TopicName, probe: TopicName)
      do {
        topics = (
          try probe.configuration.presenceMessages(device: device, instance: "").status,
          try TopicName("limpet/\(device)/probe")
        )
      } catch {
        report(.failure("\(error)"))
        return false
      }
      // CONNECT as the daemon would send it, but for its will.
      var connect = probe.configuration.connectPacket(device: device)
      if let own = probe.clientIdentifier {
        connect.clientIdentifier = own
        // With QoS 0, which every broker takes.
        connect.will = Message(topic: topics.probe, payload: ByteBuffer(string: "will of \(own)"), qos: .atMostOnce)
      }
      let link = ProbeLink(probe.client, connect, eventLoop: eventLoop)
      guard let opened = await link.open() else {
        let loss = await link.loss ?? .aborted
        if case .session(.refused(let code, _, _)) = loss {
          report(.answer("reason code: \(code.rawValue), session present: false"))
        }
        await link.abort()
        if let server = probe.client.servers.first {
          for finding in ProbeFinding.steps(before: loss, to: server) { find(finding) }
        }
        report(.failure(loss.advised(probe.client.servers.first)))
        return false
      }
      report(.answer("reason code: 0, session present: \(opened.connected.sessionPresent)"))
      await reportRoute(opened)
      find(.connected(opened.connected))
      await checkTopics(link, opened, device: device, status: topics.status, probe: topics.probe)
      if let loss = await link.loss {
        let hint = probe.clientIdentifier == nil ? "; if the daemon runs, give the probe a --client-id of its own" : ""
        find(.failed("the connection was lost: \(loss.advised(opened.server))\(hint)"))
      }
      await link.close()
      if let failure { report(.failure(failure)) }
      return failure == nil
    }

    private func find(_ finding: ProbeFinding) {
      report(.finding(finding))
      if finding.verdict == .failed { failure = failure ?? finding.sentence }
    }

    private func reportRoute(_ opened: ProbeLink.Opened) async {
      guard let route = opened.route else { return }
      for finding in ProbeFinding.route(route, to: opened.server) { find(finding) }
      guard let tls = route.tls else { return }
      let now = WallClock.now().time(of: .now)
      find(.tls(tls, at: now))
      if let file = probe.configuration.broker.tls.certificate, let certificate = CertificateSummary(file: file) {
        find(.clientCertificate(certificate, file: file, at: now))
      }
    }

    // MARK: Rights, retained messages, the will

    private func checkTopics(
      _ link: ProbeLink, _ plain: ProbeLink.Opened, device: String, status: TopicName, probe topic: TopicName
    ) async {
      var opened = plain
      opened.connected = plain.connected.limited(by: await checkWillFlags(plain, topic))
      if probe.clientIdentifier == nil {
        await checkStatus(link, opened, status)
        let round = ProbeRound(probe.configuration, device: device)
        for finding in await round.run(over: link, opened.connected) { find(finding) }
      } else {
        find(.skipped("the right to publish to \(status): limpet tries that under the device's own client id only"))
      }
      guard await link.loss == nil else { return }
      let observer = ProbeLink(second(opened), secondConnect(will: nil), eventLoop: eventLoop)
      guard await observer.open() != nil else {
        let loss = await observer.loss ?? .aborted
        return find(
          .skipped(
            "retained messages and the will: limpet could not open a second connection to test them (\(loss.advised()))"
          ))
      }
      await checkRetained(link, observer, opened, topic)
      await observer.close()
    }

    private func checkStatus(_ link: ProbeLink, _ opened: ProbeLink.Opened, _ status: TopicName) async {
      let subscription = await link.subscribe(to: status, within: Probe.answerLimit)
      let kept = await link.message(within: Probe.retainedLimit) { $0.retain && $0.topic == status }
      var message = Message(
        topic: status,
        payload: kept?.payload ?? ByteBuffer(string: probe.configuration.presence.offline), qos: .atLeastOnce)
      if opened.connected.version == .v5 {
        for (name, value) in kept?.properties.userProperties ?? [] { message.properties.addUserProperty(name, value) }
      }
      let outcome = await link.publish(message.adapted(to: opened.connected.limits), within: Probe.answerLimit)
      let payload = message.payload
      let isAnswered = if case .delivered = outcome { subscription?.isError == false } else { false }
      let echo =
        isAnswered
        ? await link.message(within: Probe.echoLimit) { !$0.retain && $0.topic == status && $0.payload == payload }
        : nil
      find(
        .right(
          to: status, outcome: outcome, subscription: subscription, cameBack: echo != nil, opened.connected.version,
          use: "status and will"))
    }

    private func checkRetained(
      _ link: ProbeLink, _ observer: ProbeLink, _ opened: ProbeLink.Opened, _ topic: TopicName
    ) async {
      guard opened.connected.limits.retainAvailable else {
        find(
          .failed("retained messages: the broker says that it keeps none; a later subscriber does not see the status"))
        return await checkWill(observer, opened, topic)
      }
      var generator = SystemRandomNumberGenerator()
      let payload = ByteBuffer(string: String(generator.next() as UInt64, radix: 16))
      var kept = Message(topic: topic, payload: payload, qos: .atLeastOnce, retain: true)
      // In case this process does not get to clear it.
      if opened.connected.version == .v5 { kept.properties.messageExpiryInterval = 60 }
      let outcome = await link.publish(kept.adapted(to: opened.connected.limits), within: Probe.answerLimit)
      let subscription = await observer.subscribe(to: topic, within: Probe.answerLimit)
      let seen = await observer.message(within: Probe.echoLimit) { $0.topic == topic && $0.payload == payload }
      let empty = Message(topic: topic, payload: ByteBuffer(), qos: .atLeastOnce, retain: true)
      _ = await link.publish(empty.adapted(to: opened.connected.limits), within: Probe.answerLimit)
      guard let seen else {
        let reason: String =
          switch (outcome, subscription) {
          case (.refused(let code), _): "no right to publish to \(topic): \(code)"
          case (_, .some(let code)) where code.isError: "no right to subscribe to \(topic): \(code)"
          default: "messages to \(topic) do not arrive"
          }
        return find(.skipped("retained messages and the will: \(reason)"))
      }
      find(
        seen.retain
          ? .ok("retained messages are kept")
          : .failed("the broker keeps no retained messages: a later subscriber does not see the status"))
      await checkWill(observer, opened, topic)
    }

    /// Whether the broker takes a will with the QoS and the retain flag of the status, and which one if not: by
    /// connections that say good-bye, so that none of them is published.
    private func checkWillFlags(
      _ opened: ProbeLink.Opened, _ topic: TopicName
    ) async -> WillFallback.Reduction? {
      let full = WillFlags(
        qos: QoS(rawValue: UInt8(clamping: probe.configuration.presence.qos)) ?? .atLeastOnce, retain: true)
      var fallback = WillFallback()
      // The first close without a byte says nothing yet.
      for _ in 0...WillFallback.steps(from: full).count {
        let flags = fallback.flags(for: opened.server, full: full, at: .now)
        let will = Message(topic: topic, payload: ByteBuffer(), qos: flags.qos, retain: flags.retain)
        let visitor = ProbeLink(second(opened), secondConnect(will: will), eventLoop: eventLoop)
        if await visitor.open() != nil {
          await visitor.close()
          guard let reduction = fallback.reduction(for: opened.server) else { return nil }
          find(.warning("will: \(opened.server) does not accept the whole will: \(reduction.sentence)"))
          return reduction
        }
        let loss = await visitor.loss
        switch loss {
        case .session(.refused(let code, _, _))?:
          guard fallback.refused(code, flags, full: full, by: opened.server, at: .now) else { return nil }
        case .closed(.connect, received: false, _)? where opened.connected.version == .v311:
          let isSmaller = fallback.closedSilently(full: full, by: opened.server, at: .now)
          // Back at the full will: the reason is something else.
          if !isSmaller, flags != full { return nil }
        default: return nil
        }
      }
      return nil
    }

    /// Cuts off a connection, and measures how long the broker takes to publish its will.
    private func checkWill(_ observer: ProbeLink, _ opened: ProbeLink.Opened, _ topic: TopicName) async {
      var generator = SystemRandomNumberGenerator()
      let payload = ByteBuffer(string: "will \(String(generator.next() as UInt64, radix: 16))")
      let will = Message(topic: topic, payload: payload, qos: .atLeastOnce).adapted(to: opened.connected.limits)
      let victim = ProbeLink(second(opened), secondConnect(will: will), eventLoop: eventLoop)
      guard await victim.open() != nil else {
        let loss = await victim.loss ?? .aborted
        return find(.skipped("the will: limpet could not open a connection to test it (\(loss.advised()))"))
      }
      let aborted = BootClock.now
      await victim.abort()
      let received = await observer.message(within: Probe.willLimit) { $0.topic == topic && $0.payload == payload }
      guard received != nil else {
        return find(
          .failed(
            "the broker did not publish the will within \(Probe.willLimit.inWords) after a connection was cut off"))
      }
      find(.ok("the broker publishes the will \(aborted.duration(to: .now).inWords) after a connection is cut off"))
    }

    /// To the same server, in the version that it speaks.
    private func second(_ opened: ProbeLink.Opened) -> Client.Configuration {
      var client = probe.client
      client.servers = [opened.server]
      client.version = opened.connected.version
      return client
    }

    /// A second connection, of which nothing stays at the broker.
    private func secondConnect(will: Message?) -> Connect {
      var connect = probe.configuration.connectPacket(device: "")
      var generator = SystemRandomNumberGenerator()
      connect.clientIdentifier = "probe" + String(generator.next() as UInt64, radix: 16)
      connect.cleanStart = true
      connect.properties.sessionExpiryInterval = nil
      connect.will = will
      return connect
    }
  }
}
