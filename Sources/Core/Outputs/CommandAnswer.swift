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

/// What is to be said of an output, for people.
package enum OutputNote: Sendable, Equatable {
  case held(name: String, description: String)
  case failed(name: String, reason: String)
  case differs(name: String, reason: String)
  case refused(name: String, reason: String, count: UInt64)
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
