/// What is wrong with a YAML file, where, and what would be right.
public struct Problem: Error, Sendable, Hashable {
  public var position: Position
  public var message: String

  public init(position: Position, message: String) {
    self.position = position
    self.message = message
  }
}

/// A YAML file of one document, read in bounded time and memory whatever it holds.
public struct Document: Sendable {
  /// Bounds that a configuration never reaches and an attack does.
  public enum Limit {
    /// Bytes of input.
    public static let input = 1 << 20
    /// Mappings and sequences inside each other, aliases expanded.
    public static let depth = 64
    /// Keys and values, aliases expanded.
    public static let nodes = 100_000
    /// Bytes of text in keys and values, aliases expanded.
    public static let text = 4 << 20
  }

  /// The top of the tree; nil where the file is empty or cannot be parsed.
  public var root: Node?
  /// In the order they were met. Where `root` is not nil, the tree is whole apart from what they name.
  public var problems: [Problem]

  /// Parses `bytes`, which must be UTF-8 (a byte order mark is passed over).
  ///
  /// A syntax error ends parsing. Repeated keys and keys that are not scalars are collected and left out of the tree.
  ///
  /// - Parameter file: what positions say of the file.
  public static func parse(_ bytes: [UInt8], file: Int = 0) -> Document {
    var document = parse(text: bytes, file: file)
    for index in document.problems.indices { document.problems[index].position.file = file }
    return document
  }

  private static func parse(text bytes: [UInt8], file: Int) -> Document {
    do {
      let text = try SourceText(bytes)
      guard !text.isEmpty else { return Document(root: nil, problems: []) }
      return try text.withoutMark { source throws(Problem) -> Document in
        var builder = TreeBuilder(events: try EventStream(source, file: file))
        do throws(Problem) {
          let root = try builder.document()
          return Document(root: root, problems: builder.problems)
        } catch {
          return Document(root: nil, problems: builder.problems + [error])
        }
      }
    } catch {
      return Document(root: nil, problems: [error])
    }
  }
}
