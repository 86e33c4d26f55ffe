/// Writes rows for `RowReader`: varints of 7 bits a byte, the low ones first.
struct RowWriter {
  private(set) var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(48) }

  mutating func write(byte: UInt8) { bytes.append(byte) }

  mutating func write(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// Small ones are short, whatever their sign.
  mutating func write(signed value: Int64) { write(varint: UInt64(bitPattern: value << 1 ^ value >> 63)) }

  mutating func write(_ number: Double) {
    let pattern = number.bitPattern
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: pattern >> UInt64(shift))) }
  }

  mutating func write(_ text: String) {
    write(varint: UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }
}

/// Reads a row, whose bytes may be damaged: nil if they end too early.
struct RowReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func byte() -> UInt8? {
    guard position < bytes.count else { return nil }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = byte() else { return nil }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }

  mutating func signed() -> Int64? { varint().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) } }

  mutating func number() -> Double? {
    guard bytes.count - position >= 8 else { return nil }
    var pattern: UInt64 = 0
    for offset in 0..<8 { pattern |= UInt64(bytes[position + offset]) << UInt64(offset * 8) }
    position += 8
    return Double(bitPattern: pattern)
  }

  mutating func text() -> String? {
    guard let count = varint(), count <= UInt64(bytes.count - position) else { return nil }
    let end = position + Int(count)
    defer { position = end }
    return String(validating: bytes[position..<end], as: UTF8.self)
  }
}
