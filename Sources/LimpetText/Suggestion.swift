/// Finds what a misspelt word was meant to be.
package struct Suggestion {
  package let candidates: [String]

  package init(candidates: [String]) {
    self.candidates = candidates
  }

  /// The candidate that differs in case or in `-` and `_` only, or else by the fewest letters; nil when none is near.
  package func nearest(to word: String) -> String? {
    // A long word is no slip of the finger, and the comparison below is quadratic.
    guard word.utf8.count <= 64 else { return nil }
    let folded = Self.fold(word)
    if let same = candidates.first(where: { Self.fold($0) == folded }) { return same }
    let limit = folded.count <= 1 ? 0 : folded.count <= 3 ? 1 : 2
    let near = candidates.map { ($0, Self.distance(folded, Self.fold($0))) }.filter { $0.1 <= limit }
    return near.min { $0.1 < $1.1 }?.0
  }

  /// `; did you mean "x"?`, or `; write one of a, b` where there is no near one.
  package func advice(for word: String) -> String {
    nearest(to: word).map { "; did you mean \(quoted($0))?" } ?? "; write \(Self.list(candidates))"
  }

  /// `a`, `a or b`, `a, b or c`.
  package static func list(_ words: [String]) -> String {
    guard words.count > 1, let last = words.last else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }

  private static func fold(_ word: String) -> [Character] {
    word.lowercased().filter { $0 != "-" && $0 != "_" && $0 != " " }.map { $0 }
  }

  /// Letters added, left out, changed or swapped with their neighbour (optimal string alignment).
  static func distance(_ left: [Character], _ right: [Character]) -> Int {
    guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in 1...left.count {
      var row = [i]
      for j in 1...right.count {
        let substitution = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1)
        var best = min(last[j] + 1, row[j - 1] + 1, substitution)
        if i > 1, j > 1, left[i - 1] == right[j - 2], left[i - 2] == right[j - 1] {
          best = min(best, beforeLast[j - 2] + 1)
        }
        row.append(best)
      }
      (beforeLast, last) = (last, row)
    }
    return last[right.count]
  }
}
