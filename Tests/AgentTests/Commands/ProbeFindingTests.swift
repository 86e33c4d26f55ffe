import MQTT
import Testing

@testable import Diagnosis
@testable import LimpetInstants
@testable import MQTTCore

@Suite("What a probe finds")
struct ProbeFindingTests {
  private static let now = Timestamp(sinceEpoch: .seconds(1_795_176_000))

  private func certificate(days: Double, names: [String] = ["mqtt.example.com"]) -> CertificateSummary {
    CertificateSummary(names: names, expires: 1_795_176_000 + Int64(days * 86_400))
  }

  @Test(
    "a certificate that ends within 14 days, or has ended, is a warning",
    arguments: [(365.0, "ok"), (14, "ok"), (13.9, "warning"), (0.01, "warning"), (0, "warning"), (-3, "warning")])
  func expiry(_ days: Double, _ verdict: String) {
    let tls = Route.TLS(version: "TLS 1.3", certificate: certificate(days: days))
    #expect(ProbeFinding.tls(tls, at: Self.now).verdict.rawValue == verdict)
    #expect(
      ProbeFinding.clientCertificate(certificate(days: days), file: "c.pem", at: Self.now).verdict.rawValue == verdict)
  }

  @Test("the sentences about certificates")
  func sentences() {
    let soon = Route.TLS(version: "TLS 1.2", certificate: certificate(days: 3, names: ["a", "192.0.2.1"]))
    #expect(
      ProbeFinding.tls(soon, at: Self.now).description
        == "warning: TLS: TLS 1.2, the server's certificate for a, 192.0.2.1 is valid until "
        + "2026-11-23T12:00:00.000Z, 3 d from now; renew it")
    #expect(
      ProbeFinding.clientCertificate(certificate(days: -2, names: []), file: "c.pem", at: Self.now).description
        == "warning: TLS: the device's own certificate c.pem expired at 2026-11-18T12:00:00.000Z, 2 d ago")
  }

  @Test("rights: by the answer on 5, by what comes back on 3.1.1")
  func rights() throws {
    let topic = TopicName("limpet/a/status")
    func verdict(
      _ outcome: Session.Outcome?, _ subscription: ReasonCode?, _ cameBack: Bool, _ version: MQTTCore.ProtocolVersion
    ) -> ProbeFinding.Verdict {
      ProbeFinding.right(
        to: topic, outcome: outcome, subscription: subscription, cameBack: cameBack, version, use: "status"
      ).verdict
    }
    for version in [MQTTCore.ProtocolVersion.v5, .v311] {
      #expect(verdict(.delivered, .grantedQoS1, true, version) == .ok)
      #expect(verdict(.refused(.notAuthorized), .grantedQoS1, false, version) == .failed)
      #expect(verdict(nil, .grantedQoS1, false, version) == .failed)
      #expect(verdict(.abandoned, .grantedQoS1, false, version) == .failed)
      #expect(verdict(.delivered, .notAuthorized, false, version) == .warning)
    }
    #expect(verdict(.delivered, .grantedQoS1, false, .v5) == .warning, "the answer counts")
    #expect(verdict(.delivered, .grantedQoS1, false, .v311) == .failed, "the answer says nothing")
  }
}
