import MQTT
import NIOCore
import Sensing

/// Where the readings of one name go and how they look there.
struct Stream: Sendable {
  let name: String
  let topic: TopicName
  let qos: QoS
  let isRetained: Bool
  let format: Configuration.PayloadFormat

  /// The message of a reading, labelled with the wall time as `clock` has it now.
  func message(_ reading: Reading, _ clock: WallClock, _ version: ProtocolVersion) -> Message {
    let time = clock.time(of: reading.time)
    var properties = Properties()
    let payload: ByteBuffer
    switch format {
    case .json: payload = Self.json(reading, time, isCertain: clock.isSynchronized)
    case .plain:
      payload = Self.plain(reading)
      if version == .v5 { properties = Self.userProperties(reading, time) }
    }
    return Message(topic: topic, payload: payload, qos: qos, retain: isRetained, properties: properties)
  }

  private static func json(_ reading: Reading, _ time: Timestamp, isCertain: Bool) -> ByteBuffer {
    var object = JSONObject()
    object.add("time", time.description)
    switch reading.content {
    case .good(let value): object.add("value", value)
    case .bad: object.addNull("value")
    }
    if let unit = reading.unit { object.add("unit", unit) }
    if case .bad(let reason) = reading.content {
      object.add("quality", "bad")
      object.add("error", reason)
    }
    object.add("seq", reading.sequence)
    if reading.restarted { object.add("restarted", true) }
    if !isCertain { object.add("time_uncertain", true) }
    return object.finish()
  }

  /// The value alone; empty where there is none.
  private static func plain(_ reading: Reading) -> ByteBuffer {
    switch reading.content {
    case .good(.number(let number)): ByteBuffer(string: number.shortestDecimal)
    case .good(let value): ByteBuffer(string: value.description)
    case .bad: ByteBuffer()
    }
  }

  private static func userProperties(_ reading: Reading, _ time: Timestamp) -> Properties {
    var properties = Properties()
    properties.addUserProperty("time", time.description)
    if let unit = reading.unit { properties.addUserProperty("unit", unit) }
    properties.addUserProperty("seq", String(reading.sequence))
    switch reading.content {
    case .good: properties.addUserProperty("quality", "good")
    case .bad(let reason):
      properties.addUserProperty("quality", "bad")
      properties.addUserProperty("error", reason)
    }
    return properties
  }
}
