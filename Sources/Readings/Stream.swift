import JSON
import LimpetInstants
import LimpetText
import MQTTCore
import Measuring
import NIOCore

/// The topic of one name's readings, and their form there.
package struct Stream: Sendable {
  package let name: String
  package let topic: TopicName
  package let qos: QoS
  package var isRetained: Bool
  package let format: PayloadFormat
  /// How a level reads in the format `plain`.
  package var levels = LevelTexts()
  /// The name takes no more readings; those that wait still go out.
  package var isRemoved = false
  /// The readings are events, such as edges or gestures: publishing one again would mean that it happened again.
  package var isEvent = false
  /// The precision of `time` in messages: the kernel's times of edges deserve more digits than a sensor's.
  package var timePrecision = Timestamp.Precision.milliseconds

  package init(
    name: String, topic: TopicName, qos: QoS, isRetained: Bool, format: PayloadFormat,
    levels: LevelTexts = LevelTexts(), isRemoved: Bool = false,
    timePrecision: Timestamp.Precision = Timestamp.Precision.milliseconds
  ) {
    self.name = name
    self.topic = topic
    self.qos = qos
    self.isRetained = isRetained
    self.format = format
    self.levels = levels
    self.isRemoved = isRemoved
    self.timePrecision = timePrecision
  }

  /// The message of a reading.
  ///
  /// - Parameter isNewest: no other reading of this name waits behind it; only then it replaces the retained value.
  package func message(
    _ reading: Reading, _ label: TimeLabel, isNewest: Bool = true, _ version: ProtocolVersion
  ) -> Message {
    var properties = Properties()
    let payload: ByteBuffer
    switch format {
    case .json: payload = json(reading, label)
    case .plain:
      payload = plain(reading.content)
      if version == .v5 { properties = Self.userProperties(reading, label, timePrecision) }
    }
    // A gap is about the past: it must not replace the retained value.
    let isKept = if case .gap = reading.content { false } else { isRetained && isNewest }
    return Message(topic: topic, payload: payload, qos: qos, retain: isKept, properties: properties)
  }

  private func json(_ reading: Reading, _ label: TimeLabel) -> ByteBuffer {
    var object = JSONObject()
    object.add("time", label.time, timePrecision)
    object.addValue(of: reading)
    object.addQuality(of: reading.content)
    object.add("seq", reading.sequence)
    if reading.restarted { object.add("restarted", true) }
    if !label.isCertain { object.add("time_uncertain", true) }
    return object.finish()
  }

  /// The value alone, several as a JSON object; empty where there is none.
  private func plain(_ content: Reading.Content) -> ByteBuffer {
    switch content {
    case .good(let value), .doubtful(let value, _): plain(value)
    case .edge(let edge): ByteBuffer(string: levels.text(of: edge.isRising))
    case .total(let total): ByteBuffer(string: total.value.shortestDecimal)
    case .output(let output): plain(output.value)
    case .gap, .bad: ByteBuffer()
    }
  }

  private func plain(_ value: Value) -> ByteBuffer {
    switch value {
    case .number(let number): ByteBuffer(string: number.shortestDecimal)
    case .flag(let level): ByteBuffer(string: levels.text(of: level))
    case .channels(let channels): JSONObject.of(channels.map { ($0.name, $0.value) })
    case .integer, .text: ByteBuffer(string: value.description)
    }
  }

  /// The fields that JSON has besides the value, under the same names.
  private static func userProperties(
    _ reading: Reading, _ label: TimeLabel, _ precision: Timestamp.Precision
  ) -> Properties {
    var properties = Properties()
    properties.addUserProperty("time", label.time.text(precision))
    if let unit = reading.unit { properties.addUserProperty("unit", unit) }
    if case .channels(let channels)? = reading.content.measured?.value {
      let units = channels.compactMap { channel in channel.unit.map { (channel.name, Value?.some(.text($0))) } }
      properties.addUserProperty("units", String(buffer: JSONObject.of(units)))
    }
    properties.addUserProperty("seq", String(reading.sequence))
    switch reading.content {
    case .good: properties.addUserProperty("quality", "good")
    case .edge(let edge):
      properties.addUserProperty("quality", "good")
      properties.addUserProperty("edge", edge.name)
      if edge.isSuspect { properties.addUserProperty("suspect", "true") }
    case .total(let total):
      properties.addUserProperty("quality", "good")
      properties.addUserProperty("rate", total.rate.shortestDecimal)
      properties.addUserProperty("generation", String(total.generation))
    case .gap(let lost):
      properties.addUserProperty("quality", "gap")
      properties.addUserProperty("lost", String(lost))
    case .output(let output):
      properties.addUserProperty("quality", output.doubt?.grade.rawValue ?? "good")
      properties.addUserProperty("cause", output.cause.rawValue)
      if let doubt = output.doubt { properties.addUserProperty("error", doubt.reason) }
    case .doubtful(_, let doubt):
      properties.addUserProperty("quality", doubt.grade.rawValue)
      properties.addUserProperty("error", doubt.reason)
    case .bad(let reason):
      properties.addUserProperty("quality", "bad")
      properties.addUserProperty("error", reason)
    }
    if reading.restarted { properties.addUserProperty("restarted", "true") }
    if !label.isCertain { properties.addUserProperty("time_uncertain", "true") }
    return properties
  }
}

extension JSONObject {
  /// What was measured, with its unit.
  package mutating func addValue(of reading: Reading) {
    switch reading.content {
    case .good(.channels(let channels)), .doubtful(.channels(let channels), _):
      add("values", channels.map { ($0.name, $0.value) })
      add("units", channels.compactMap { channel in channel.unit.map { (channel.name, .text($0)) } })
    case .good(let value), .doubtful(let value, _): add("value", value)
    case .edge(let edge):
      add("value", edge.isRising)
      add("edge", edge.name)
      if edge.isSuspect { add("suspect", true) }
    case .output(let output):
      add("value", output.value)
      add("cause", output.cause.rawValue)
    case .total(let total):
      add("value", total.value)
      add("rate", total.rate)
    case .gap, .bad: addNull("value")
    }
    if let unit = reading.unit { add("unit", unit) }
    if case .total(let total) = reading.content { add("generation", UInt64(total.generation)) }
  }

  /// Why a value is doubtful or bad; nothing for a good one.
  package mutating func addQuality(of content: Reading.Content) {
    switch content {
    case .good, .edge, .total: break
    case .output(let output):
      guard let doubt = output.doubt else { break }
      add("quality", doubt.grade.rawValue)
      add("error", doubt.reason)
    case .gap(let lost):
      add("quality", "gap")
      add("lost", lost)
    case .doubtful(_, let doubt):
      add("quality", doubt.grade.rawValue)
      add("error", doubt.reason)
    case .bad(let reason):
      add("quality", "bad")
      add("error", reason)
    }
  }
}

extension Reading.Edge {
  fileprivate var name: String { isRising ? "rising" : "falling" }
}
