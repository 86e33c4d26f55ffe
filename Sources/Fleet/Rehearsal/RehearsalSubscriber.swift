internal import CLimpetLinux
import Configuration
import LimpetInstants
import LimpetPlatform
import Logging
import MQTT
import MQTTCore
import NIOCore
import Planning
import Readings
import Synchronization

/// Subscribes to the devices: each status, and each reading by its number.
///
/// It is on an event loop of its own, so that times are right while the fleet's is busy, and leaves what it receives
/// for the fleet to take. Readings come by QoS 1 in a session that the broker keeps: every reading that the broker
/// acknowledged must arrive here, even if the broker was restarted in between.
final class RehearsalSubscriber: ClientDelegate {
  enum Heard: Sendable {
    case state(device: Int, StateWatch.Seen, at: BootClock.Instant)
    case reading(slot: Int, number: UInt64)
    /// All subscriptions are made.
    case ready(keptSession: Bool, at: BootClock.Instant)
    /// nil: no other attempt follows.
    case lost(String, retryAfter: Duration?)
    case refused(String)
  }

  private struct State {
    var heard: [Heard] = []
    var client: Client?
    var hasConnected = false
    /// Of the connection that there is.
    var sessionPresent = false
  }

  static let clientIdentifier = "sim-subscriber"
  private let configuration: Client.Configuration
  private let connect: Connect
  private let eventLoop: any EventLoop
  private let count: Int
  private let slots: [String: Int]
  private let filters: [Subscription]
  private let online: [UInt8]
  private let offline: [UInt8]
  private let state = Mutex(State())
  private let run = String(UInt32.random(in: 0 ... .max), radix: 16)

  /// - Throws: never for names that a configuration can have.
  init(
    _ configuration: Configuration, _ template: DeviceTemplate, count: Int, _ lookUp: GuardedLookUp,
    eventLoop: any EventLoop
  ) throws(PlanError) {
    var client = Client.Configuration(configuration.link, tls: configuration.tls)
    client.lookUp = { try await lookUp.addresses($0, $1) }
    self.configuration = client
    var connect = configuration.connectPacket(device: "")
    connect.clientIdentifier = Self.clientIdentifier
    connect.properties.sessionExpiryInterval = 600
    connect.keepAlive = 30
    self.connect = connect
    self.eventLoop = eventLoop
    self.count = count
    slots = Dictionary(template.names.enumerated().map { ($1, $0) }) { first, _ in first }
    func filter(_ name: String) throws(PlanError) -> TopicFilter {
      let text = DeviceTemplate.topic("+", name)
      do { return try TopicFilter(text) } catch { throw .topic(text, error) }
    }
    // At QoS 0 no broker queues it behind acknowledgements.
    var filters = [Subscription(try filter("status"), qos: .atMostOnce)]
    for name in template.names { filters.append(Subscription(try filter(name), qos: .atLeastOnce)) }
    self.filters = filters
    online = Array(template.presence.online.utf8)
    offline = Array(template.presence.offline.utf8)
  }

  func start() {
    let client = Client(configuration, delegate: self, eventLoop: eventLoop, logger: Logger(label: "limpet.simulate"))
    state.withLock { $0.client = client }
    eventLoop.execute { client.assumeIsolated { $0.start() } }
  }

  /// Ends its session at the broker.
  func stop(within limit: Duration) async {
    guard let client = state.withLock({ $0.client }) else { return }
    var properties = Properties()
    properties.sessionExpiryInterval = 0
    await client.disconnect(properties: properties, within: limit)
  }

  /// Messages since the last call.
  func take() -> [Heard] {
    state.withLock { state in
      guard !state.heard.isEmpty else { return [] }
      defer { state.heard = [] }
      return state.heard
    }
  }

  private func put(_ heard: Heard) { state.withLock { $0.heard.append(heard) } }

  // MARK: ClientDelegate

  func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect {
    var connect = connect
    if version == .v5 {
      // A name of its own has no session yet: mosquitto 2.0.11 saves none that began with Clean Start for its restart.
      connect.clientIdentifier += "-\(run)"
      connect.cleanStart = false
    } else {
      // On 3.1.1 a session has no end: this one uses a session again that an earlier rehearsal has left.
      connect.cleanStart = state.withLock { !$0.hasConnected }
    }
    return connect
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connected(let connected, _):
      state.withLock { state in
        state.sessionPresent = connected.sessionPresent || !state.hasConnected
        state.hasConnected = true
      }
      do throws(Session.Rejection) { try client.subscribe(filters, token: 1) } catch { put(.refused("\(error)")) }
    case .answered(_, let codes):
      if let code = codes.first(where: \.isError) { return put(.refused("the broker says \(code)")) }
      put(.ready(keptSession: state.withLock { $0.sessionPresent }, at: .now))
    case .message(let delivery): heard(delivery.message)
    case .lost(let loss, let delay): put(.lost("\(loss)", retryAfter: delay))
    case .connecting, .settled, .remarked, .storing, .stored, .ready: break
    }
  }

  private func heard(_ message: Message) {
    let levels = "\(message.topic)".split(separator: "/", omittingEmptySubsequences: false)
    guard levels.count == 3, let device = DeviceTemplate.index(ofID: levels[1]), device < count else { return }
    guard levels[2] != "status" else {
      let payload = message.payload.readableBytesView
      let seen: StateWatch.Seen =
        payload.isEmpty
        ? .nothing : payload.elementsEqual(online) ? .online : payload.elementsEqual(offline) ? .offline : .other
      return put(.state(device: device, seen, at: .now))
    }
    // A retained reading was received when it was new.
    guard !message.retain, let slot = slots[String(levels[2])], let number = ReadingNumber.of(message) else { return }
    put(.reading(slot: device * slots.count + slot, number: number))
  }
}

/// Finds a reading's number without reading all of it.
enum ReadingNumber {
  private static let key = Array("\"seq\":".utf8)

  static func of(_ message: Message) -> UInt64? {
    if let text = message.properties.userProperties.first(where: { $0.0 == "seq" })?.1 { return UInt64(text) }
    return message.payload.withUnsafeReadableBytes { bytes in
      guard bytes.count > key.count else { return nil }
      // Little stands behind it.
      for start in stride(from: bytes.count - key.count, through: 0, by: -1) {
        guard bytes[start] == key[0], bytes[start..<start + key.count].elementsEqual(key) else { continue }
        var number: UInt64 = 0
        var end = start + key.count
        while end < bytes.count, (0x30...0x39).contains(bytes[end]) {
          number = number &* 10 &+ UInt64(bytes[end] - 0x30)
          end += 1
        }
        return end > start + key.count ? number : nil
      }
      return nil
    }
  }
}
