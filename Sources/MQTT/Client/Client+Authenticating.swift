import MQTTCore
import NIOCore
import Platform

/// Carries an enhanced authentication between the session and the `Authenticator` (MQTT 5.0 §4.12).
extension Client {
  /// Names the method in CONNECT, with its first data; false: it failed, and the connection has been ended.
  func beginAuthentication(_ packet: inout Connect, _ attempt: Attempt) async -> Bool {
    guard attempt.version == .v5, let authenticator = configuration.authenticator else { return true }
    do {
      packet.properties.authenticationData = try await authenticator.begin()
      packet.properties.authenticationMethod = authenticator.method
      return true
    } catch {
      failAuthentication(error, attempt.number)
      return false
    }
  }

  func answer(_ challenge: ByteBuffer?, _ number: UInt64) async {
    guard let authenticator = configuration.authenticator else { return }
    do {
      let data = try await authenticator.respond(to: challenge)
      guard isCurrent(number) else { return }
      session.authenticate(data, at: .now, into: &actions)
      perform()
    } catch { failAuthentication(error, number) }
  }

  func finishAuthentication(_ data: ByteBuffer?, _ number: UInt64) async {
    do { try await configuration.authenticator?.finish(data) } catch { failAuthentication(error, number) }
  }

  /// Authenticates again on a connection that is up (§4.12.1).
  public func reauthenticate() async throws {
    guard let authenticator = configuration.authenticator else {
      throw Session.Rejection.featureNotSupported(.badAuthenticationMethod)
    }
    let data = try await authenticator.begin()
    try session.reauthenticate(data, at: .now, into: &actions)
    perform()
  }

  private func failAuthentication(_ error: any Error, _ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    connection.ending = connection.ending ?? .authentication("\(error)")
    Transport.abort(connection.channel)
  }
}
