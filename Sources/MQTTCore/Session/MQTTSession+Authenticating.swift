import LimpetInstants
import NIOCore

/// Enhanced authentication (MQTT 5.0 §4.12): a conversation in AUTH packets, before CONNACK or, started by this side,
/// at any time after it. The method is the one that CONNECT named; without one, no AUTH may come ([MQTT-4.12.0-6]).
extension MQTTSession {
  /// Answers a `challenge`. If the answer cannot be sent, the challenge stays open: the caller ends the connection.
  public mutating func authenticate(
    _ data: ByteBuffer?, at now: Instant, into actions: inout [Action]
  ) throws(Rejection) {
    guard let method = authenticationMethod, isChallenged else { return }
    let packet = auth(.continueAuthentication, method, data)
    if let rejection = rejection(of: packet) { throw rejection }
    isChallenged = false
    send(.auth(packet), at: now, into: &actions)
  }

  /// Authenticates again on a connection that is up (§4.12.1); it ends with `authenticated`.
  public mutating func reauthenticate(
    _ data: ByteBuffer?, at now: Instant, into actions: inout [Action]
  ) throws(Rejection) {
    guard isConnected else { throw .notConnected }
    guard let method = link.authenticationMethod, !isReauthenticating else {
      throw .featureNotSupported(.badAuthenticationMethod)
    }
    let packet = auth(.reauthenticate, method, data)
    if let rejection = rejection(of: packet) { throw rejection }
    link.isReauthenticating = true
    send(.auth(packet), at: now, into: &actions)
  }

  /// [MQTT-3.2.2-15]; how much the server takes it says in CONNACK.
  private func rejection(of auth: Auth) -> Rejection? {
    guard auth.properties.isEncodable(in: .packet(.auth)) else { return .notEncodable }
    guard isConnected else { return nil }
    var bytes = ByteBuffer()
    auth.encode(into: &bytes, version)
    return rejection(ofBytes: bytes.readableBytes)
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

  private func auth(_ code: ReasonCode, _ method: String, _ data: ByteBuffer?) -> Auth {
    var properties = Properties()
    properties.authenticationMethod = method
    properties.authenticationData = data
    return Auth(reasonCode: code, properties: properties)
  }
}
