import NIOCore

/// A method of enhanced authentication (MQTT 5.0 §4.12), such as SCRAM-SHA-256, for a user of the library to implement.
public protocol Authenticator: Sendable {
  /// The method's name, as the server knows it.
  var method: String { get }

  /// The data of CONNECT, or of a re-authentication; a conversation begins anew with each.
  func begin() async throws -> ByteBuffer?

  /// The answer to what the server sent. An error ends the connection.
  func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer?

  /// The server has agreed. An error ends the connection: the server is not who it should be, say.
  func finish(_ data: ByteBuffer?) async throws
}
