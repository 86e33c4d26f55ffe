import MQTTCore
import NIOCore
import NIOSSL

/// The certificates that a server shows in the TLS handshake (RFC 8446 §4.4.2), for
/// `MQTTSessionDriver.Configuration.checkCertificates`.
public struct ServerCertificates: Sendable, Hashable {
  /// The server that this client connects to.
  public let server: ServerAddress
  /// Each in DER form, as the server sends them: its own first, then those that lead to an authority. Never empty.
  public let chain: [[UInt8]]
}

/// The application has not accepted what a server shows.
struct CertificateRefusal: Error, CustomStringConvertible {
  let description: String
}

extension TLSLayer {
  /// With the application's check in place of all others.
  func makeHandler(asking check: @escaping NIOSSLCustomVerificationCallback) throws -> NIOSSLClientHandler {
    try NIOSSLClientHandler(context: context, serverHostname: serverName, customVerificationCallback: check)
  }
}

extension Carrier {
  typealias CertificateCheck = @Sendable (ServerCertificates) async throws -> Void

  /// Asks the application, which may take its time: the link has a limit for the whole attempt.
  func check(
    _ certificates: [NIOSSLCertificate], of attempt: Attempt, on channel: any Channel,
    _ check: @escaping CertificateCheck,
    _ promise: EventLoopPromise<NIOSSLVerificationResult>
  ) {
    do {
      let chain = try certificates.map { try $0.toDERBytes() }
      guard !chain.isEmpty else { throw NIOSSLError.noCertificateToValidate }
      let shown = ServerCertificates(server: attempt.server, chain: chain)
      preparation.assumeIsolated { preparation in
        preparation.check(shown, check, until: channel.closeFuture) { refusal in
          if let refusal { self.transportIsRefused(refusal, attempt.number) }
          promise.succeed(refusal == nil ? .certificateVerified : .failed)
        }
      }
    } catch {
      promise.fail(error)
    }
  }
}

extension Preparation {
  /// Calls that go on though they were cancelled are left to end by themselves, but not without a bound.
  ///
  /// - Parameter done: called on the event loop.
  fileprivate func check(
    _ certificates: ServerCertificates, _ check: @escaping Carrier.CertificateCheck, until end: EventLoopFuture<Void>,
    _ done: @escaping @Sendable (CertificateRefusal?) -> Void
  ) {
    guard certificateChecks < Self.lookUpLimit else {
      return done(
        CertificateRefusal(description: "\(certificateChecks) earlier checks of certificates have not ended yet"))
    }
    certificateChecks += 1
    let task = Task {
      var refusal: CertificateRefusal?
      do { try await check(certificates) } catch {
        refusal = CertificateRefusal(
          description: "this application does not accept the server's certificate (\(error))")
      }
      certificateChecks -= 1
      done(refusal)
    }
    end.whenComplete { _ in task.cancel() }
  }
}
