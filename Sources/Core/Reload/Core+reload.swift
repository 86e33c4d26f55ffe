import Discovery
import LimpetInstants
import MQTTCore
import Measuring
import Outbox
import Plan
import Presence
import Readings

/// What of another configuration is another, beside what the plans say by themselves.
package struct Difference: Sendable {
  /// Names of sensors and inputs that are configured in another way than before.
  package var names: Set<String>
  /// CONNECT, its will or the way to the broker is another one.
  package var renewsConnection: Bool
  /// When attempts are made and given up.
  package var changesAttempts: Bool

  package init(names: Set<String>, renewsConnection: Bool, changesAttempts: Bool) {
    self.names = names
    self.renewsConnection = renewsConnection
    self.changesAttempts = changesAttempts
  }
}

extension Core {
  /// Takes another plan. Sensors and inputs that are the same go on as they are; `plan` says afterwards which id each
  /// sensor has.
  ///
  /// - Parameter pulses: what counters have seen by now.
  /// - Returns: what has changed, for people; nil: the agent is about to end, and takes nothing.
  package mutating func reload(
    _ next: DevicePlan, _ difference: Difference, pulses: [LineID: PulseCount], at now: Moment
  ) -> [String]? {
    guard !conversation.leaving.isLeaving, !conversation.leaving.hasEnded else { return nil }
    if conversation.plan.link.mutation == .reloadNeedsStore, !keeping.isOpen || keeping.isLate { return nil }
    // Whatever is due now is due by the old plan.
    counted(pulses, at: now)
    sample(at: now)
    reloads += 1
    let old = conversation.plan
    let change = PlanChange(from: old, to: next, differing: difference.names, number: reloads)
    adopt(change.plan, old)
    takeLines(at: now)
    takeOutputs(old, at: now)
    sampling.adopt(change.plan.sensors, change.plan.chores(lines), at: now.boot)
    conversation.clear(change.cleared)
    var words = change.words
    if change.plan.health != old.health { words.append("health") }
    words += takeConnection(difference, old, at: now)
    words += discoveryWords(old, isExplained: !words.isEmpty)
    takeDiscovery(old, without: Set(change.changed), difference, at: now)
    sample(at: now)
    return words
  }

  private mutating func adopt(_ plan: DevicePlan, _ old: DevicePlan) {
    conversation.plan = plan
    // These belong to the session.
    conversation.plan.link.isStored = old.link.isStored
    conversation.plan.link.storeDelay = old.link.storeDelay
    conversation.sender.outbox.adopt(plan.outbox)
    conversation.alignStreams()
    numbering.adopt(plan.streams)
    conversation.sender.labels.adopt(streams: plan.streams.count)
    conversation.sender.retained.keep { plan.streams[$0].isRetained(under: $1) }
  }

  private mutating func takeLines(at now: Moment) {
    let change = lines.adopt(conversation.plan.inputs, isWatched: isWatching, using: &conversation.generator)
    guard isWatching else { return watchLines(at: now) }
    let added = change.added.compactMap { line in lines.request(of: line).map { (line, $0) } }
    if !change.released.isEmpty || !added.isEmpty {
      effects.orders.append(.rewatch(released: change.released, added: added))
    }
    // What was left behind, and what is known from now on.
    keeping.countsAreDue = true
  }

  private mutating func takeOutputs(_ old: DevicePlan, at now: Moment) {
    conversation.acting.outputs.adopt(conversation.plan.outputs, at: now.boot)
    // A shorter time may be over already.
    conversation.listen(at: now)
    carryOutActs(at: now)
    guard conversation.plan.commands != old.commands, conversation.standing.connection != nil else { return }
    conversation.watchOtherCommands(old.commands, at: now)
  }

  private mutating func takeConnection(_ difference: Difference, _ old: DevicePlan, at now: Moment) -> [String] {
    defer { conversation.carryOut(at: now) }
    if difference.renewsConnection {
      conversation.renewConnection(at: now)
      return ["the connection"]
    }
    if difference.changesAttempts { conversation.reconfigure(reconnecting: false, at: now) }
    if conversation.plan.presence.lease != old.presence.lease { conversation.publishBirth(at: now) }
    return difference.changesAttempts ? attemptWords(old.link) : []
  }

  /// Which keys about attempts have another value.
  private func attemptWords(_ old: Link.Settings) -> [String] {
    let next = conversation.plan.link
    let changes = [
      ("broker.reconnect", next.reconnect != old.reconnect),
      ("broker.connect_timeout", next.connectTimeout != old.connectTimeout),
      // How long it takes follows from broker.reconnect.
      ("broker.prefers_first", (next.prefersFirst == nil) != (old.prefersFirst == nil)),
    ]
    return changes.filter(\.1).map(\.0)
  }

  // MARK: Home automation

  /// What of a new plan is about it, for people.
  ///
  /// - Parameter isExplained: other changes are named, from which another description follows by itself.
  private func discoveryWords(_ old: DevicePlan, isExplained: Bool) -> [String] {
    let homeAssistant = (conversation.plan.homeAssistant, old.homeAssistant)
    let homie = (conversation.plan.homie?.device, old.homie?.device)
    let changes = [
      (
        "homeassistant",
        homeAssistant.0?.topic != homeAssistant.1?.topic
          || !isExplained
            && (homeAssistant.0?.message != homeAssistant.1?.message
              || homeAssistant.0?.handovers != homeAssistant.1?.handovers)
      ),
      ("homie", homie.0?.base != homie.1?.base || !isExplained && homie.0?.description != homie.1?.description),
    ]
    return changes.filter(\.1).map(\.0)
  }

  /// Describes the device as the new plan has it, and has the broker forget what left.
  private mutating func takeDiscovery(
    _ old: DevicePlan, without changed: Set<String>, _ difference: Difference, at now: Moment
  ) {
    let next = conversation.plan
    guard next.homeAssistant != nil || old.homeAssistant != nil || next.homie != nil || old.homie != nil else { return }
    storeAnnouncements(next: next.homeAssistant, homie: next.homie?.device.announcement)
    takeHomeAssistant(next.homeAssistant, old.homeAssistant, at: now)
    homie.adopt(
      next.homie, values: lastValues(without: changed), renewsConnection: difference.renewsConnection,
      limit: Farewell.limit, at: now, into: &conversation.effects)
  }

  private mutating func takeHomeAssistant(
    _ next: HomeAssistantDevice?, _ old: HomeAssistantDevice?, at now: Moment
  ) {
    guard next?.message != old?.message || next?.topic != old?.topic || next?.handovers != old?.handovers else {
      return
    }
    conversation.announcing.announcer.adopt(next)
    // The connection that a new configuration makes asks by itself.
    guard conversation.standing.connection != nil, !conversation.leaving.farewell.isUnderWay,
      next?.births != old?.births
    else { return }
    conversation.unwatchHomeAssistant(old, at: now)
    conversation.watchHomeAssistant(at: now)
    conversation.carryOut(at: now)
  }

  /// The last reading of each name that goes on.
  private func lastValues(without changed: Set<String>) -> [(name: String, content: Reading.Content)] {
    let streams = conversation.plan.streams
    return numbering.contents.compactMap { stream, content in
      let name = streams[stream].name
      return streams[stream].isRemoved || changed.contains(name) ? nil : (name, content)
    }
  }

  /// Once a Homie device has said good-bye the next one begins, and its topics are cleared where they are others.
  mutating func followHomie() {
    if let change = homie.follow() {
      if let gone = change.gone { conversation.announcing.announcer.clear(homie: gone) }
      let released = change.base.flatMap { conversation.announcing.announcer.release(homie: $0) }
      homie.begin(released: released)
      storeAnnouncements()
      if conversation.standing.connection != nil, !conversation.leaving.farewell.isUnderWay {
        homie.start()
      }
    }
    homie.startWithBirth(conversation.ownPresence.births)
  }
}
