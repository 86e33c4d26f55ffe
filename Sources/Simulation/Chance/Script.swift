import LimpetInstants
import LimpetText
import MQTTCore

/// What a run is made of: the seed of its delays, its settings, and what happens in it, by time. A seed expands into a
/// script first, so that a finding can be shrunk and outlives the commit whose chances it was.
package struct Script: Sendable, Hashable {
  package var seed: Seed
  /// Constants of the core and of the world in this run, in their order.
  package var settings: [Setting]
  package var actions: [Action]
  /// The old rule that the device follows in this run.
  package var mutation: Mutation?

  package struct Setting: Sendable, Hashable {
    package var name: String
    package var value: Int64

    package init(_ name: String, _ value: Int64) {
      self.name = name
      self.value = value
    }
  }

  package init(seed: Seed, settings: [Setting] = [], actions: [Action] = []) {
    self.seed = seed
    self.settings = settings
    self.actions = actions
  }

  /// The value of a setting; nil where the script has none.
  package func setting(_ name: String) -> Int64? { settings.first { $0.name == name }?.value }
}

/// The text form: a line each, which starts with `seed`, `set`, `mutate` or `at`; what follows a `#` is a remark.
///
///     seed 0x1f
///     set window 8
///     mutate lease-ignores-clock
///     at 12.5 cut target 1
///     at 13.000000001 deny-by-code for 60.0 value 135
extension Script: CustomStringConvertible {
  package var description: String {
    var lines = ["seed \(seed)"]
    for setting in settings { lines.append("set \(setting.name) \(setting.value)") }
    if let mutation { lines.append("mutate \(mutation.rawValue)") }
    for action in actions {
      var line = "at \(action.time.decimalSeconds) \(action.kind.rawValue)"
      if action.target != 0 { line += " target \(action.target)" }
      if action.duration != .zero { line += " for \(action.duration.decimalSeconds)" }
      if action.value != 0 { line += " value \(action.value)" }
      lines.append(line)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A line that is no part of a script.
  package struct SyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    /// From 1.
    package let line: Int
    package let message: String

    package var description: String { "line \(line): \(message)" }
  }

  package init(_ text: String) throws(SyntaxError) {
    self.init(seed: Seed(0))
    for (number, line) in zip(1..., text.split(separator: "\n", omittingEmptySubsequences: false)) {
      let content = line.prefix { $0 != "#" }
      var words = content.split { $0 == " " || $0 == "\t" || $0 == "\r" }[...]
      guard let first = words.popFirst() else { continue }
      guard read(first, &words), words.isEmpty else {
        throw SyntaxError(line: number, message: "cannot read \"\(content)\"")
      }
    }
  }

  private mutating func read(_ first: Substring, _ words: inout ArraySlice<Substring>) -> Bool {
    switch first {
    case "seed":
      guard let word = words.popFirst(), word.hasPrefix("0x"), let value = UInt64(word.dropFirst(2), radix: 16) else {
        return false
      }
      seed = Seed(value)
    case "set":
      guard let name = words.popFirst(), let value = words.popFirst().flatMap({ Int64($0) }) else { return false }
      settings.append(Setting(String(name), value))
    case "mutate":
      guard let mutation = words.popFirst().flatMap({ Mutation(rawValue: String($0)) }) else { return false }
      self.mutation = mutation
    case "at":
      guard let time = words.popFirst().flatMap({ Duration(decimalSeconds: $0) }),
        let kind = words.popFirst().flatMap({ ActionKind(rawValue: String($0)) })
      else { return false }
      var action = Action(at: time, kind)
      while let word = words.popFirst() {
        guard let value = words.popFirst() else { return false }
        switch word {
        case "target": if let number = UInt32(value) { action.target = number } else { return false }
        case "value": if let number = UInt32(value) { action.value = number } else { return false }
        case "for":
          if let length = Duration(decimalSeconds: value) { action.duration = length } else { return false }
        default: return false
        }
      }
      actions.append(action)
    default: return false
    }
    return true
  }
}

extension Duration {
  /// Seconds with as many decimals as they need, one at least.
  var decimalSeconds: String {
    let (seconds, rest) = wholeNanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    var decimals = String(rest.magnitude).aligned(to: 9, filling: "0")
    while decimals.count > 1 && decimals.last == "0" { decimals.removeLast() }
    return "\(seconds).\(decimals)"
  }

  /// nil where it is no such number, or has more than nine decimals.
  init?(decimalSeconds text: Substring) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first.flatMap({ UInt32($0) }) else { return nil }
    let decimals = parts.count > 1 ? parts[1] : "0"
    guard (1...9).contains(decimals.count), let rest = UInt32(decimals) else { return nil }
    var nanoseconds = Int64(rest)
    for _ in decimals.count..<9 { nanoseconds *= 10 }
    self = .nanoseconds(Int64(whole) * 1_000_000_000 + nanoseconds)
  }
}
