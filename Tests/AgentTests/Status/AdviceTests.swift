import MQTTCore
import Testing

@testable import Status

@Suite("What to do about a connection that fails")
struct AdviceTests {
  private static let plain = ServerAddress(transport: .tcp, host: "broker.lan", port: 8883)
  private static let tls = ServerAddress(transport: .tls, host: "broker.lan", port: 1883)

  @Test(
    "each failure has its mend, in limpet's words",
    arguments: [
      (ConnectionLoss.tls(tls, .unknownAuthority), "set broker.tls.ca"),
      (.tls(tls, .wrongName("broker.lan")), "broker.tls.server_name"),
      (.tls(tls, .expired(1_600_000_000)), "expired on 2020-09-13; renew it"),
      (.tls(tls, .notYetValid(1_600_000_000)), "check this machine's clock"),
      (.tls(tls, .nothingInCommon), "TLS 1.2 and 1.3"),
      (.tls(tls, .certificateWanted), "set broker.tls.certificate and broker.tls.key"),
      (.tls(tls, .certificateRefused("it expired")), "check broker.tls.certificate"),
      (.tls(tls, .notTLS), "write mqtt://broker.lan:1883"), (.tls(tls, .closed), "write mqtt://broker.lan:1883"),
      (.foreign(plain, .tls), "write mqtts://broker.lan:8883"), (.foreign(plain, .http), "a web server listens there"),
      (.closed(.connect, received: false, detail: nil), "write mqtts://broker.lan:8883"),
      (.unreachable(plain, "Connection refused"), "nothing listens on port 8883"),
      (.unreachable(plain, "No route to host"), "check this machine's network"),
      (.nameNotFound(host: "server", "not known"), "the name server cannot be resolved"),
      (.session(.refused(.notAuthorized, reason: nil, serverReference: nil)), "check broker.username"),
      (.session(.refused(.badUserNameOrPassword, reason: nil, serverReference: nil)), "broker.password"),
      (.session(.refused(.clientIdentifierNotValid, reason: nil, serverReference: nil)), "broker.client_id"),
      (.session(.disconnectedByServer(.sessionTakenOver, reason: nil, serverReference: nil)), "another device.id"),
    ])
  func mend(_ loss: ConnectionLoss, _ words: String) {
    let text = loss.advised(Self.plain)
    #expect(text.contains(words), "\(text)")
    if case .nameNotFound = loss { return }
    #expect(!text.split(separator: " ").contains("server's"), "limpet says broker: \(text)")
  }
}
