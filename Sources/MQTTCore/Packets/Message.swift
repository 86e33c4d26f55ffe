import LimpetInstants
import NIOCore

/// An application message (MQTT 5.0 §3.3), to publish, as received, or as a will.
public struct Message: Sendable, Hashable {
  /// Where it is published; no wildcards ([MQTT-3.3.2-2]).
  public var topic: TopicName
  /// The application's bytes; there may be none (§3.3.3). A will has at most 65,535 of them (§3.1.3.4).
  public var payload: ByteBuffer
  /// Its quality of service (§4.3); from a server, the lower one of the publisher's and the subscription's.
  public var qos: QoS
  /// To a server: keep it as the topic's retained message. From a server: it was kept, and is older than the subscription.
  public var retain: Bool
  /// Properties of PUBLISH or of a will; not sent on 3.1.1.
  public var properties: Properties

  /// A message with bytes as its payload; by default at least once and not retained.
  public init(
    topic: TopicName, payload: ByteBuffer, qos: QoS = .atLeastOnce, retain: Bool = false,
    properties: Properties = Properties()
  ) {
    self.topic = topic
    self.payload = payload
    self.qos = qos
    self.retain = retain
    self.properties = properties
  }

  /// A message with a text as its payload, in UTF-8.
  public init(
    topic: TopicName, text: String, qos: QoS = .atLeastOnce, retain: Bool = false, properties: Properties = Properties()
  ) {
    self.init(topic: topic, payload: ByteBuffer(string: text), qos: qos, retain: retain, properties: properties)
  }

  /// The payload as text; bytes that are not UTF-8 are repaired.
  public var text: String { String(buffer: payload) }

  /// When its Message Expiry Interval has passed, counted from now; nil: it has none.
  func expiry(from now: BootClock.Instant) -> BootClock.Instant? {
    guard !properties.isEmpty, let interval = properties.messageExpiryInterval else { return nil }
    return now + .seconds(Int64(interval))
  }

  /// With what is left of its time, a second at least: what has been sent may be with the server, and goes on.
  func expiring(at expiry: BootClock.Instant?, _ now: BootClock.Instant) -> Message {
    guard let expiry else { return self }
    var message = self
    let (seconds, rest) = max(0, expiry.nanoseconds - now.nanoseconds).quotientAndRemainder(dividingBy: 1_000_000_000)
    message.properties.messageExpiryInterval = UInt32(clamping: max(1, seconds + (rest > 0 ? 1 : 0)))
    return message
  }

  /// After so much waiting: the expiry interval is shorter by the whole seconds of it ([MQTT-3.3.2-6] says so of
  /// servers).
  package func aged(by waited: Duration) -> Message {
    guard !properties.isEmpty, let interval = properties.messageExpiryInterval else { return self }
    var message = self
    let seconds = UInt32(clamping: waited.components.seconds)
    message.properties.messageExpiryInterval = interval > seconds ? interval - seconds : 1
    return message
  }

  /// Whether a server would take the properties of the PUBLISH that carries it. [MQTT-3.3.4-6]: only a server names
  /// subscriptions.
  var hasEncodableProperties: Bool {
    properties.isEmpty || properties.isEncodable(in: .packet(.publish)) && properties.subscriptionIdentifier == nil
  }

  /// Why no PUBLISH can carry it, whatever a server allows; nil: one can. To be asked before a message is kept for later:
  /// what cannot be written could not be read again either.
  package var flaw: MQTTSession.Rejection? {
    guard hasEncodableProperties else { return .notEncodable }
    let size = Publish.size(of: self, .v5)
    let maximum = UInt32.largestVariableByteInteger
    return size > Int(maximum) ? .tooLarge(bytes: size, maximum: maximum) : nil
  }
}
