import LimpetInstants
import LimpetText
import MQTT
import MQTTCore

/// One thing that a probe found out, in a sentence.
public struct ProbeFinding: Sendable, CustomStringConvertible {
  public enum Verdict: String, Sendable {
    case ok
    /// The agent would run, but with a restriction, or not for ever.
    case warning
    /// The agent would not work as configured.
    case failed
    /// It could not be found out.
    case skipped
  }

  public let verdict: Verdict
  package let text: String

  /// `ok: TCP: connected to 192.0.2.7`
  public var description: String { "\(verdict.rawValue): \(text)" }

  /// The sentence alone.
  public var sentence: String { text }

  static func ok(_ text: String) -> Self { Self(verdict: .ok, text: text) }
  package static func warning(_ text: String) -> Self { Self(verdict: .warning, text: text) }
  package static func failed(_ text: String) -> Self { Self(verdict: .failed, text: text) }
  static func skipped(_ text: String) -> Self { Self(verdict: .skipped, text: text) }
}

extension ProbeFinding {
  /// Certificates that end within this time are worth a warning.
  static let certificateMargin = Duration.seconds(14 * 86_400)

  /// Everything below MQTT.
  package static func route(_ route: Route, to server: ServerAddress) -> [ProbeFinding] {
    guard let address = route.address else { return [.ok("connected to \(server)")] }
    var findings: [ProbeFinding] = []
    if !route.addresses.contains(server.host) {
      findings.append(.ok("DNS: \(server.host) is \(route.addresses.joined(separator: ", "))"))
    }
    findings.append(.ok("TCP: connected to \(address), port \(server.port)"))
    return findings
  }

  /// What went well before a connection failed.
  package static func steps(before loss: ConnectionLoss, to server: ServerAddress) -> [ProbeFinding] {
    let failed: ConnectionStage =
      switch loss {
      case .unreachable: .transport
      case .tls: .tls
      case .upgrade: .upgrade
      case .timeout(_, let stage, _), .closed(let stage, _, _): stage
      case .foreign, .session, .authentication: .connect
      default: .name
      }
    let order: [ConnectionStage] = [.endpoint, .name, .transport, .tls, .upgrade, .connect, .connected]
    func isPast(_ stage: ConnectionStage) -> Bool {
      (order.firstIndex(of: stage) ?? 0) < (order.firstIndex(of: failed) ?? 0)
    }
    let isName = server.transport != .unix && server.host.contains { $0.isLetter } && !server.host.contains(":")
    var findings: [ProbeFinding] = []
    if isPast(.name), isName { findings.append(.ok("DNS: the name \(server.host) is known")) }
    if isPast(.transport) {
      findings.append(
        .ok(
          server.transport == .unix ? "connected to \(server)" : "TCP: connected to \(server.host), port \(server.port)"
        ))
    }
    if isPast(.tls), server.transport.usesTLS { findings.append(.ok("TLS: the broker's certificate is valid")) }
    if isPast(.upgrade), server.transport.isWebSocket { findings.append(.ok("WebSocket: the broker has agreed")) }
    return findings
  }

  package static func tls(_ tls: Route.TLS, at now: Timestamp) -> ProbeFinding {
    guard let certificate = tls.certificate else { return .ok("TLS: \(tls.version), without a server certificate") }
    return certificateFinding("TLS: \(tls.version), the server's certificate", certificate, at: now)
  }

  /// The certificate that the device shows the server, in a PEM file.
  static func clientCertificate(_ certificate: CertificateSummary, file: String, at now: Timestamp) -> ProbeFinding {
    certificateFinding("TLS: the device's own certificate \(file)", certificate, at: now)
  }

  private static func certificateFinding(
    _ what: String, _ certificate: CertificateSummary, at now: Timestamp
  ) -> ProbeFinding {
    let names = certificate.names.isEmpty ? "" : " for \(certificate.names.prefix(8).joined(separator: ", "))"
    let end = Timestamp(sinceEpoch: .seconds(certificate.expires))
    let left = Duration.microseconds(end.microseconds - now.microseconds)
    guard left > .zero else { return .warning("\(what)\(names) expired at \(end), \((.zero - left).inWords) ago") }
    let text = "\(what)\(names) is valid until \(end), \(left.inWords) from now"
    return left < certificateMargin ? .warning("\(text); renew it") : .ok(text)
  }

  package static func connected(_ connected: Session.Connected) -> ProbeFinding {
    let limits = connected.limits
    var text = "CONNECT: MQTT \(connected.version), keepalive \(limits.keepAlive) s"
    if limits.maximumQoS < .exactlyOnce { text += ", QoS \(limits.maximumQoS.rawValue) at most" }
    if let size = limits.maximumPacketSize { text += ", packets of \(size) bytes at most" }
    if let reference = limits.serverReference { text += ", server reference \(reference)" }
    return .ok(text)
  }

  /// The right to publish a topic, from its acknowledgement and from whether the message came back.
  ///
  /// - Parameters:
  ///   - outcome: nil: there was none.
  ///   - subscription: of SUBACK for the topic; nil: there was none.
  ///   - use: what the topic is for.
  package static func right(
    to topic: TopicName, outcome: Session.Outcome?, subscription: ReasonCode?, cameBack: Bool,
    _ version: ProtocolVersion,
    use: String
  ) -> ProbeFinding {
    let publish = "publish to \(topic) (\(use))"
    switch outcome {
    case .refused(let code): return .failed("no right to \(publish): \(code)")
    case .rejected(let rejection): return .failed("cannot \(publish): \(rejection)")
    case .abandoned, nil: return .failed("cannot \(publish): the broker did not acknowledge it")
    case .delivered: break
    }
    let refusal = subscription.flatMap { $0.isError ? $0 : nil }
    switch (cameBack, version) {
    case (true, _): return .ok("may \(publish)")
    case (false, .v5):
      let reason = refusal.map { "\($0)" } ?? "the broker does not return what the device publishes there"
      return .warning(
        "may \(publish), but not subscribe to it (\(reason)): the device could not correct a wrong status")
    case (false, .v311):
      if let refusal {
        return .warning("cannot see whether it may \(publish): the broker refuses a subscription to it (\(refusal))")
      }
      return .failed(
        "no right to \(publish), or to subscribe to it: the broker acknowledged a message and did not pass it on")
    }
  }
}
