import MQTT
import TestScene
import Testing

extension Scenario {
  /// Asked for either version, the client ends up with the highest that is spoken.
  func agreesOnVersion() async throws {
    let peer = try await peer("a")
    let connected = try #require(peer.connections.first)
    #expect(connected.version == traits.versions.first)
    switch traits.refusal {
    case nil: #expect(peer.losses.isEmpty)
    case .answer:
      #expect(peer.losses.count == 1)
      guard case .session(.refused(.unsupportedProtocolVersion, _, _))? = peer.losses.first else {
        Issue.record("\(peer.losses)")
        return
      }
    case .silence:
      #expect(peer.losses.count == 2)
      for loss in peer.losses {
        guard case .closed(.connect, received: false, _) = loss else {
          Issue.record("\(loss)")
          return
        }
      }
    }
  }

  func announcesItsLimits() async throws {
    let limits = try #require(try await peer("a").connections.first).limits
    #expect(limits.keepAlive == traits.serverKeepAlive ?? 60)
    #expect(limits.topicAliasMaximum == traits.topicAliasMaximum)
    #expect(limits.subscriptionIdentifierAvailable == traits.subscriptionIdentifiers)
    #expect(limits.sharedSubscriptionAvailable == traits.sharedSubscriptions.contains(.v5))
    #expect(limits.maximumQoS == traits.maximumQoS)
  }

  func keepsSession() async throws {
    let address = try broker.address(lane.transport)
    let topic = topic("t")
    let first = try await peer("a")
    #expect(first.connections.first?.sessionPresent == false)
    try await first.subscribe(topic, qos: .atLeastOnce)
    await first.client.disconnect()

    let other = try await peer("b")
    for payload in ["0", "1", "2"] { try await other.publish(payload, to: topic) }

    let second = try idlePeer("a") { $0.knowsItsSession(on: address) }
    try await second.expect(topic)
    second.start()
    #expect(try await second.connection(1).sessionPresent)
    #expect(try await second.payloads(of: topic, count: 3) == ["0", "1", "2"])
  }

  func forgetsSession() async throws {
    let address = try broker.address(lane.transport)
    for _ in 0..<2 {
      let peer = try await peer("a") {
        $0.endsItsSession()
        // It would be believed.
        $0.knowsItsSession(on: address)
      }
      #expect(peer.connections.first?.sessionPresent == false)
      try await peer.subscribe(topic("t"))
      await peer.client.disconnect()
    }
  }

  /// A client that knows nothing of the server's session does not take it over.
  func clearsUnknownSession() async throws {
    let topic = topic("t")
    let first = try await peer("a")
    try await first.subscribe(topic, qos: .atLeastOnce)
    await first.client.disconnect()
    let other = try await peer("b")
    try await other.publish("old", to: topic)

    let second = try await peer("a")
    #expect(second.connections.last?.sessionPresent == false)
    try await second.subscribe(topic, qos: .atLeastOnce)
    try await other.publish("new", to: topic)
    try await second.arrival(of: "new", to: topic)
    #expect(second.payloads(of: topic) == ["new"])
  }

  func isTakenOver(isPersistent: Bool) async throws {
    let wills = topic("will")
    let listener = try await listener(wills)
    let older = try await peer("a") {
      if !isPersistent { $0.endsItsSession() }
      try $0.leaves("gone", to: wills)
      $0.connection.reconnects = false
    }
    let address = try broker.address(lane.transport)
    let newer = try await peer("a") {
      $0.knowsItsSession(on: address)
      if !isPersistent { $0.endsItsSession() }
    }
    let loss = try await older.loss()
    switch try #require(lane.version.flatMap { traits.takeover[$0] }) {
    case .closed:
      if case .closed(.connected, _, _) = loss {} else { Issue.record("\(loss)") }
    case .disconnected(let code):
      guard case .session(.disconnectedByServer(code, _, _)) = loss else {
        Issue.record("\(loss)")
        return
      }
    }
    if isPersistent ? traits.willOnPersistentTakeover : traits.willOnTakeover {
      try await listener.arrival(of: "gone", to: wills)
    }
    // What was to come before it has come.
    try await newer.publish("marker", to: wills)
    try await listener.arrival(of: "marker", to: wills)
    let hasWill = listener.payloads(of: wills).contains("gone")
    #expect(hasWill == (isPersistent ? traits.willOnPersistentTakeover : traits.willOnTakeover))
    #expect(newer.losses.isEmpty)
  }

  /// Two clients of one name throw each other out, no faster than they have to.
  func sharesItsName() async throws {
    let change: (inout MQTTClient.Configuration) -> Void = {
      $0.connection.reconnect.minimum = .milliseconds(200)
      $0.connection.reconnect.maximum = .seconds(5)
      $0.endsItsSession()
    }
    let start = ContinuousClock.now
    let peers = [try await peer("a", change), try await peer("a", change)]
    try await until("both have been thrown out twice") { peers.allSatisfy { $0.losses.count >= 2 } }
    for peer in peers {
      // Events are seen later than they happened, by any time: only the sum of all delays is certain to have passed.
      var waited = Duration.zero
      var round = 0
      for happening in peer.happenings {
        switch happening.event {
        case .lost(_, let delay):
          waited += delay
          // A CONNACK alone does not begin the count anew.
          #expect(delay <= .milliseconds(200) * (1 << min(round, 5)))
          round += 1
        case .connecting: #expect(start.duration(to: happening.time) >= waited - .milliseconds(10))
        case .connected, .remarked, .storing, .unpublished, .willTakenBack, .ended: break
        }
      }
    }
  }
}
