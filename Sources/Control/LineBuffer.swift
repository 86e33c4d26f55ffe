import NIOCore

/// Makes lines of what a client of the control socket sends, within a bound.
package struct LineBuffer {
  /// Bytes of a line.
  package static let limit = 4096
  /// Bytes that may wait: a client that sends more than it reads answers for is cut off.
  static let waitingLimit = 65_536

  private var buffer = ByteBuffer()

  package init() {}

  /// - Returns: false when there is more than may wait.
  package mutating func append(_ bytes: ByteBuffer) -> Bool {
    guard buffer.readableBytes + bytes.readableBytes <= Self.waitingLimit else { return false }
    buffer.writeImmutableBuffer(bytes)
    return true
  }

  /// The next line without its end; nil: there is no whole one yet.
  package mutating func next() throws(ControlError) -> ByteBuffer? {
    let end = buffer.readableBytesView.prefix(Self.limit + 1).firstIndex(of: UInt8(ascii: "\n"))
    guard let end, let line = buffer.readSlice(length: end - buffer.readerIndex) else {
      guard buffer.readableBytes <= Self.limit else { throw .lineTooLong }
      return nil
    }
    buffer.moveReaderIndex(forwardBy: 1)
    buffer.discardReadBytes()
    return line
  }
}
