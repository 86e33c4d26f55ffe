import LimpetText
import Measuring

/// Sizes as they are written: `64MB` is 64,000,000 bytes, `64MiB` 67,108,864.
struct WrittenSize {
  static let units: [(name: String, bytes: Int64)] = [
    ("B", 1), ("kB", 1000), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
  ]

  static func parse(_ text: String) throws(Mismatch) -> Int64 {
    let general = Mismatch(
      message: "\(quoted(text)) is not a size; write a number and a unit (B kB MB GB KiB MiB GiB), such as 64MB")
    var rest = Substring(text).unicodeScalars
    guard let quantity = Quantity(from: &rest) else { throw general }
    let name = String(String.UnicodeScalarView(rest))
    if name.isEmpty {
      if quantity.isZero { return 0 }
      throw Mismatch(message: "\(quoted(text)) has no unit; write \(text)MB, or \(text)B for bytes")
    }
    guard let unit = units.first(where: { $0.name == name }) else {
      let letters = name.trimmingSpaces.lowercased()
      guard
        let near = units.first(where: {
          [$0.name, String($0.name.prefix(1))].map { $0.lowercased() }.contains(letters)
        })
      else { throw general }
      throw Mismatch(message: "unit \(quoted(name)) is not known; write \(near.name)")
    }
    guard let bytes = quantity.times(unit.bytes) else {
      throw Mismatch(message: "\(quoted(text)) is not a whole number of bytes that fits; write a number such as 64MB")
    }
    return bytes
  }

  static func text(_ bytes: Int) -> String {
    let unit = units.last { Int64(bytes) % $0.bytes == 0 && $0.bytes % 1000 == 0 && Int64(bytes) >= $0.bytes }
    return unit.map { "\(Int64(bytes) / $0.bytes)\($0.name)" } ?? "\(bytes)B"
  }
}

enum ByteSize {
  /// The largest size of stored data: 1 TB, and 2 GB if an `Int` has 32 bits.
  static let largest = Int(exactly: 1_000_000_000_000 as Int64) ?? 2_000_000_000
}

extension ValueKind where Value == Int {
  /// In bytes.
  package static func size(_ range: ClosedRange<Int>) -> Self {
    ValueKind(.size(range)) { text throws(Mismatch) in
      guard let bytes = Int(exactly: try WrittenSize.parse(text)), range.contains(bytes) else {
        let bounds = "\(WrittenSize.text(range.lowerBound)) to \(WrittenSize.text(range.upperBound))"
        throw Mismatch(message: "\(quoted(text)) is out of range; write \(bounds)")
      }
      return bytes
    }
  }
}
