/// Orders names as people do: runs of digits by their number, the rest by bytes.
package func naturallyPrecedes(_ left: String, _ right: String) -> Bool {
  var left = Substring(left).utf8
  var right = Substring(right).utf8
  let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
  while let a = left.first, let b = right.first {
    guard isDigit(a), isDigit(b) else {
      guard a == b else { return a < b }
      left.removeFirst()
      right.removeFirst()
      continue
    }
    // Compared as text without leading zeros, so that no number is too long.
    let m = left.prefix(while: isDigit)
    let n = right.prefix(while: isDigit)
    let (x, y) = (m.drop { $0 == 0x30 }, n.drop { $0 == 0x30 })
    guard x.count == y.count else { return x.count < y.count }
    guard x.elementsEqual(y) else { return x.lexicographicallyPrecedes(y) }
    guard m.count == n.count else { return m.count < n.count }
    left = left[m.endIndex...]
    right = right[n.endIndex...]
  }
  return left.isEmpty && !right.isEmpty
}
