import MQTTCore
import NIOCore

/// Owns the link that a `Carrier` carries out, and is called on the carrier's event loop.
package protocol CarrierOwner: AnyObject, Sendable {
  /// How far the link has come: what an error of the transport means depends on it.
  func stage(for carrier: Carrier) -> ConnectionStage

  /// What the transport of an attempt does, for `Link.handle`.
  ///
  /// - Parameter endsTurn: as `carrierEndsTurn`, after it.
  func carrier(_ carrier: Carrier, did event: Link.Event, endsTurn: Bool)

  /// Bytes were read: the owner gives the link one `Carrier.nextPacket` after the other for as long as it listens, and
  /// `malformed` where it does not. It asks, and is not called, for each packet: so one call does for all of a turn.
  ///
  /// - Parameter endsTurn: as `carrierEndsTurn`, after them; false: more bytes follow in this turn.
  func carrier(_ carrier: Carrier, hasRead attempt: Link.AttemptNumber, endsTurn: Bool)

  /// The transport has nothing more to report in this turn of the event loop: all answers go out in one write.
  func carrierEndsTurn(_ carrier: Carrier)
}

extension Carrier {
  /// How transports are opened.
  package struct Settings: Sendable {
    package var tls = TLSSettings()
    /// Sent with the request that opens a WebSocket, beside those that it needs.
    package var webSocketHeaders: [(name: String, value: String)] = []
    /// On the way to every server but a Unix socket; nil: none.
    package var proxy: Proxy?
    /// Changes where the next attempt goes: see `MQTTSessionDriver.Configuration.prepareEndpoint`.
    package var prepareEndpoint: (@Sendable (MQTTSessionDriver.Endpoint) async throws -> MQTTSessionDriver.Endpoint)?
    /// Checks a server's certificates in place of TLS: see `MQTTSessionDriver.Configuration.checkCertificates`.
    package var checkCertificates: (@Sendable (ServerCertificates) async throws -> Void)?
    /// How long the kernel and a proxy are waited for; the link has a limit for all of it.
    package var connectTimeout = Duration.seconds(10)
    /// Bytes of a packet from the server that are taken at the most.
    package var maximumPacketSize = 1 << 20
    /// The loopback address of IPv4 that TCP connects from, where the server's is one, too; nil: the kernel's choice.
    package var localAddress: SocketAddress?
    /// Bytes that are read at once, where they do not grow with what comes: for thousands of connections that each get
    /// little; nil: NIO's choice.
    package var receiveBuffer: Int?
    /// Addresses of a name, for a port.
    package var lookUp: @Sendable (String, Int) async throws -> [SocketAddress] = { host, port in
      try await NameLookup.addresses(host, port: port)
    }

    package init() {}
  }
}
