import Discovery
import MQTTCore
import NIOCore
import Outbox
import Presence
import Readings
import Records

/// What home automation is told of this device, beside its readings.
extension Daemon {
  /// After the birth: a description of a device that is not known to be there helps nobody.
  func beginAnnouncing(_ connected: Session.Connected) {
    homie?.assumeIsolated { $0.start() }
    announcer.connected(isSessionPresent: connected.sessionPresent)
    watchHomeAssistant()
    announce()
  }

  private func watchHomeAssistant() {
    guard let homeAssistant = plan.homeAssistant, closeWatch.maySubscribe else { return }
    do {
      let filter = Subscription(try TopicFilter("\(homeAssistant.birth)"))
      try client?.assumeIsolated { try $0.subscribe([filter], token: FirstToken.homeAssistant) }
    } catch {
      logger.warning("\(homeAssistant.birth) is not watched: \(error)")
    }
  }

  /// A session would go on hearing it; who cannot be told so, hears it.
  private func unwatchHomeAssistant(_ old: HomeAssistantDevice?) {
    guard let old, let filter = try? TopicFilter("\(old.birth)") else { return }
    try? client?.assumeIsolated { try $0.unsubscribe([filter], token: FirstToken.unwatching) }
  }

  func watchesHomeAssistant(_ codes: [ReasonCode]) {
    guard let code = codes.first(where: \.isError), let homeAssistant = plan.homeAssistant else { return }
    logger.warning(
      """
      the broker does not let this device read \(homeAssistant.birth): \(code); Home Assistant is told anew with the \
      next connection, not when it starts
      """)
  }

  /// One that was kept says nothing of now.
  func heardHomeAssistant(_ message: Message) {
    guard let homeAssistant = plan.homeAssistant, message.topic == homeAssistant.birth, !message.retain,
      message.payload == HomeAssistantDevice.online
    else { return }
    // It subscribes to a home's devices all at once: they do not answer all at once.
    _ = after(Self.answerSpread * Double.random(in: 0...1)) { daemon in
      daemon.announcer.homeAssistantStarted()
      daemon.announce()
    }
  }

  private static let answerSpread = Duration.seconds(1)

  /// Publishes what is next, while there is a connection.
  package func announce() {
    // Asked after each reading, and seldom for something.
    guard announcer.hasNext else { return }
    // The place that is kept free is the presence's.
    guard let connection, !departure.isLeaving, !farewell.isUnderWay, let client,
      client.assumeIsolated({ $0.room }) > 0,
      let step = announcer.next()
    else { return }
    guard !topics.isResting(step.topic) else {
      _ = announcer.settled(isDelivered: false)
      return announce()
    }
    let message = Message(
      topic: step.topic, payload: step.payload, qos: .atLeastOnce, retain: step.isRetained)
    do {
      try client.assumeIsolated {
        try $0.publish(message.adapted(to: connection.limits), token: FirstToken.announcement, transient: true)
      }
    } catch {
      logger.error("\(step.topic) was not published: \(error)")
      _ = announcer.settled(isDelivered: false)
    }
  }

  func announced(_ outcome: Session.Outcome) {
    if let topic = announcer.current?.topic {
      switch outcome {
      case .refused(let code): refuses(topic, code)
      case .delivered: takes(topic)
      case .abandoned, .rejected: break
      }
    }
    if let change = announcer.settled(isDelivered: outcome == .delivered) { record(change) }
    announce()
  }

  private func record(_ change: Announcer.Change) {
    guard let store else { return }
    Task {
      do throws(StorageError) {
        switch change {
        case .keeps(let announcement): try await store.setAnnouncement(announcement)
        case .forgot(let kind, let topic): try await store.removeAnnouncement(kind, topic: topic)
        }
        storageWorks()
      } catch {
        storageFails(error)
      }
    }
  }

  /// Before anything is published, so that a crash forgets nothing that a broker may keep.
  ///
  /// - Parameters:
  ///   - next: the plan that follows.
  ///   - found: what a storage has that was opened late.
  func storeAnnouncements(next: Plan? = nil, besides found: [StoredAnnouncement] = []) async {
    guard let store else { return }
    var known = announcer.everything(next: next?.homeAssistant)
    if let homie {
      let now = await homie.announcement
      let after = next?.homie.flatMap { $0.device.base == now.topic ? $0.device.announcement : nil }
      known.append((after?.joined(with: now) ?? now).stored(.homie))
    }
    for announcement in known {
      let earlier = found.first { $0.kind == announcement.kind && $0.topic == announcement.topic }
      let whole = earlier.map { Announcement(announcement).joined(with: Announcement($0)).stored(announcement.kind) }
      do throws(StorageError) { try await store.setAnnouncement(whole ?? announcement) } catch {
        storageFails(error)
      }
    }
  }

  // MARK: Another configuration

  /// What of a new plan is about this, for people.
  ///
  /// - Parameter isExplained: other changes are named, from which another description follows by itself.
  func discoveryWords(_ old: Plan, isExplained: Bool) -> [String] {
    let homeAssistant = (plan.homeAssistant, old.homeAssistant)
    let homie = (plan.homie?.device, old.homie?.device)
    let changes = [
      (
        "homeassistant",
        homeAssistant.0?.topic != homeAssistant.1?.topic
          || !isExplained && homeAssistant.0?.message != homeAssistant.1?.message
      ),
      ("homie", homie.0?.base != homie.1?.base || !isExplained && homie.0?.description != homie.1?.description),
    ]
    return changes.filter(\.1).map(\.0)
  }

  /// Describes the device as the new plan has it, and has the broker forget what left.
  func takeDiscovery(_ old: Plan, _ change: PlanChange, renewsConnection: Bool) async {
    let next = plan
    guard next.homeAssistant != nil || old.homeAssistant != nil || next.homie != nil || old.homie != nil else { return }
    await storeAnnouncements(next: next)
    guard !departure.isLeaving else { return }
    takeHomeAssistant(next.homeAssistant, old.homeAssistant)
    let values = lastValues(without: change)
    guard let homie, let device = next.homie, !renewsConnection, await homie.canAdopt(device) else {
      return await replaceHomie(next.homie, values)
    }
    await homie.adopt(device, values: values)
  }

  private func takeHomeAssistant(_ next: HomeAssistantDevice?, _ old: HomeAssistantDevice?) {
    guard next?.message != old?.message || next?.topic != old?.topic else { return }
    announcer.adopt(next)
    guard connection != nil else { return }
    if next?.birth != old?.birth {
      unwatchHomeAssistant(old)
      watchHomeAssistant()
    }
    announce()
  }

  /// The one that was says good-bye; then another one, if any, begins.
  private func replaceHomie(
    _ next: HomieLink.Plan?, _ values: [(name: String, content: Reading.Content)]
  ) async {
    var earlier: Announcement?
    if let homie {
      await homie.leave(within: Farewell.limit)
      await homie.waitForEnd()
      // Who waits for the end waits for this one.
      guard !departure.isLeaving else { return }
      earlier = await homie.announcement
      self.homie = nil
    }
    if let gone = earlier, gone.topic != next?.device.base {
      announcer.clear(homie: gone)
      earlier = nil
      announce()
    }
    guard let next else { return }
    earlier = announcer.release(homie: next.device.base) ?? earlier
    homie = try? HomieLink(next, stored: earlier, store: store, eventLoop: eventLoop, logger: logger)
    await storeAnnouncements()
    guard !departure.isLeaving else { return }
    for value in values { await homie?.take(value.content, of: value.name) }
    if connection != nil, !farewell.isUnderWay { await homie?.start() }
  }

  /// The last reading of each name that goes on.
  private func lastValues(without change: PlanChange) -> [(name: String, content: Reading.Content)] {
    let others = Set(change.changed)
    return numbering.contents.compactMap { stream, content in
      let name = plan.streams[stream].name
      return plan.streams[stream].isRemoved || others.contains(name) ? nil : (name, content)
    }
  }

  // MARK: Homie

  /// A reading was taken: Homie has it at once, everything else in its turn.
  package func accept(_ reading: UnnumberedReading) {
    numbering.add(reading)
    guard let homie else { return }
    let name = plan.streams[reading.stream].name
    homie.assumeIsolated { $0.take(reading.content, of: name) }
  }

  func endHomie() async {
    guard let homie else { return }
    // Without a stop this is no end that can say good-bye.
    if !departure.isLeaving { await homie.abort() }
    await homie.waitForEnd()
  }
}
