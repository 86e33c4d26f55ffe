extension Duration {
  /// In milliseconds, rounded up, as poll(2) and the options of sockets take them. 24.8 days stand for all that is longer,
  /// 0 for what is over.
  package var wholeMilliseconds: Int32 {
    let (seconds, attoseconds) = components
    guard seconds < Int64(Int32.max) / 1000 else { return .max }
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
