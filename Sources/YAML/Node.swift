/// A place in a YAML file. Both numbers begin at 1; columns count characters (Unicode scalars), as editors do.
public struct Position: Sendable, Hashable, Comparable {
  public var line: Int
  public var column: Int
  /// Which of several files that are read as one, in their order.
  public var file: Int

  public init(line: Int, column: Int, file: Int = 0) {
    self.line = line
    self.column = column
    self.file = file
  }

  public static func < (left: Position, right: Position) -> Bool {
    (left.file, left.line, left.column) < (right.file, right.line, right.column)
  }
}

/// One value of a YAML file and where it stands. Below an alias, that is where the anchored value is written.
public struct Node: Sendable, Hashable {
  public enum Value: Sendable, Hashable {
    case scalar(Scalar)
    case sequence([Node])
    /// In the order of the file; keys are unique, and what `<<` merged in stands last.
    case mapping([Entry])
  }

  public var position: Position
  public var value: Value

  public init(position: Position, value: Value) {
    self.position = position
    self.value = value
  }

  /// What kind of node it is, for messages.
  public var kind: String {
    switch value {
    case .scalar(let scalar): scalar.isNull ? "empty" : "a single value"
    case .sequence: "a list"
    case .mapping: "a mapping of keys"
    }
  }
}

/// A key of a mapping and its value.
public struct Entry: Sendable, Hashable {
  public var key: String
  public var keyPosition: Position
  public var value: Node

  public init(key: String, keyPosition: Position, value: Node) {
    self.key = key
    self.keyPosition = keyPosition
    self.value = value
  }
}

/// A single value, always text: what `on`, `5` or `1e3` mean is decided by the reader who knows what is expected.
public struct Scalar: Sendable, Hashable {
  public var text: String
  /// Written without quotes and not as a block (`|`, `>`).
  public var isPlain: Bool

  public init(text: String, isPlain: Bool) {
    self.text = text
    self.isPlain = isPlain
  }

  /// Nothing was written, or one of the plain words for nothing (YAML 1.2.2, 10.3.2).
  public var isNull: Bool {
    isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
  }
}
