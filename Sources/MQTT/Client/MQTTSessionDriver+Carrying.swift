import LimpetPlatform
import MQTTCore

/// What the transport of the link's attempt does.
extension MQTTSessionDriver: CarrierOwner {
  package nonisolated func stage(for carrier: Carrier) -> ConnectionStage { assumeIsolated { $0.link.stage } }

  package nonisolated func carrier(_ carrier: Carrier, did event: Link.Event, endsTurn: Bool) {
    assumeIsolated { client in
      if endsTurn { client.openTurn() }
      client.handle(event)
      if endsTurn { client.endTurn() }
    }
  }

  package nonisolated func carrier(_ carrier: Carrier, hasRead attempt: Link.AttemptNumber, endsTurn: Bool) {
    assumeIsolated { client in
      client.takePackets(attempt)
      if endsTurn { client.endTurn() }
    }
  }

  package nonisolated func carrierEndsTurn(_ carrier: Carrier) { assumeIsolated { $0.endTurn() } }

  /// The end of the turn follows.
  private func takePackets(_ attempt: Link.AttemptNumber) {
    openTurn()
    guard link.takesPackets else { return handle(.malformed(attempt, .protocolError("bytes before CONNECT"))) }
    let now = Link.Instant.now
    do throws(PacketError) {
      while link.takesPackets, let packet = try carrier.nextPacket() {
        link.receive(packet, attempt, at: now, into: &effects)
        perform()
      }
    } catch { handle(.malformed(attempt, error)) }
  }

  /// What the open connection runs over; nil: there is none.
  public var route: Route? { carrier.route }
}

extension MQTTSessionDriver.Configuration {
  /// How its transports are opened.
  var carrier: Carrier.Settings {
    var carrier = Carrier.Settings()
    carrier.tls = tls
    carrier.webSocketHeaders = webSocketHeaders
    carrier.proxy = proxy
    carrier.prepareEndpoint = prepareEndpoint
    carrier.checkCertificates = checkCertificates
    carrier.connectTimeout = connectTimeout
    carrier.maximumPacketSize = maximumPacketSize
    carrier.lookUp = lookUp
    return carrier
  }
}
