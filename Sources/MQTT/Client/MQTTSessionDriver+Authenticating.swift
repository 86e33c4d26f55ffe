import LimpetPlatform
import MQTTCore
import NIOCore

/// Carries an enhanced authentication between the session and the `Authenticator` (MQTT 5.0 §4.12).
extension MQTTSessionDriver {
  /// Names the method in CONNECT, with its first data; false: it failed, and the connection has been ended.
  func beginAuthentication(_ packet: inout Connect, _ version: ProtocolVersion, _ number: UInt64) async -> Bool {
    guard version == .v5, let authenticator = configuration.authenticator else { return true }
    do {
      packet.properties.authenticationData = try await authenticator.begin()
      packet.properties.authenticationMethod = authenticator.method
      return true
    } catch {
      failAuthentication(error, number)
      return false
    }
  }

  func answer(_ challenge: ByteBuffer?, _ number: UInt64) async {
    guard let authenticator = configuration.authenticator else { return }
    do {
      handle(.authenticate(number, try await authenticator.respond(to: challenge)))
    } catch { failAuthentication(error, number) }
  }

  func finishAuthentication(_ data: ByteBuffer?, _ number: UInt64) async {
    do { try await configuration.authenticator?.finish(data) } catch { failAuthentication(error, number) }
  }

  /// Authenticates again on a connection that is up (§4.12.1).
  public func reauthenticate() async throws {
    guard let authenticator = configuration.authenticator else {
      throw MQTTSession.Rejection.featureNotSupported(.badAuthenticationMethod)
    }
    let data = try await authenticator.begin()
    try link.reauthenticate(data, at: .now, into: &effects)
    perform()
  }

  private func failAuthentication(_ error: any Error, _ number: UInt64) {
    handle(.failed(number, .authentication("\(error)")))
  }
}
