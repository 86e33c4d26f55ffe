import Measuring
import Readings

/// An output's place in the driver of outputs: it stays the same for as long as the output is driven in one way.
package struct OutputID: Hashable, Sendable, Comparable {
  package let place: Int

  package init(place: Int) { self.place = place }

  package static func < (left: Self, right: Self) -> Bool { left.place < right.place }
}

/// An output of the configuration, ready to be driven.
package struct OutputPlan: Sendable, Equatable {
  package let name: String
  /// What its states belong to.
  package var stream: StreamID
  package let request: OutputRequest
  package var rules: OutputRules

  package init(name: String, stream: StreamID, request: OutputRequest, rules: OutputRules) {
    self.name = name
    self.stream = stream
    self.request = request
    self.rules = rules
  }

  /// Whether it knows only on and off.
  package var isSwitch: Bool { if case .gpio = request { true } else { false } }

  package func value(of level: OutputLevel) -> Value { isSwitch ? .flag(level.isOn) : .number(level.percent) }
}
