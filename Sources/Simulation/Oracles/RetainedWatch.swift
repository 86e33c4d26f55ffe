import Discovery
import JSON
import LimpetInstants
import MQTTCore
import NIOCore
import Presence

/// H2: what a broker keeps for later subscribers, the newest reading of each retained topic and the descriptions for home
/// automation, is there once nothing goes wrong any more, also where the broker had lost it.
struct RetainedWatch: Sendable {
  /// By broker: it does something to messages that no answer shows, so nobody can know what it keeps.
  private var hiding: [Int]
  /// It has done so since it said that it has no session for the device; the same for the Homie device.
  private var isDoubtful: [Bool]
  private var isHomieDoubtful: [Bool]
  /// Since when the Homie device is connected where it is.
  private(set) var homieSince: WorldTime?
  var longestHomieWait = Duration.zero
  private(set) var lastHealth: WorldTime?

  init(_ device: DeviceModel) {
    hiding = Array(repeating: 0, count: device.brokerCount)
    isDoubtful = Array(repeating: false, count: device.brokerCount)
    isHomieDoubtful = isDoubtful
  }

  private static func hides(_ kind: ActionKind) -> Bool {
    switch kind {
    case .noRetain, .maximumQoS, .denyByCode, .denyByCodeAndClose, .denySilently, .loseAcknowledgements, .rollback:
      true
    default: false
    }
  }

  mutating func begins(_ action: Action, broker: Int) {
    guard Self.hides(action.kind) else { return }
    if action.kind.lasts { hiding[broker] += 1 }
    isDoubtful[broker] = true
    isHomieDoubtful[broker] = true
  }

  mutating func ends(_ action: Action, broker: Int) { if Self.hides(action.kind) { hiding[broker] -= 1 } }

  mutating func saw(_ record: BrokerRecord, broker: Int) {
    switch record.what {
    case .connected(DeviceModel.client, _, sessionPresent: false, _):
      if hiding[broker] == 0 { isDoubtful[broker] = false }
    case .connected(DeviceModel.homieClient, _, _, _):
      homieSince = record.time
      if hiding[broker] == 0 { isHomieDoubtful[broker] = false }
    case .accepted(DeviceModel.client, _, let publish) where publish.message.topic == DeviceModel.healthTopic:
      lastHealth = record.time
    default: break
    }
  }

  func isKnown(_ broker: Int) -> Bool { !isDoubtful[broker] }
  func isHomieKnown(_ broker: Int) -> Bool { !isHomieDoubtful[broker] }
}

extension World {
  /// At the end of a run, connected: the broker has all of it.
  mutating func checkRetained() {
    guard !oracles.hadTwin, let server = boards[0].core.server else { return }
    checkHealth()
    if !script.lasting.isLimit { checkHomie() }
    let index = oracles.device.index(of: server)
    guard oracles.retained.isKnown(index), boards[0].core.isRetaining, !boards[0].core.hasRestingTopics else { return }
    let plan = boards[0].core.plan
    checkBirth(index, plan.presence)
    if let homeAssistant = plan.homeAssistant {
      let kept = brokers[index].retainedMessage(homeAssistant.topic, at: now)?.payload
      guard kept == homeAssistant.message else {
        let text = kept == nil ? "nothing" : "another description"
        return oracles.fail("H2", "broker \(index) has \(text) of the device for Home Assistant", at: now)
      }
    }
    guard boards[0].core.failedRestorations == 0, !oracles.readings.mayBeginAnew else { return }
    for (id, stream) in zip(plan.streams.streamIDs, plan.streams) where stream.isRetained && !stream.isRemoved {
      // Something newer is on its way.
      if boards[0].core.hasWaiting(of: id) { continue }
      guard let newest = oracles.readings.newest(on: stream.topic) else { continue }
      let message = brokers[index].retainedMessage(stream.topic, at: now)
      let number = message?.payload.withUnsafeReadableBytes { ReadingFields($0).number } ?? nil
      guard number != newest else { continue }
      let text = number.map { "\($0)" } ?? "nothing"
      return oracles.fail("H2", "broker \(index) keeps \(text) of \(stream.name), whose newest is \(newest)", at: now)
    }
  }

  /// What the last birth says is of this process, and of the version that runs.
  private mutating func checkBirth(_ index: Int, _ presence: PresenceMessages) {
    guard boards[0].core.birthAnswer == .acknowledged, !oracles.presence[index].isIncomplete else { return }
    let kept = brokers[index].retainedMessage(DeviceModel.presenceTopic, at: now)
    let fields = kept.flatMap { JSONValue(parsing: $0.payload.readableBytesView) }
    let words = ["instance", "version", "event"].map { fields?[$0]?.text }
    guard words != [presence.instance, presence.version, "birth"] else { return }
    let text = kept.map { String(buffer: $0.payload) } ?? "nothing"
    oracles.fail("H2", "broker \(index) has another birth than \(presence.instance)'s: \(text)", at: now)
  }

  /// The Homie device says all of itself with each connection, so where it is connected it is described.
  private mutating func checkHomie() {
    guard let homie = boards[0].core.plan.homie else { return }
    let wait = oracles.retained.longestHomieWait
    guard let index = brokers.indices.first(where: { brokers[$0].connection(of: DeviceModel.homieClient) != nil })
    else {
      if healing.duration(to: now) > wait + .seconds(280) {
        oracles.fail("I8", "the Homie device is not connected", at: now)
      }
      return
    }
    guard oracles.retained.isHomieKnown(index), let since = oracles.retained.homieSince,
      max(since, healing) + .seconds(30) < now
    else { return }
    let state = brokers[index].retainedMessage(DeviceModel.homieState, at: now).map { String(buffer: $0.payload) }
    guard state == "ready" else {
      return oracles.fail("H2", "broker \(index) has \(state ?? "nothing") as the Homie device's state", at: now)
    }
    let description = brokers[index].retainedMessage(DeviceModel.homieDescription, at: now)?.payload
    guard description != homie.device.description else { return }
    oracles.fail("H2", "broker \(index) has another description of the Homie device, or none", at: now)
  }

  /// It says how it fares at its intervals.
  private mutating func checkHealth() {
    let interval = boards[0].core.plan.health.interval
    guard interval > .zero, let since = oracles.board.connectedSince, max(since, healing) + interval * 2 < now,
      !oracles.isOverloaded(script, boards[0].core.receiveMaximum)
    else { return }
    let last = oracles.retained.lastHealth
    guard last.map({ $0 + interval * 2 < now }) ?? true else { return }
    oracles.fail("I8", "connected, and the last health reading came \(last?.inSeconds ?? "never")", at: now)
  }
}
