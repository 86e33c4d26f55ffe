/// What SHA-1 and SHA-256 have in common (FIPS 180-4 §5.1.1, §5.2.1): blocks of 16 words, and the length at the end.
enum BlockHash {
  /// - Parameters:
  ///   - state: what the hash begins with.
  ///   - compress: takes the 16 words of a block into the state.
  static func hash(
    _ message: [UInt8], from state: inout [UInt32], _ compress: ([UInt32], inout [UInt32]) -> Void
  ) -> [UInt8] {
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    withUnsafeBytes(of: UInt64(message.count * 8).bigEndian) { padded.append(contentsOf: $0) }
    for start in stride(from: 0, to: padded.count, by: 64) {
      let words = stride(from: start, to: start + 64, by: 4).map { index in
        padded[index..<index + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      }
      compress(words, &state)
    }
    return state.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
  }
}
