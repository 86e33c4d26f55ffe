/// Bytes that never appear in a log, an error or a dump; the property that reads them is easy to search for.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let bytes: [UInt8]

  public init(_ bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes)
  }

  /// The secret itself, for the packet that carries it and nothing else.
  public var exposed: [UInt8] { bytes }

  public var description: String { "(secret)" }
  public var debugDescription: String { description }
  /// Without this, `dump` and a failed `#expect` would print the stored bytes.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
