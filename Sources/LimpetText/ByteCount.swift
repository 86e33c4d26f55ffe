extension Double {
  /// As a number of bytes, for people: `512 bytes`, `65.4 GB`.
  package var bytesInWords: String {
    for (limit, unit) in [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")] where self >= limit {
      return "\(((self / limit * 10).rounded() / 10).shortestDecimal) \(unit)"
    }
    return "\(rounded(.down).shortestDecimal) bytes"
  }
}
