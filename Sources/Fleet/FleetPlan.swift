import Configuration
import Discovery
import JSON
import LimpetInstants
import LimpetText
import MQTTCore
import NIOCore
import Plan
import Planning
import Presence
import Readings

/// The load of a fleet of boards with one configuration on a broker, on paper: connections, messages, retained
/// messages, and the effects of an outage.
public struct FleetPlan {
  /// Assumptions that are not part of a configuration.
  public struct Assumptions: Sendable {
    /// Boards with this configuration.
    public var devices: Int
    /// Edges of each input that are published as they come, an hour.
    public var edges: Double
    /// How long the broker, or a subscriber, is away.
    public var outage: Duration

    public init(devices: Int, edges: Double, outage: Duration) {
      self.devices = devices
      self.edges = edges
      self.outage = outage
    }
  }

  /// Messages of one kind, of one device.
  private struct Flow {
    /// A second, at the most.
    var rate = 0.0
    /// Bytes of its PUBLISH packet.
    var bytes = 0
  }

  /// A limit of a broker that this fleet comes near.
  private struct Limit {
    let broker: String
    let name: String
    let standard: String
    let advice: String
  }

  private let configuration: Configuration
  private let plan: DevicePlan
  private let assumptions: Assumptions
  private let flows: [Flow]

  /// - Throws: if a topic is invalid.
  public init(_ configuration: Configuration, _ assumptions: Assumptions) throws {
    self.configuration = configuration
    self.assumptions = assumptions
    plan = try configuration.devicePlan(
      device: Self.typicalDevice, instance: "0123456789abcdef", board: BoardFacts(), memoryShare: nil)
    flows = Self.flows(plan, assumptions)
  }

  /// An id as `auto` makes one.
  private static let typicalDevice = "4i29zep3YxK0N9AlX5tRLl"

  // MARK: One device

  private static func flows(_ plan: DevicePlan, _ assumptions: Assumptions) -> [Flow] {
    var flows: [Flow] = []
    for sensor in plan.sensors {
      flows.append(flow(of: sensor.stream, plan, every: sensor.average?.window ?? sensor.interval, unit: "°C"))
    }
    for line in plan.inputs {
      if let measure = line.measure {
        flows.append(flow(of: line.stream, plan, every: measure.interval, unit: measure.unit))
      } else {
        let flow = flow(of: line.stream, plan, every: .seconds(1), unit: nil)
        flows.append(Flow(rate: assumptions.edges / 3600, bytes: flow.bytes))
      }
    }
    let status = size(of: plan.presence.will(epoch: 1, .v5))
    if plan.presence.lease > .zero {
      // `online` and `presence` are published again.
      flows.append(Flow(rate: .seconds(1) / plan.presence.lease, bytes: status))
      flows.append(Flow(rate: .seconds(1) / plan.presence.lease, bytes: presenceSize))
    }
    if plan.health.interval > .zero { flows.append(Flow(rate: .seconds(1) / plan.health.interval, bytes: healthSize)) }
    return flows
  }

  /// Of `presence`, and of a health reading, about.
  private static let presenceSize = 240
  private static let healthSize = 2_000

  private static func flow(of stream: StreamID, _ plan: DevicePlan, every interval: Duration, unit: String?) -> Flow {
    let now = BootClock.Instant(nanoseconds: 1_000_000_000_000_000)
    let content: Reading.Content =
      unit == nil ? .edge(Reading.Edge(isRising: true, isSuspect: false)) : .good(.number(21.5))
    let reading = Reading(stream: stream, content: content, unit: unit, time: now, sequence: 100_000, restarted: false)
    let label = TimeLabel(time: Timestamp(sinceEpoch: .seconds(1_795_176_000)), isCertain: true)
    return Flow(rate: .seconds(1) / interval, bytes: size(of: plan.streams[stream].message(reading, label, .v5)))
  }

  private static func size(of message: Message) -> Int {
    var buffer = ByteBuffer()
    Packet.publish(Publish(message, packetIdentifier: PacketIdentifier(rawValue: 1))).encode(into: &buffer, .v5)
    return buffer.readableBytes
  }

  /// Messages and their bytes a second.
  private var rate: Double { flows.reduce(0) { $0 + $1.rate } }
  /// Those messages that wait during an outage.
  private var readingRate: Double { flows.prefix(plan.sensors.count + plan.inputs.count).reduce(0) { $0 + $1.rate } }
  private var byteRate: Double { flows.reduce(0) { $0 + $1.rate * Double($1.bytes) } }

  /// PINGREQ and PINGRESP, where nothing else is sent for a keepalive.
  private var pingRate: Double {
    let keepAlive = configuration.broker.keepalive
    guard keepAlive > .zero else { return 0 }
    return max(0, .seconds(1) / keepAlive - rate)
  }

  /// Topics on which the broker keeps a message, and the bytes of these.
  private var retained: (topics: Int, bytes: Int) {
    var topics = 2
    var bytes = Self.size(of: plan.presence.will(epoch: 1, .v5)) + Self.presenceSize
    for stream in plan.streams where stream.isRetained {
      topics += 1
      bytes += 120 + stream.topic.description.utf8.count
    }
    if let device = plan.homeAssistant { (topics, bytes) = (topics + 1, bytes + device.message.readableBytes) }
    if plan.homie != nil { (topics, bytes) = (topics + 2 + plan.streams.count, bytes + plan.streams.count * 150) }
    return (topics, bytes)
  }

  private var connections: Int { plan.homie == nil ? 1 : 2 }

  /// CONNECT, SUBSCRIBE to its own topics and to commands, `online` and `presence`.
  private var packetsOfConnect: Int { 4 + (plan.commands == nil ? 0 : 2) + (plan.homeAssistant == nil ? 0 : 2) }

  // MARK: The fleet

  private var devices: Double { Double(assumptions.devices) }

  /// Connects a second: all within the first back-off if the broker is back at once, and spread over the longest one
  /// after a longer outage.
  private var storm: (first: Double, later: Double) {
    let reconnect = plan.link.reconnect
    let all = devices * Double(connections)
    func spread(_ delay: Duration) -> Double { all / max(delay / .seconds(1), 0.001) }
    return (spread(reconnect.minimum), spread(reconnect.maximum))
  }

  /// Readings that wait on one device after the outage, and how long they take to be sent.
  private var backlog: (readings: Double, seconds: Double) {
    let readings = readingRate * (assumptions.outage / .seconds(1))
    return (readings, readings / Double(configuration.storage.drainRate))
  }

  // MARK: Messages

  /// Name and text of each row.
  private var rows: [(String, String)] {
    let all = devices
    let perConnection = "\(connections == 1 ? "one" : "two") a device"
    let (topics, bytes) = retained
    let waiting = backlog
    var rows = [
      ("devices", Self.count(all)),
      ("connections", "\(Self.count(all * Double(connections))), \(perConnection)"),
      (
        "messages",
        "at most \(Self.number(rate * all)) a second, \((byteRate * all).bytesInWords) a second of PUBLISH; each subscriber of "
          + "all gets as much (one device: \(Self.number(rate)) a second)"
      ),
      ("pings", "\(Self.number(pingRate * all)) a second each way"),
      ("retained", "\(Self.count(Double(topics) * all)) topics, about \((Double(bytes) * all).bytesInWords)"),
      (
        "reconnects",
        "\(Self.number(storm.first)) connects a second where the broker is back at once, \(Self.number(storm.later)) after "
          + "a long outage; \(packetsOfConnect) packets and their answers each"
      ),
      (
        "outage",
        "of \(assumptions.outage.inWords): \(Self.count(waiting.readings)) readings wait on each device, "
          + "\(Self.count(waiting.readings * all)) in all; each takes \(Self.seconds(waiting.seconds)) to send them"
      ),
      (
        "subscriber",
        "away for \(assumptions.outage.inWords) with a session: the broker keeps \(Self.count(waiting.readings * all)) "
          + "messages, \((byteRate * all * (assumptions.outage / .seconds(1))).bytesInWords)"
      ),
    ]
    for limit in limits { rows.append((limit.broker, "\(limit.name) (\(limit.standard)): \(limit.advice)")) }
    rows.append(("limits", (limits.isEmpty ? "none of the defaults is touched, " : "") + "as of \(Self.limitsDate)"))
    return rows
  }

  /// As people read it.
  public var text: String {
    rows.map { $0.0.padded(to: 11) + " " + $0.1 }.joined(separator: "\n")
  }

  public var json: String {
    let (topics, bytes) = retained
    var object = JSONObject(capacity: 1024)
    object.add("devices", UInt64(assumptions.devices))
    object.add("connections", UInt64(assumptions.devices * connections))
    object.add("messages_per_second", Self.rounded(rate * devices))
    object.add("bytes_per_second", Self.rounded(byteRate * devices))
    object.add("pings_per_second", Self.rounded(pingRate * devices))
    object.add("retained_topics", Self.rounded(Double(topics) * devices))
    object.add("retained_bytes", Self.rounded(Double(bytes) * devices))
    object.add("connects_per_second_at_once", Self.rounded(storm.first))
    object.add("connects_per_second_later", Self.rounded(storm.later))
    object.add("outage_seconds", Self.rounded(assumptions.outage / .seconds(1)))
    object.add("backlog_readings", Self.rounded(backlog.readings * devices))
    object.add("backlog_seconds", Self.rounded(backlog.seconds))
    object.add("subscriber_bytes", Self.rounded(byteRate * devices * (assumptions.outage / .seconds(1))))
    object.add("limits_as_of", Self.limitsDate)
    object.add(
      "limits",
      list: limits.map { limit in
        var entry = JSONObject()
        entry.add("broker", limit.broker)
        entry.add("name", limit.name)
        entry.add("standard", limit.standard)
        entry.add("advice", limit.advice)
        return entry.finish()
      })
    return String(buffer: object.finish())
  }

  // MARK: Limits

  private static let limitsDate = "November 2026, mosquitto 2.0 and RabbitMQ 4.1"

  /// Of those that mosquitto (mosquitto.conf(5)) and RabbitMQ (its MQTT guide) have by default at `limitsDate`, the ones
  /// that this fleet touches.
  private var limits: [Limit] {
    var limits: [Limit] = []
    let sockets = devices * Double(connections)
    if sockets > 1000 {
      limits.append(
        Limit(
          broker: "mosquitto", name: "open files", standard: "1024 of Debian's unit",
          advice: "LimitNOFILE=\(Int(sockets * 1.2)) in a drop-in of mosquitto.service"))
    }
    let queued = backlog.readings * devices
    if queued > 1000 {
      limits.append(
        Limit(
          broker: "mosquitto", name: "max_queued_messages", standard: "1000 for each client",
          advice: "a subscriber that is away for \(assumptions.outage.inWords) loses all but the first 1000 of "
            + "\(Self.count(queued)); raise it, and max_queued_bytes with it"))
    }
    if rate * devices > 20_000 {
      limits.append(
        Limit(
          broker: "mosquitto", name: "one thread", standard: "of one processor",
          advice:
            "\(Self.number(rate * devices)) messages a second and one subscriber may be more than it can handle: measure, "
            + "or use a cluster"))
    }
    if sockets > 50_000 {
      limits.append(
        Limit(
          broker: "RabbitMQ", name: "connections", standard: "by memory, about 100 KB each",
          advice: "\((sockets * 100_000).bytesInWords) for connections alone; see its MQTT guide on buffer sizes"))
    }
    if !configuration.broker.cleanStart, case .after(let expiry) = configuration.broker.sessionExpiry, expiry > .days(1)
    {
      limits.append(
        Limit(
          broker: "RabbitMQ", name: "mqtt.max_session_expiry_interval_seconds", standard: "86400",
          advice:
            "session_expiry is \(expiry.inWords), but RabbitMQ keeps sessions for a day only: raise this, or lose "
            + "after a day what was in flight"))
    }
    if configuration.qos == 2 {
      limits.append(
        Limit(
          broker: "RabbitMQ", name: "QoS 2", standard: "not there",
          advice: "readings go at QoS 1: a duplicate is possible"))
    }
    return limits
  }

  // MARK: Words

  private static func count(_ number: Double) -> String {
    var digits = String(Int64(number.rounded(.up)))
    var place = digits.endIndex
    while digits.distance(from: digits.startIndex, to: place) > 3 {
      place = digits.index(place, offsetBy: -3)
      digits.insert(" ", at: place)
    }
    return digits
  }

  private static func number(_ number: Double) -> String {
    number >= 100 ? count(number) : ((number * 100).rounded() / 100).shortestDecimal
  }

  private static func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }

  private static func seconds(_ seconds: Double) -> String {
    Duration.seconds(min(max(1, seconds.rounded(.up)), 3.15e9)).inWords
  }
}
