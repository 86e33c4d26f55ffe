/// Something that the board of a configuration cannot do, which the file alone does not show.
public struct BoardObjection: Sendable, Equatable {
  public enum Key: String, Sendable, Hashable {
    case line, stop
  }

  /// Of the output.
  public var output: String
  /// The key at which that is reported.
  public var key: Key
  /// `run` goes on with it.
  public var isWarning: Bool
  public var message: String

  public init(output: String, key: Key, isWarning: Bool = false, message: String) {
    self.output = output
    self.key = key
    self.isWarning = isWarning
    self.message = message
  }
}

/// Checks a configuration without errors against the board. It may block.
public typealias BoardJudge = @Sendable (Configuration) -> [BoardObjection]
