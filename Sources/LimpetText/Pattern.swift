internal import Glibc

/// A POSIX extended regular expression (regex(7)), as glibc compiles it: it is there already, where Swift's own would
/// make the program larger by megabytes.
///
/// Patterns are bounded, as is what they look at, so that no file can make one take long or much memory: glibc unrolls repetitions and tries back
/// references out.
public struct Pattern: Sendable, Hashable, CustomStringConvertible {
  /// Bytes of a pattern.
  public static let sizeLimit = 256
  /// Bytes of a text that are looked at: glibc's time grows with the square of them for some patterns, to 1 s for these.
  public static let reach = 16_384
  /// What the bounds of all repetitions (`{2,5}`) multiply to.
  public static let repetitionLimit = 1000

  /// Why a text is no pattern, or one that could take too long.
  public enum Flaw: Error, Sendable, Hashable {
    case tooLong
    /// `\1`
    case backReference
    case tooManyRepetitions
    /// What regerror(3) says.
    case syntax(String)
  }

  /// As it was given.
  public let text: String
  private let compiled: Compiled

  /// - Throws: what is wrong with it.
  public init(_ text: String) throws(Flaw) {
    guard text.utf8.count <= Self.sizeLimit else { throw .tooLong }
    try Self.checkCost(Array(text.utf8))
    compiled = try Compiled(text)
    self.text = text
  }

  /// The pattern itself.
  public var description: String { text }

  /// Patterns are equal where their texts are.
  public static func == (left: Pattern, right: Pattern) -> Bool { left.text == right.text }
  /// Goes with `==`: by the text.
  public func hash(into hasher: inout Hasher) { hasher.combine(text) }

  /// What the first match has in its first group, or all of the match where the pattern has no group; nil without one.
  /// `^` and `$` match at lines.
  package func firstMatch(in text: String) -> String? {
    var text = text
    let range = text.withUTF8 { compiled.firstMatch(in: UnsafeBufferPointer(rebasing: $0.prefix(Self.reach))) }
    return range.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
  }

  private static func checkCost(_ bytes: [UInt8]) throws(Flaw) {
    var repetitions = 1
    var index = 0
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\\"):
        index += 1
        if index < bytes.count, (0x31...0x39).contains(bytes[index]) { throw .backReference }
      case UInt8(ascii: "{"):
        let bound = bytes[(index + 1)...].prefix { $0 != UInt8(ascii: "}") }
        for number in bound.split(separator: UInt8(ascii: ",")) {
          let count = Int(String(decoding: number, as: UTF8.self)) ?? 1
          let (product, isOver) = repetitions.multipliedReportingOverflow(by: max(1, count))
          guard !isOver, product <= repetitionLimit else { throw .tooManyRepetitions }
          repetitions = product
        }
      default: break
      }
      index += 1
    }
  }

  /// regexec(3) may be called from several threads with one compiled pattern, which it does not change.
  private final class Compiled: @unchecked Sendable {
    private let pattern: UnsafeMutablePointer<regex_t>

    init(_ text: String) throws(Flaw) {
      pattern = try Self.compile(text)
    }

    /// Apart from `init`: where that throws with every property set, `deinit` would free what was never compiled.
    private static func compile(_ text: String) throws(Flaw) -> UnsafeMutablePointer<regex_t> {
      let pattern = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
      pattern.initialize(to: regex_t())
      let code = regcomp(pattern, text, REG_EXTENDED | REG_NEWLINE)
      guard code != 0 else { return pattern }
      var message = [CChar](repeating: 0, count: 128)
      regerror(code, pattern, &message, message.count)
      pattern.deallocate()
      throw .syntax(String(decoding: message.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self))
    }

    deinit {
      regfree(pattern)
      pattern.deallocate()
    }

    func firstMatch(in text: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
      withUnsafeTemporaryAllocation(of: regmatch_t.self, capacity: 2) { groups in
        groups.initialize(repeating: regmatch_t(rm_so: -1, rm_eo: -1))
        // From here to there, whatever NUL is between.
        groups[0] = regmatch_t(rm_so: 0, rm_eo: regoff_t(text.count))
        let isFound = text.withMemoryRebound(to: CChar.self) { text in
          text.baseAddress.map { regexec(pattern, $0, 2, groups.baseAddress, REG_STARTEND) == 0 } ?? false
        }
        guard isFound else { return nil }
        let group = pattern.pointee.re_nsub > 0 ? groups[1] : groups[0]
        return group.rm_so >= 0 ? Int(group.rm_so)..<Int(group.rm_eo) : nil
      }
    }
  }
}
