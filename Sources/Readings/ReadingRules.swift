/// The configured rules for values that were measured.

/// How far a value must move to be published.
public enum ChangeThreshold: Sendable, Equatable {
  /// In the reading's unit, more than zero.
  case absolute(Double)
  /// A part of the value last published, more than zero.
  case percent(Double)
}

/// Includes both bounds; nil: there is no range.
public struct ValueRange: Sendable, Equatable {
  public var min: Double?
  public var max: Double?

  package init(min: Double? = nil, max: Double? = nil) {
    self.min = min
    self.max = max
  }
}

/// One value of several.
public struct Average: Sendable, Equatable {
  public enum Statistic: String, Sendable, CaseIterable {
    case mean, median, min, max
  }

  public var statistic: Statistic
  /// At least `interval`.
  public var window: Duration

  package init(statistic: Statistic, window: Duration) {
    self.statistic = statistic
    self.window = window
  }

  /// Samples of a window, at most.
  package static let sampleLimit = 10_000
}

/// Which readings of a name wait for the broker.
public enum Keep: String, Sendable, CaseIterable {
  case all
  /// The newest.
  case latest
}

/// How a reading looks on its topic.
public enum PayloadFormat: String, Sendable, CaseIterable {
  case json, plain
}

/// What stands for true and for false where a level is text.
public struct LevelTexts: Sendable, Equatable {
  public var on: String
  public var off: String

  public init(on: String = "true", off: String = "false") {
    self.on = on
    self.off = off
  }

  package func text(of level: Bool) -> String { level ? on : off }
}
