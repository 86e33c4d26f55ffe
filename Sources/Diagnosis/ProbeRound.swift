import Configuration
import JSON
import LimpetInstants
import LimpetPlatform
import MQTTCore
import NIOCore
import Planning

/// The right to every topic that the agent would use besides status and presence: to publish readings, states of
/// outputs, health and descriptions for home automation, and to subscribe to commands.
///
/// Each gets one message that is not retained: a copy of the retained message, or, if there is none, a bad reading that
/// names the probe. For a description it is a text that is not JSON, which Home Assistant leaves alone: an empty one would
/// remove what that topic describes. The daemon is not connected meanwhile.
struct ProbeRound {
  private struct Use {
    var topic: TopicName
    var what: String
    var standIn: ByteBuffer
    /// Another program's description: who may only write there is not known to be heard.
    var isHandover = false
  }

  private static let remark = "limpet probe tries whether it may publish here"

  /// Topics that are tried; a configuration may have thousands.
  static let limit = 64

  private let uses: [Use]
  /// The subscriptions, and the messages that they bring.
  private let subscriptions: [(topic: TopicFilter, what: String)]
  /// The filter of commands, and where the agent sends its own word; nil: it takes no commands.
  private var fence: (filter: TopicFilter, topic: TopicName)?
  private let left: Int

  init(_ configuration: Configuration, device: String) {
    let names =
      configuration.inputs.map(\.name) + configuration.sensors.map(\.name) + configuration.outputs.map(\.name)
    let bad = JSONValue.object([
      ("time", .text("\(WallClock.now().time(of: .now))")), ("value", .null), ("quality", .text("bad")),
      ("error", .text(Self.remark)),
    ])
    let standIn = ByteBuffer(string: configuration.format == .json ? bad.compact : "")
    var uses = names.compactMap { name in
      (try? TopicName(configuration.topic.expanded(device: device, name: name))).map {
        Use(topic: $0, what: "reading \(name)", standIn: standIn)
      }
    }
    left = max(0, uses.count - Self.limit)
    uses = Array(uses.prefix(Self.limit))
    if configuration.health.interval > .zero, let topic = try? TopicName(TopicTemplate.health.expanded(device: device))
    {
      uses.append(Use(topic: topic, what: "health", standIn: ByteBuffer(string: "{}")))
    }
    if configuration.homeAssistant.isEnabled,
      let topic = try? TopicName(configuration.homeAssistant.topic(device: device))
    {
      let remark = ByteBuffer(string: Self.remark)
      uses.append(Use(topic: topic, what: "discovery by Home Assistant", standIn: remark))
      for (topic, _) in configuration.migratedTopics.prefix(Self.limit) {
        guard let topic = try? TopicName(topic) else { continue }
        uses.append(Use(topic: topic, what: "migrate_from", standIn: remark, isHandover: true))
      }
    }
    self.uses = uses
    var subscriptions: [(topic: TopicFilter, what: String)] = []
    if configuration.takesCommands, !configuration.outputs.isEmpty {
      let text = configuration.topic.expanded(device: device, name: "+") + "/set"
      let fence = configuration.topic.expanded(device: device, name: "fence") + "/set"
      if let filter = try? TopicFilter(text), let fence = try? TopicName(fence) {
        subscriptions.append((filter, "commands"))
        self.fence = (filter, fence)
      }
    }
    if configuration.homeAssistant.isEnabled {
      for birth in configuration.homeAssistant.birthTopics {
        if let topic = try? TopicFilter(birth) { subscriptions.append((topic, "the start of Home Assistant")) }
      }
    }
    self.subscriptions = subscriptions
  }

  /// A finding for each topic that is refused, and one for all that are not.
  func run(over link: ProbeLink, _ connected: Session.Connected) async -> [ProbeFinding] {
    guard !uses.isEmpty || !subscriptions.isEmpty else { return [] }
    var findings: [ProbeFinding] = []
    var taken: [String] = []
    for use in uses {
      guard await link.loss == nil else { break }
      let subscription = await link.subscribe(to: use.topic, within: Probe.answerLimit)
      if let loss = await link.loss {
        // RabbitMQ 3 does so where the right to read is missing, which the agent itself does not need.
        findings.append(
          .failed(
            "cannot see whether it may publish to \(use.topic) (\(use.what)): the broker ended the connection after a "
              + "subscription to it: \(loss). Allow this device to read its own topics too"))
        break
      }
      let finding = await attempt(use, subscription, over: link, connected)
      if let finding { findings.append(finding) } else { taken.append("\(use.topic)") }
      if let loss = await link.loss {
        findings.append(
          .failed("the broker ended the connection after a message to \(use.topic) (\(use.what)): \(loss)"))
      }
    }
    let more = left > 0 ? "; \(left) more were not tried" : ""
    switch taken.count {
    case 0: break
    case 1: findings.insert(.ok("may publish to \(taken[0])\(more)"), at: 0)
    default:
      findings.insert(
        .ok("may publish to \(taken.count) more topics, \(taken[0]) to \(taken[taken.count - 1])\(more)"), at: 0)
    }
    return findings + (await subscribe(over: link))
  }

  private func subscribe(over link: ProbeLink) async -> [ProbeFinding] {
    var findings: [ProbeFinding] = []
    var count = 0
    for (topic, what) in subscriptions {
      guard await link.loss == nil else { break }
      switch await link.subscribe(to: topic, within: Probe.answerLimit) {
      case nil: findings.append(.failed("cannot subscribe to \(topic) (\(what)): the broker did not answer"))
      case .some(let code) where code.isError:
        findings.append(
          .failed(
            "no right to subscribe to \(topic) (\(what)): \(code); the agent would receive nothing there. Allow it on the broker"
          ))
      case .some:
        count += 1
        if let fence, fence.filter == topic { findings += await hearsItself(on: fence.topic, over: link) }
      }
    }
    if count > 0 {
      let topics = count == 1 ? "\(subscriptions[0].topic)" : "\(count) more topics, \(subscriptions[0].topic) first"
      findings.insert(.ok("may subscribe to \(topics)"), at: 0)
    }
    return findings
  }

  /// What separates old commands from new ones: without it the agent obeys none after a connection was lost.
  private func hearsItself(on fence: TopicName, over link: ProbeLink) async -> [ProbeFinding] {
    var generator = SystemRandomNumberGenerator()
    let payload = ByteBuffer(string: String(generator.next() as UInt64, radix: 16))
    let outcome = await link.publish(
      Message(topic: fence, payload: payload, qos: .atLeastOnce), within: Probe.answerLimit)
    let echo = await link.message(within: Probe.echoLimit) { $0.topic == fence && $0.payload == payload }
    guard echo == nil else { return [] }
    let reason = if case .refused(let code)? = outcome { ": \(code)" } else { "" }
    return [
      .failed(
        "the broker does not return limpet's own message on \(fence)\(reason): the agent cannot know which commands are old, "
          + "and obeys none. Allow it to publish there, and to read what comes")
    ]
  }

  /// nil: the broker accepts it.
  private func attempt(
    _ use: Use, _ subscription: ReasonCode?, over link: ProbeLink, _ connected: Session.Connected
  ) async -> ProbeFinding? {
    let topic = use.topic
    let kept = await link.message(within: .milliseconds(20)) { $0.retain && $0.topic == topic }
    let message = Message(topic: topic, payload: kept?.payload ?? use.standIn, qos: .atLeastOnce)
    let outcome = await link.publish(message.adapted(to: connected.limits), within: Probe.answerLimit)
    let publish = "publish to \(topic) (\(use.what))"
    switch outcome {
    case .refused(let code):
      return .failed(
        "no right to \(publish): \(code); the broker would drop what the agent publishes there. Allow it on the broker")
    case .rejected(let rejection): return .failed("cannot \(publish): \(rejection)")
    case .abandoned, nil: return .failed("cannot \(publish): the broker did not acknowledge it")
    case .delivered: break
    }
    // Up to 3.1.1 a broker acknowledges what it drops: whether the message comes back says more.
    guard connected.version == .v311 else { return nil }
    guard subscription?.isError == false else {
      guard use.isHandover else { return nil }
      return .warning(
        "cannot see whether it may \(publish): the broker acknowledged a message, and does not let this device subscribe "
          + "to the topic. Without that right Home Assistant would have the entity twice")
    }
    let payload = message.payload
    let echo = await link.message(within: Probe.echoLimit) {
      !$0.retain && $0.topic == topic && $0.payload == payload
    }
    guard echo == nil else { return nil }
    return .failed(
      "no right to \(publish), or to subscribe to it: the broker acknowledged a message and did not pass it on")
  }
}
