/// Something that the board of a configuration cannot do, which the file alone does not show.
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

/// Checks a configuration without errors against the board. It may block.
public typealias BoardJudge = @Sendable (Configuration) -> [BoardObjection]
