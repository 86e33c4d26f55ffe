/// What cannot be on the board that a configuration is for, which its file alone does not say.
public struct BoardObjection: Sendable, Equatable {
  public enum Key: String, Sendable, Hashable {
    case line, stop
  }

  /// Of the output.
  public var output: String
  /// The key at which that is reported.
  public var key: Key
  public var message: String

  public init(output: String, key: Key, message: String) {
    self.output = output
    self.key = key
    self.message = message
  }
}

/// Looks at a board for a configuration without errors. It may block.
public typealias BoardJudge = @Sendable (Configuration) -> [BoardObjection]
