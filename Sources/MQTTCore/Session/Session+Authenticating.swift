import Instants
import NIOCore

/// Enhanced authentication (MQTT 5.0 §4.12): a conversation in AUTH packets, before CONNACK or, started by this side,
/// at any time after it. The method is the one that CONNECT named; without one, no AUTH may come ([MQTT-4.12.0-6]).
extension Session {
  /// The answer to a `challenge`.
  public mutating func authenticate(_ data: ByteBuffer?, at now: Instant, into actions: inout [Action]) {
    guard let method = authenticationMethod, isChallenged else { return }
    isChallenged = false
    sendAuth(.continueAuthentication, method, data, at: now, into: &actions)
  }

  /// Authenticates again on a connection that is up (§4.12.1); it ends with `authenticated`.
  public mutating func reauthenticate(
    _ data: ByteBuffer?, at now: Instant, into actions: inout [Action]
  ) throws(Rejection) {
    guard isConnected else { throw .notConnected }
    guard let method = link.authenticationMethod, !isReauthenticating else {
      throw .featureNotSupported(.badAuthenticationMethod)
    }
    var bytes = ByteBuffer()
    auth(.reauthenticate, method, data).encode(into: &bytes, version)
    if let rejection = rejection(ofBytes: bytes.readableBytes) { throw rejection }  // [MQTT-3.2.2-15]
    link.isReauthenticating = true
    sendAuth(.reauthenticate, method, data, at: now, into: &actions)
  }

  mutating func receive(_ auth: Auth, into actions: inout [Action]) {
    guard let method = authenticationMethod else {
      return fail(.protocolError("AUTH without an authentication method"), into: &actions)
    }
    // [MQTT-4.12.0-5]: the method stays the same.
    guard auth.properties.authenticationMethod == method else {
      return fail(PacketError(.badAuthenticationMethod, "AUTH with another method"), into: &actions)
    }
    let data = auth.properties.authenticationData
    switch (phase, auth.reasonCode) {
    case (.connecting, .continueAuthentication):
      isChallenged = true
      actions.append(.challenge(data))
    case (.connected, .continueAuthentication) where isReauthenticating:
      isChallenged = true
      actions.append(.challenge(data))
    case (.connected, .success) where isReauthenticating:
      link.isReauthenticating = false
      actions.append(.authenticated(data))
    default: fail(.protocolError("AUTH with \(auth.reasonCode) that nothing asked for"), into: &actions)
    }
  }

  private var isReauthenticating: Bool { link.isReauthenticating }

  private var authenticationMethod: String? {
    switch phase {
    case .connecting(let connect, .v5): connect.properties.authenticationMethod
    case .connected: link.authenticationMethod
    case .connecting, .disconnected, .closing: nil
    }
  }

  private mutating func sendAuth(
    _ code: ReasonCode, _ method: String, _ data: ByteBuffer?, at now: Instant, into actions: inout [Action]
  ) {
    send(.auth(auth(code, method, data)), at: now, into: &actions)
  }

  private func auth(_ code: ReasonCode, _ method: String, _ data: ByteBuffer?) -> Auth {
    var properties = Properties()
    properties.authenticationMethod = method
    properties.authenticationData = data
    return Auth(reasonCode: code, properties: properties)
  }
}
