/// A text that does not fit what it is for.
public struct ArgumentError: Error, CustomStringConvertible {
  /// What is wrong with it, for whoever wrote it.
  public let description: String

  package init(description: String) {
    self.description = description
  }
}
