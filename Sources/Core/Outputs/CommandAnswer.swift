import JSON
import LimpetInstants
import MQTTCore
import Measuring
import NIOCore
import Plan
import Readings

/// Who has asked something of an output, and is to be answered.
package enum Asker: Sendable, Equatable {
  /// A message: it is acknowledged, and answered where it says so (MQTT 5.0 §4.10).
  case broker(Session.Delivery, responseTopic: String?, correlation: ByteBuffer?)
  /// A message to the Homie device, for the output of this name.
  case homie(Session.Delivery, name: String)
  /// Over the control socket, under this number.
  case local(UInt64)
}

/// What became of a command.
package enum CommandAnswer: Sendable, Equatable {
  /// The output has this value.
  case done(Value?)
  /// It will be on, or off, after this time, and has this value until then.
  case pending(Value?, isOn: Bool, at: Timestamp)
  /// - Parameters:
  ///   - Value: what the output has; nil: it is not held.
  ///   - retryAfter: nil: it would be refused then as well.
  case refused(String, Value?, retryAfter: Duration? = nil)
}

extension CommandAnswer {
  /// What is counted.
  package enum Result: String, Sendable, CaseIterable { case done, pending, refused }

  package var result: Result {
    switch self {
    case .done: .done
    case .pending: .pending
    case .refused: .refused
    }
  }

  /// It is so, or will be.
  package var isDone: Bool { if case .refused = self { false } else { true } }

  /// For people.
  package var words: String {
    switch self {
    case .done(let value): value.map { "\($0)" } ?? "nothing"
    case .pending(_, let isOn, let time): "\(isOn ? "on" : "off") at \(time)"
    case .refused(let reason, _, _): "refused: \(reason)"
    }
  }
}

extension CommandAnswer {
  /// `{"ok":true,"value":true}`, `{"ok":false,"error":"…","value":false}`.
  package var json: ByteBuffer {
    var object = JSONObject()
    switch self {
    case .done(let value):
      object.add("ok", true)
      if let value { object.add("value", value) } else { object.addNull("value") }
    case .pending(let value, let isOn, let time):
      object.add("ok", true)
      if let value { object.add("value", value) } else { object.addNull("value") }
      object.add("pending", isOn ? "on" : "off")
      object.add("at", time.description)
    case .refused(let text, let value, let retryAfter):
      object.add("ok", false)
      object.add("error", text)
      if let value { object.add("value", value) } else { object.addNull("value") }
      if let retryAfter { object.add("retry_after", retryAfter / .seconds(1)) }
    }
    return object.finish()
  }
}

extension Message {
  /// When it means nothing any more (MQTT 5.0 §3.3.2.3.3); nil: it does not say.
  func expiry(at now: BootClock.Instant) -> BootClock.Instant? {
    properties.messageExpiryInterval.map { now + .seconds(Int64($0)) }
  }
}

/// What is to be said of an output, for people.
package enum OutputNote: Sendable, Equatable {
  case held(name: String, description: String)
  case failed(name: String, reason: String)
  case differs(name: String, reason: String)
  /// - name: nil: there is no such output.
  /// - count: of this output, and of this kind.
  case refused(name: String?, reason: String, count: UInt64)
  case controllerLost(name: String, after: Duration)
}

/// A report of the driver of outputs.
package struct DriverReport: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    case held(OutputLevel?, description: String)
    case failed(String)
    case driven(number: UInt64, readBack: OutputLevel?)
    case released
  }

  package let output: OutputID
  package let content: Content
  package let time: BootClock.Instant

  package init(output: OutputID, content: Content, time: BootClock.Instant) {
    self.output = output
    self.content = content
    self.time = time
  }
}
