/// Names for what a scan finds, each once.
struct ScannedNames {
  private var taken: Set<String>

  /// - Parameter taken: names that are in use.
  init(taken: Set<String> = []) { self.taken = taken }

  mutating func name(of text: String, or fallback: String) -> String {
    // BeagleBone's are `P9_15B [ehrpwm]`.
    let word = text.prefix { !$0.isWhitespace }.unicodeScalars.map { $0.isNameCharacter ? Character($0) : "_" }
    let base = word.isEmpty ? fallback : String(String(word).lowercased().prefix(56))
    var name = base
    var number = 1
    while !taken.insert(name).inserted {
      number += 1
      name = "\(base)_\(number)"
    }
    return name
  }
}
