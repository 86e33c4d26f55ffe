import NIOCore

/// The data representations of MQTT 5.0 §1.5, on top of a buffer. Reading never goes past the buffer's end, which for a
/// packet is its remaining length.
extension ByteBuffer {
  mutating func readByte(_ what: StaticString) throws(PacketError) -> UInt8 {
    guard let value = readInteger(as: UInt8.self) else { throw .endsIn(what) }
    return value
  }

  mutating func readTwoBytes(_ what: StaticString) throws(PacketError) -> UInt16 {
    guard let value = readInteger(as: UInt16.self) else { throw .endsIn(what) }
    return value
  }

  mutating func readFourBytes(_ what: StaticString) throws(PacketError) -> UInt32 {
    guard let value = readInteger(as: UInt32.self) else { throw .endsIn(what) }
    return value
  }

  mutating func readPacketIdentifier() throws(PacketError) -> PacketIdentifier {
    guard let identifier = PacketIdentifier(rawValue: try readTwoBytes("packet identifier")) else {
      throw .protocolError("packet identifier 0")
    }
    return identifier
  }

  /// Binary data: a length of two bytes and that many bytes (§1.5.6).
  mutating func readBinary(_ what: StaticString) throws(PacketError) -> ByteBuffer {
    guard let value = readLengthPrefixedSlice(as: UInt16.self) else { throw .endsIn(what) }
    return value
  }

  /// A UTF-8 encoded string (§1.5.4), left as bytes after the check that it is one ([MQTT-1.5.4-1], [MQTT-1.5.4-2]).
  mutating func readUTF8(_ what: StaticString) throws(PacketError) -> ByteBuffer {
    let value = try readBinary(what)
    guard value.isWellFormedString else { throw .malformed("\(what) is not valid UTF-8 or contains U+0000") }
    return value
  }

  mutating func readText(_ what: StaticString) throws(PacketError) -> String {
    String(buffer: try readUTF8(what))
  }

  private var isWellFormedString: Bool {
    readableBytesView.withUnsafeBytes { bytes in
      let bytes = bytes.assumingMemoryBound(to: UInt8.self)
      guard !bytes.contains(0) else { return false }
      return (try? UTF8Span(validating: bytes.span)) != nil
    }
  }

  /// A variable byte integer (§1.5.5) of at most four bytes; nil when more bytes have to come first. 5.0 wants as few
  /// bytes as the value needs ([MQTT-1.5.5-1]), 3.1.1 does not say so.
  mutating func readVariableByteInteger(_ version: ProtocolVersion) throws(PacketError) -> UInt32? {
    var value: UInt32 = 0
    for index in 0..<4 {
      guard let byte = getInteger(at: readerIndex + index, as: UInt8.self) else { return nil }
      value |= UInt32(byte & 0x7F) << (7 * index)
      if byte & 0x80 == 0 {
        guard index == 0 || byte != 0 || version == .v311 else {
          throw .malformed("variable byte integer longer than it needs to be")
        }
        moveReaderIndex(forwardBy: index + 1)
        return value
      }
    }
    throw .malformed("variable byte integer of more than four bytes")
  }

  mutating func writeText(_ text: String) {
    precondition(text.utf8.count <= Int(UInt16.max), "checked where the text came in")
    writeInteger(UInt16(text.utf8.count))
    writeString(text)
  }

  mutating func writeBinary(_ bytes: ByteBuffer) {
    precondition(bytes.readableBytes <= Int(UInt16.max), "checked where the bytes came in")
    writeInteger(UInt16(bytes.readableBytes))
    writeImmutableBuffer(bytes)
  }

  mutating func writeVariableByteInteger(_ value: UInt32) {
    var rest = value
    repeat {
      let byte = UInt8(rest & 0x7F)
      rest >>= 7
      writeInteger(rest > 0 ? byte | 0x80 : byte)
    } while rest > 0
  }

  /// Writes what `body` writes behind its length as a variable byte integer. The body moves only when the length needs
  /// more than the one byte kept for it.
  mutating func writeLengthPrefixed(_ body: (inout ByteBuffer) -> Void) {
    let start = writerIndex
    writeInteger(UInt8(0))
    body(&self)
    let written = writerIndex - start - 1
    let length = UInt32(written)
    let extra = length.variableByteCount - 1
    if extra > 0 {
      writeRepeatingByte(0, count: extra)
      copyBytes(from: start + 1, to: start + 1 + extra, count: written)
    }
    let end = writerIndex
    moveWriterIndex(to: start)
    writeVariableByteInteger(length)
    moveWriterIndex(to: end)
  }

  private mutating func copyBytes(from: Int, to: Int, count: Int) {
    guard count > 0 else { return }
    withVeryUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      (base + to).copyMemory(from: base + from, byteCount: count)
    }
  }
}

extension UInt32 {
  /// How many bytes the value takes as a variable byte integer.
  var variableByteCount: Int {
    switch self {
    case 0..<128: 1
    case 128..<16_384: 2
    case 16_384..<2_097_152: 3
    default: 4
    }
  }

  /// The largest variable byte integer (§1.5.5).
  static let largestVariableByteInteger: UInt32 = 268_435_455
}

extension PacketError {
  static func endsIn(_ what: StaticString) -> PacketError { .malformed("the packet ends in its \(what)") }
}
