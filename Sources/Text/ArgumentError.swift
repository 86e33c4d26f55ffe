/// A text that does not fit what it is for.
public struct ArgumentError: Error, CustomStringConvertible {
  public let description: String

  package init(description: String) {
    self.description = description
  }
}
